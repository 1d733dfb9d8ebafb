import pytest
from fakes import NAME, a_benchmark, a_meter, a_row, a_run, a_trial, some_trials

from energygate.model import Idle, Metric, Outcome, count_outcomes, reasons_by_code


def test_the_energy_of_a_trial_is_the_sum_of_its_domains():
    assert a_trial(energy_j={"package-0": 101.25, "dram-0": 8.5}).total_j == 109.75
    assert a_trial(energy_j={}).total_j == 0


@pytest.mark.parametrize(
    ("metric", "value", "unit"),
    [
        (Metric.ENERGY_J, 25.0, "J"),
        (Metric.DURATION_S, 0.8, "s"),
        (Metric.J_PER_REQUEST, 12.5, "J/request"),
        (Metric.J_PER_OUTPUT_TOKEN, 0.5, "J/token"),
        (Metric.J_PER_TOTAL_TOKEN, 0.2, "J/total token"),
    ],
)
def test_each_metric_is_a_ratio_of_sums_over_the_trial(metric, value, unit):
    trial = a_trial(energy_j=100.0, duration_s=3.2, iterations=4, requests=8, input_tokens=300, output_tokens=200)
    assert (trial.value(metric), metric.unit) == (value, unit)


@pytest.mark.parametrize(
    "counts", [{}, {"requests": 0, "input_tokens": 0, "output_tokens": 0}], ids=["unknown", "zero"]
)
def test_a_metric_without_its_count_is_none_never_zero(counts):
    trial = a_trial(**counts)
    per_count = [Metric.J_PER_REQUEST, Metric.J_PER_OUTPUT_TOKEN, Metric.J_PER_TOTAL_TOKEN]
    assert [trial.value(metric) for metric in per_count] == [None, None, None]


def test_joules_per_total_token_need_both_counts():
    assert a_trial(input_tokens=10).value(Metric.J_PER_TOTAL_TOKEN) is None
    assert a_trial(output_tokens=10).value(Metric.J_PER_TOTAL_TOKEN) is None
    assert a_trial(input_tokens=10, output_tokens=0).value(Metric.J_PER_TOTAL_TOKEN) == 10


def test_requests_decide_only_where_every_valid_trial_counts_them():
    counted, uncounted = some_trials(requests=1), some_trials()
    assert a_benchmark(trials=counted).primary is Metric.J_PER_REQUEST
    assert a_benchmark(trials=[*counted, *uncounted]).primary is Metric.ENERGY_J
    assert a_benchmark(trials=[*counted, a_trial(invalid="read_error: x.")]).primary is Metric.J_PER_REQUEST
    assert a_benchmark(trials=()).primary is Metric.ENERGY_J


def test_only_trials_without_a_fault_are_valid():
    good, bad = a_trial(index=0), a_trial(index=1, invalid="read_error: x.")
    assert a_benchmark(trials=[good, bad]).valid == (good,)


@pytest.mark.parametrize(
    ("kind", "estimated"),
    [("counter", False), ("scraped", False), ("replay", False), ("estimate", True), ("integrated", True)],
)
def test_a_run_is_an_estimate_if_one_of_its_meters_is(kind, estimated):
    assert a_run(meters=(a_meter(), a_meter(name="other", kind=kind))).estimated is estimated


def test_a_benchmark_is_found_by_its_name():
    benchmark = a_benchmark()
    assert a_run(benchmark).benchmark(NAME) is benchmark
    assert a_run(benchmark).benchmark("other") is None


def test_a_benchmark_counts_once_for_each_of_its_outcomes():
    rows = (
        a_row(benchmark="a", outcome=Outcome.PASS),
        a_row(benchmark="a", outcome=Outcome.PASS, how="limit"),
        a_row(benchmark="b", outcome=Outcome.PASS),
        a_row(benchmark="b", outcome=Outcome.OVER_LIMIT, how="limit"),
    )
    counts = count_outcomes(rows)
    assert counts == {"over_limit": 1, "pass": 2}
    assert list(counts) == ["over_limit", "pass"]


def test_reasons_are_grouped_by_code_with_the_first_sentence_of_each():
    reasons = ["suspended: 3 s.", "read_error: first.", None, "read_error: second."]
    trials = tuple(a_trial(index=index, invalid=reason) for index, reason in enumerate(reasons))
    assert reasons_by_code(trials) == [("read_error: first.", 2), ("suspended: 3 s.", 1)]
    assert reasons_by_code(()) == []


def test_a_run_holds_each_benchmark_once():
    with pytest.raises(ValueError, match=r"^two benchmarks are called 'a'$"):
        a_run(a_benchmark(name="a"), a_benchmark(name="b"), a_benchmark(name="a"))


@pytest.mark.parametrize(
    ("before_w", "after_w", "drift_w"),
    [
        ({"package-0": 12.0}, {"package-0": 11.0}, 1.0),
        ({"package-0": 20.0, "dram-0": 30.0}, {"package-0": 30.0, "dram-0": 20.0}, 20.0),
        ({"package-0": 20.0, "dram-0": 30.0}, {"package-0": 20.0}, 30.0),
    ],
)
def test_idle_power_moves_domain_by_domain(before_w, after_w, drift_w):
    assert Idle(before_w=before_w, after_w=after_w).drift_w == drift_w
