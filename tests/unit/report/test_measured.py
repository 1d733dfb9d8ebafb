from fakes import a_benchmark, a_meter, a_run, a_trial, some_trials

from energygate.model import Idle
from energygate.report.measured import render_measured


def test_what_was_measured_is_told_benchmark_by_benchmark():
    run = a_run(
        a_benchmark(name="plain"),
        a_benchmark(name="chat", trials=some_trials((90.0, 100.0, 110.0), requests=10, output_tokens=200)),
        a_benchmark(name="repeated", trials=some_trials((100.0,), iterations=50)),
    )
    assert render_measured(run, color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "plain\n"
        "    100 J, 5 trials of 3.20 s, cv 0.311 %\n"
        "chat\n"
        "    10.0 J/request, 0.500 J/token, 3 trials of 3.20 s, cv 10 %\n"
        "repeated\n"
        "    2.00 J, 1 trial of 3.20 s\n"
    )


def test_invalid_trials_are_counted_by_reason_and_not_averaged_in():
    trials = (
        *some_trials((100.0, 100.0)),
        a_trial(index=2, energy_j=9e9, invalid="counter_reset: it went backwards."),
        a_trial(index=3, invalid="counter_reset: it went backwards."),
        a_trial(index=4, invalid="too_short: 0.1 s."),
    )
    assert render_measured(a_run(a_benchmark(trials=trials)), color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "bench.py::test_encode\n"
        "    100 J, 2 trials of 3.20 s, cv 0 %\n"
        "    2 invalid trials: counter_reset: it went backwards.\n"
        "    1 invalid trial: too_short: 0.1 s.\n"
    )


def test_integrated_power_is_called_so_beside_each_number():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    run = a_run(a_benchmark(trials=some_trials((10.0, 10.0))), meters=(power,))
    text = render_measured(run, color=False)
    assert "\nTHESE FIGURES ARE INTEGRATED POWER, NOT MEASURED ENERGY.\n" in text
    assert " J (integrated power), 2 trials of " in text


def test_a_benchmark_that_never_ran_shows_its_reason_and_no_number():
    run = a_run(a_benchmark(trials=(), invalid="No server answers."))
    assert render_measured(run, color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\nbench.py::test_encode\n    invalid: No server answers.\n"
    )


def idle(after_w=10.2):
    before_w = {"package-0": 9.8}
    return Idle(before_w=before_w, after_w={"package-0": after_w}, duration_s=10.0, state="nothing was running")


def test_idle_power_and_what_is_left_without_it_are_told():
    chat = a_benchmark(name="chat", trials=some_trials((90.0, 110.0), duration_s=4.0, requests=10, output_tokens=100))
    assert render_measured(a_run(chat, idle=idle()), color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\n"
        "idle power: 9.80 W before, 10.2 W after, in 10.0 s each; nothing was running\n"
        "chat\n"
        "    10.0 J/request, 1.00 J/token, 2 trials of 4.00 s, cv 14.1 %\n"
        "    net of 10.0 W idle: 6.00 J/request (\N{PLUS-MINUS SIGN} 0.08 J/request from idle power alone), "
        "0.600 J/token (\N{PLUS-MINUS SIGN} 0.008 J/token from idle power alone)\n"
    )


def test_idle_power_that_moved_is_a_warning_and_leaves_no_net_value():
    moved = "idle power moved by 2.20 W (from 9.80 W to 12.0 W in all), 20.2 % of it"
    trials = some_trials((100.0,), duration_s=4.0)
    assert render_measured(a_run(a_benchmark(trials=trials), idle=idle(12.0)), color=False).splitlines()[1:] == [
        "idle power: 9.80 W before, 12.0 W after, in 10.0 s each; nothing was running",
        f"warning: {moved} while this session ran: something else ran there, or the machine was not in a steady state",
        "bench.py::test_encode",
        "    100 J, 1 trial of 4.00 s",
        f"    net of idle: not shown, because {moved} (at most 10 %)",
    ]


def test_what_is_noisy_and_what_is_noted_of_a_benchmark_is_shown():
    noisy = a_benchmark(trials=some_trials((100.0,), duration_s=4.0), noisy="others were busy.", notes=("it was hot",))
    assert render_measured(a_run(noisy), color=False).splitlines()[2:] == [
        "    100 J, 1 trial of 4.00 s",
        "    noisy: others were busy.",
        "    note: it was hot",
    ]


def test_idle_power_that_could_not_be_measured_is_a_warning():
    run = a_run(notes=("rapl: measures package-0.", "idle power is unknown: read_error: x."))
    assert render_measured(run, color=False).splitlines()[1:] == ["warning: idle power is unknown: read_error: x."]


def test_every_joule_of_an_estimate_says_so_and_seconds_do_not():
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    trials = some_trials((100.0, 100.0), requests=10, output_tokens=200)
    text = render_measured(a_run(a_benchmark(trials=trials), meters=(estimate,)), color=False)
    _, label, _, figures = text.splitlines()
    assert label == "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS."
    assert figures == ("    10.0 J/request (estimate), 0.500 J/token (estimate), 2 trials of 3.20 s, cv 0 %")


def test_how_fast_a_server_answered_is_told_as_time():
    told = {"inference": {"request_s": {"p50": 0.5, "p95": 0.9}, "phases": {"prefill_s": 2.0, "decode_s": 6.0}}}
    trials = some_trials((90.0, 100.0, 110.0), requests=10, output_tokens=200, conditions=told)
    assert render_measured(a_run(a_benchmark(name="chat", trials=trials)), color=False).endswith(
        "    median request 0.500 s, mean prefill 0.200 s, mean decode 0.600 s\n"
    )
