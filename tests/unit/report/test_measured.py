from fakes import a_benchmark, a_meter, a_run, a_trial, some_trials

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


def test_a_benchmark_that_never_ran_shows_its_reason_and_no_number():
    run = a_run(a_benchmark(trials=(), invalid="No server answers."))
    assert render_measured(run, color=False) == (
        "measured by rapl (package-0) on epyc-7763-2s\nbench.py::test_encode\n    invalid: No server answers.\n"
    )


def test_every_joule_of_an_estimate_says_so_and_seconds_do_not():
    estimate = a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",))
    trials = some_trials((100.0, 100.0), requests=10, output_tokens=200)
    text = render_measured(a_run(a_benchmark(trials=trials), meters=(estimate,)), color=False)
    assert text.splitlines()[2] == (
        "    10.0 J/request (estimate), 0.500 J/token (estimate), 2 trials of 3.20 s, cv 0 %"
    )
