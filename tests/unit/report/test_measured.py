from fakes import a_benchmark, a_meter, a_run, a_trial, some_trials

from energygate.model import Idle
from energygate.report.measured import render_measured


def shown(run, *, width=None):
    """The lines of the table, without its heading."""
    return render_measured(run, color=False, width=width).split("\n\n")[1].splitlines()[1:]


def test_what_was_measured_is_told_benchmark_by_benchmark():
    run = a_run(
        a_benchmark(name="plain"),
        a_benchmark(name="chat", trials=some_trials((90.0, 100.0, 110.0), requests=10, output_tokens=200)),
        a_benchmark(name="repeated", trials=some_trials((100.0,), iterations=50)),
    )
    assert render_measured(run, color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "\n"
        "result    benchmark   mean                 cv  trials    each\n"
        "measured  plain        100 J          0.311 %       5  3.20 s\n"
        "measured  chat        10.0 J/request     10 %       3  3.20 s\n"
        "                     0.500 J/token\n"
        "measured  repeated    2.00 J                        1  3.20 s\n"
    )


def test_the_run_its_meters_and_its_notes_are_details_and_the_last_line_is_what_became_of_it():
    run = a_run(a_benchmark(name="x" * 80), notes=("rapl: measures package-0.",), dirty=True)
    closing = "energy: FAILED, nothing was recorded"
    said = ("not recorded as a session: " + "x" * 60,)
    text = render_measured(run, color=False, width=80, verbose=True, said=said, closing=closing)
    assert text == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "meter: rapl (counter): package-0, refreshed every 1.00 ms, steps of 0.0610 mJ\n"
        "run 20261101T031500Z-0000000001: commit 0123456789ab with uncommitted changes\n"
        "machine fingerprint 0123456789ab\n"
        "note: rapl: measures package-0.\n"
        "\n"
        "result    mean         cv  trials    each\n"
        f"measured  {'x' * 80}\n"
        "           100 J  0.311 %       5  3.20 s\n"
        "not recorded as a session:\n"
        f"    {'x' * 60}\n"
        "\n"
        "energy: FAILED, nothing was recorded\n"
    )


def test_invalid_trials_are_counted_by_reason_and_not_averaged_in():
    trials = (
        *some_trials((100.0, 100.0)),
        a_trial(index=2, energy_j=9e9, invalid="counter_reset: it went backwards."),
        a_trial(index=3, invalid="counter_reset: it went backwards."),
        a_trial(index=4, invalid="too_short: 0.1 s."),
    )
    assert shown(a_run(a_benchmark(trials=trials))) == [
        "measured  bench.py::test_encode   100 J  0 %       2  3.20 s",
        "          2 invalid trials: counter_reset: it went backwards.",
        "          1 invalid trial: too_short: 0.1 s.",
    ]


def test_integrated_power_is_called_so_beside_each_number():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    run = a_run(a_benchmark(trials=some_trials((10.0, 10.0))), meters=(power,))
    text = render_measured(run, color=False)
    assert "\nTHESE FIGURES ARE INTEGRATED POWER, NOT MEASURED ENERGY.\n" in text
    assert " J (integrated power)  0 % " in text


def test_a_benchmark_that_never_ran_shows_its_reason_and_no_number():
    run = a_run(a_benchmark(trials=(), invalid="No server answers."))
    assert render_measured(run, color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n\ninvalid  bench.py::test_encode\n         No server answers.\n"
    )


def idle(after_w=10.2):
    before_w = {"package-0": 9.8}
    return Idle(before_w=before_w, after_w={"package-0": after_w}, duration_s=10.0, state="nothing was running")


def test_idle_power_and_what_is_left_without_it_are_told():
    chat = a_benchmark(name="chat", trials=some_trials((90.0, 110.0), duration_s=4.0, requests=10, output_tokens=100))
    assert render_measured(a_run(chat, idle=idle()), color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "idle power: 9.80 W before, 10.2 W after, in 10.0 s each; nothing was running\n"
        "\n"
        "result    benchmark  mean                cv  trials    each\n"
        "measured  chat       10.0 J/request  14.1 %       2  4.00 s\n"
        "                     1.00 J/token\n"
        "          net of 10.0 W idle: 6.00 J/request (\N{PLUS-MINUS SIGN} 0.08 J/request from idle power alone), "
        "0.600 J/token (\N{PLUS-MINUS SIGN} 0.008 J/token from idle power alone)\n"
    )


def test_idle_power_that_moved_is_a_warning_and_leaves_no_net_value():
    moved = "idle power moved by 2.20 W (from 9.80 W to 12.0 W in all), 20.2 % of it"
    run = a_run(a_benchmark(trials=some_trials((100.0,), duration_s=4.0)), idle=idle(12.0))
    assert render_measured(run, color=False).splitlines()[1:3] == [
        "idle power: 9.80 W before, 12.0 W after, in 10.0 s each; nothing was running",
        f"warning: {moved} while this session ran: something else ran there, or the machine was not in a steady state",
    ]
    assert shown(run) == [
        "measured  bench.py::test_encode   100 J       1  4.00 s",
        f"          net of idle: not shown, because {moved} (at most 10 %)",
    ]


def test_what_is_noisy_and_what_is_noted_of_a_benchmark_is_shown():
    noisy = a_benchmark(trials=some_trials((100.0,), duration_s=4.0), noisy="others were busy.", notes=("it was hot",))
    assert shown(a_run(noisy)) == [
        "noisy   bench.py::test_encode   100 J       1  4.00 s",
        "        others were busy.",
        "        note: it was hot",
    ]


def test_idle_power_that_could_not_be_measured_is_a_warning():
    run = a_run(notes=("rapl: measures package-0.", "idle power is unknown: read_error: x."))
    assert render_measured(run, color=False).splitlines()[1:] == ["warning: idle power is unknown: read_error: x."]


def test_every_joule_of_an_estimate_says_so_and_seconds_do_not():
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    trials = some_trials((100.0, 100.0), requests=10, output_tokens=200)
    run = a_run(a_benchmark(trials=trials), meters=(estimate,))
    assert render_measured(run, color=False).splitlines()[1] == (
        "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS."
    )
    assert shown(run) == [
        "measured  bench.py::test_encode   10.0 J/request (estimate)  0 %       2  3.20 s",
        "                                 0.500 J/token (estimate)",
    ]


def test_how_fast_a_server_answered_is_told_as_time():
    told = {"inference": {"request_s": {"p50": 0.5, "p95": 0.9}, "phases": {"prefill_s": 2.0, "decode_s": 6.0}}}
    trials = some_trials((90.0, 100.0, 110.0), requests=10, output_tokens=200, conditions=told)
    assert shown(a_run(a_benchmark(name="chat", trials=trials)))[-1] == (
        "          median request 0.500 s, mean prefill 0.200 s, mean decode 0.600 s"
    )
