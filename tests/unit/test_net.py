import math

import pytest
from fakes import a_baseline, a_benchmark, a_meter, a_row, a_run, a_trial, some_trials
from msgspec.structs import replace

from energygate.judging import judge
from energygate.model import Baseline, Idle, MeterInfo, Metric, Net
from energygate.net import NetValues, idle_warning, net_values, with_net
from energygate.policy import Policy


def idle(before_w=10.0, after_w=10.0, *, duration_s=10.0):
    return Idle(before_w={"package-0": before_w}, after_w={"package-0": after_w}, duration_s=duration_s)


def of(trials, idle, *, metric=Metric.ENERGY_J, meters=None):
    benchmark = a_benchmark(trials=trials)
    return net_values(a_run(benchmark, idle=idle, meters=meters), benchmark, metric)


def test_net_energy_is_what_is_left_without_the_mean_idle_power():
    trials = [a_trial(energy_j=100.0, duration_s=4.0), a_trial(index=1, energy_j=110.0, duration_s=5.0)]
    found = of(trials, idle(9.8, 10.2))
    assert found == NetValues(values=(pytest.approx(60.0), pytest.approx(60.0)), uncertainty=pytest.approx(0.2 * 4.5))


@pytest.mark.parametrize(
    ("metric", "value", "uncertainty"),
    [
        (Metric.ENERGY_J, 60.0, 0.8),
        (Metric.J_PER_REQUEST, 3.0, 0.04),
        (Metric.J_PER_OUTPUT_TOKEN, 0.6, 0.008),
        (Metric.J_PER_TOTAL_TOKEN, 0.4, 0.8 / 150),
    ],
)
def test_net_values_are_per_request_and_per_token_as_gross_ones_are(metric, value, uncertainty):
    trials = [a_trial(energy_j=100.0, duration_s=4.0, requests=20, input_tokens=50, output_tokens=100)]
    found = of(trials, idle(9.8, 10.2), metric=metric)
    assert found == NetValues(values=(pytest.approx(value),), uncertainty=pytest.approx(uncertainty))


def test_a_repeated_workload_has_the_net_energy_of_one_repetition():
    assert of([a_trial(energy_j=100.0, duration_s=4.0, iterations=10)], idle()).values == (pytest.approx(6.0),)


def test_where_idle_power_held_still_the_uncertainty_is_the_edge_error_of_its_window():
    slow = MeterInfo(name="nvml", kind="counter", domains=("gpu-0",), update_interval_s=0.1, resolution_j=0.001)
    found = of([a_trial(energy_j=100.0, duration_s=4.0)], idle(), meters=(a_meter(), slow))
    assert found.uncertainty == pytest.approx(0.1 * 10.0 / (math.sqrt(6) * 10.0) * 4.0)


def test_invalid_trials_have_no_net_value():
    trials = [a_trial(energy_j=100.0, duration_s=4.0), a_trial(index=1, energy_j=1.0, invalid="read_error: x.")]
    assert of(trials, idle()).values == (pytest.approx(60.0),)


def test_without_idle_power_or_without_trials_there_is_nothing_to_say():
    assert of(some_trials(), None) is None
    assert of((), idle()) is None
    assert of(some_trials(), idle(), metric=Metric.J_PER_REQUEST) is None


@pytest.mark.parametrize(
    ("trials", "measured", "refused"),
    [
        (
            some_trials((100.0, 100.0, 39.0, 40.0), duration_s=4.0),
            idle(),
            "2 of 4 trials used no more than the idle power of 10.0 W",
        ),
        (
            some_trials((50.0, 52.0), duration_s=4.0),
            idle(),
            "only 21.6 % is left of the energy (at least 25 %)",
        ),
        (
            some_trials((100.0,), duration_s=4.0),
            idle(10.0, 11.2),
            "idle power moved by 1.20 W (from 10.0 W to 11.2 W in all), 11.3 % of it (at most 10 %)",
        ),
        (
            some_trials(({"package-0": 300.0, "dram-0": 100.0},), duration_s=4.0),
            Idle(
                before_w={"package-0": 20.0, "dram-0": 30.0},
                after_w={"package-0": 30.0, "dram-0": 20.0},
                duration_s=9.0,
            ),
            "idle power moved by 20.0 W (from 50.0 W to 50.0 W in all), 40 % of it (at most 10 %)",
        ),
        (
            some_trials((100.0,), duration_s=4.0),
            idle(0.0, 0.0, duration_s=0.0),
            "how long idle power was measured is not known",
        ),
        (
            some_trials(({"package-0": 90.0, "dram-0": 10.0},), duration_s=4.0),
            idle(),
            "idle power is known of package-0, and the trials' of dram-0, package-0",
        ),
    ],
    ids=[
        "not positive",
        "too little left",
        "drift",
        "drift of domains against each other",
        "unknown length",
        "other domains",
    ],
)
def test_net_values_are_refused_in_words_with_figures(trials, measured, refused):
    assert of(trials, measured) == NetValues(refused=refused)


@pytest.mark.parametrize(
    ("trials", "measured"),
    [
        (some_trials((160.0 / 3,), duration_s=4.0), idle()),  # a quarter is left
        (some_trials((100.0,), duration_s=4.0), idle(9.51, 10.49)),
    ],
    ids=["share", "drift"],
)
def test_net_values_are_shown_up_to_the_limits(trials, measured):
    assert of(trials, measured).refused == ""


def test_a_run_whose_idle_power_moved_much_says_so():
    assert idle_warning(idle(10.0, 10.5)) is None
    assert idle_warning(idle(10.0, 12.0)) == (
        "idle power moved by 2.00 W (from 10.0 W to 12.0 W in all), 18.2 % of it while this session ran: something "
        "else ran there, or the machine was not in a steady state"
    )


HEAD = a_benchmark(trials=some_trials((110.0,) * 5, duration_s=4.0))
STORED = a_benchmark(trials=some_trials((100.0,) * 5, duration_s=4.0))


def stored(*idles):
    runs = (a_run(STORED, day=day, idle=measured) for day, measured in enumerate(idles, 1))
    return Baseline(runs=tuple(reversed(list(runs))))


def nets(head, baseline):
    return [row.net for row in judge(head, baseline, Policy()).comparisons]


def test_a_row_has_the_net_values_of_both_sides_in_its_own_unit():
    head = a_run(HEAD, day=9, idle=idle(9.9, 10.1))
    assert nets(head, stored(idle(), idle(12.0, 12.0))) == [
        Net(
            idle_w=pytest.approx(10.0),
            base=pytest.approx(math.sqrt(60.0 * 52.0)),
            head=pytest.approx(70.0),
            uncertainty=pytest.approx(0.4),
        )
    ]


@pytest.mark.parametrize("unusable", [None, idle(10.0, 20.0)], ids=["not measured", "refused"])
def test_stored_runs_that_cannot_tell_are_passed_over(unusable):
    head = a_run(HEAD, day=9, idle=idle())
    (some,) = nets(head, stored(idle(), unusable))
    (none,) = nets(head, stored(unusable, unusable))
    assert (some.base, none.base, none.head) == (pytest.approx(60.0), None, pytest.approx(70.0))


def test_the_base_is_of_the_sessions_that_the_gross_values_are_of():
    other_work = a_benchmark(trials=some_trials((50.0,) * 5, duration_s=4.0), workload="b" * 64)
    baseline = Baseline(runs=(a_run(other_work, day=2, idle=idle()), a_run(STORED, day=1, idle=idle())))
    (net,) = nets(a_run(HEAD, day=9, idle=idle()), baseline)
    assert net.base == pytest.approx(60.0)


def test_a_refusal_stands_in_the_row_too():
    (net,) = nets(a_run(HEAD, day=9, idle=idle(25.0, 25.0)), stored(idle()))
    assert net == Net(idle_w=25.0, refused="only 9.09 % is left of the energy (at least 25 %)")


def test_a_run_without_idle_power_has_no_net_values():
    assert nets(a_run(HEAD, day=9), stored(idle())) == [None]


def test_limits_are_gross_and_have_no_net_value():
    head = a_run(HEAD, idle=idle())
    (row,) = with_net([a_row(how="limit")], head, {})
    assert row.net is None


def test_joules_per_token_have_their_own_net_value():
    trials = some_trials((110.0,) * 5, duration_s=4.0, requests=10, output_tokens=100)
    rows = judge(a_run(a_benchmark(trials=trials), idle=idle()), Baseline(), Policy()).comparisons
    assert [(row.metric, row.net.head) for row in rows] == [
        (Metric.J_PER_REQUEST, pytest.approx(7.0)),
        (Metric.J_PER_OUTPUT_TOKEN, pytest.approx(0.7)),
    ]


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.03, 1.2])
def test_idle_power_changes_no_verdict(factor):
    trials = some_trials([energy_j * factor for energy_j in (100.1, 99.8, 100.6, 100.2, 99.9)], requests=10)
    head, baseline = (
        a_run(a_benchmark(trials=trials), day=9),
        a_baseline(*[a_benchmark(trials=some_trials(requests=10))] * 4),
    )
    measured = Baseline(runs=tuple(replace(run, idle=idle(20.0, 20.0)) for run in baseline.runs))
    gross = judge(head, baseline, Policy())
    net = judge(replace(head, idle=idle(10.0, 10.2)), measured, Policy())
    assert all(row.net is not None for row in net.comparisons)
    assert [replace(row, net=None) for row in net.comparisons] == list(gross.comparisons)
    assert (net.verdict, net.exit_code, net.counts) == (gross.verdict, gross.exit_code, gross.counts)


def test_a_session_whose_idle_power_moved_or_is_unknown_warns_in_the_report():
    unknown = "idle power is unknown: read_error: x."
    head = a_run(HEAD, idle=idle(10.0, 12.0))
    assert judge(head, Baseline(), Policy()).warnings == (idle_warning(head.idle),)
    assert judge(a_run(HEAD, notes=("rapl: x", unknown)), Baseline(), Policy()).warnings == (unknown,)
