import math

import numpy as np
import pytest
from fakes import a_benchmark, a_trial, some_trials

from energygate.model import Metric
from energygate.samples import DECIDING, samples

WORK = {"requests": 10, "input_tokens": 100, "output_tokens": 20, "cached_input_tokens": 50}


def taken(*benchmarks, metric=Metric.ENERGY_J):
    return samples(benchmarks, [metric] * len(benchmarks))


@pytest.mark.parametrize("metric", list(Metric))
def test_a_metric_is_the_one_that_a_trial_gives(metric):
    trials = [a_trial(energy_j=90.0 + i, duration_s=3.0 + i, iterations=i + 1, **WORK) for i in range(4)]
    found = taken(a_benchmark(trials=trials)).logs([metric])
    np.testing.assert_allclose(np.exp(found[:, 0]), [trial.value(metric) for trial in trials], rtol=1e-12)


def test_work_is_counted_per_request_and_domains_per_request_or_iteration():
    counted = a_benchmark(trials=some_trials([{"package-0": 60.0, "dram-0": 4.0}] * 2, **WORK))
    plain = a_benchmark(trials=some_trials([{"package-0": 60.0}] * 2, iterations=3))
    found = np.exp(taken(counted, plain).logs(["work:input_tokens", "domain:package-0", "domain:dram-0"]))
    np.testing.assert_allclose(found[:2], [[10, 6, 0.4]] * 2, rtol=1e-12)
    np.testing.assert_allclose(found[2:], [[math.nan, 20, math.nan]] * 2, rtol=1e-12)


@pytest.mark.parametrize(
    "energy_j", [0.0, -1.0, math.nan, math.inf, {}, {"a": 1e308, "b": 1e308}, {"a": math.inf, "b": -math.inf}]
)
def test_trials_without_a_log_are_left_out(energy_j):
    usable = some_trials([100.0, 101.0])
    found = taken(a_benchmark(trials=[usable[0], a_trial(energy_j=energy_j), usable[1]]), a_benchmark(trials=()))
    assert (found.sizes.tolist(), found.trials_of(0), found.trials_of(1)) == ([2, 0], usable, ())
    assert found.trials_of_each() == [usable, ()]
    np.testing.assert_allclose(found.deciding, np.log([100.0, 101.0]), rtol=1e-12)


def test_invalid_trials_are_left_out():
    found = taken(a_benchmark(trials=[a_trial(invalid="read_error: gone."), a_trial(energy_j=5.0)]))
    assert (found.sizes.tolist(), found.deciding.tolist()) == ([1], [math.log(5.0)])


def test_each_benchmark_has_its_own_deciding_metric():
    benchmarks = [a_benchmark(trials=some_trials([100.0] * n, requests=4)) for n in (1, 2)]
    found = samples(benchmarks, [Metric.ENERGY_J, Metric.J_PER_REQUEST])
    np.testing.assert_allclose(np.exp(found.deciding), [100, 25, 25], rtol=1e-12)
    np.testing.assert_array_equal(found.logs([DECIDING])[:, 0], found.deciding)


def test_a_quantity_that_one_trial_lacks_lies_nowhere():
    trials = [*some_trials([100.0] * 3, **WORK), a_trial(requests=10)]
    other = a_benchmark(trials=some_trials([100.0] * 3, **WORK))
    places = taken(a_benchmark(trials=trials), other).places([DECIDING, Metric.J_PER_OUTPUT_TOKEN])
    np.testing.assert_allclose(np.exp(places.value), [[100, math.nan], [100, 5]], rtol=1e-12)


def test_counts_are_summed_over_each_sample_and_unknown_where_one_trial_lacks_them():
    whole = a_benchmark(trials=some_trials([100.0] * 3, **WORK))
    partly = a_benchmark(trials=[*some_trials([100.0], **WORK), a_trial(requests=1)])
    found = taken(whole, a_benchmark(trials=()), partly)
    np.testing.assert_array_equal(found.total("requests"), [30, 0, 11])
    np.testing.assert_array_equal(found.total("output_tokens"), [60, 0, math.nan])


def test_some_samples_are_taken_in_the_order_asked_for():
    found = taken(*(a_benchmark(trials=some_trials([float(n)] * n)) for n in (1, 2, 3))).take([2, 0])
    assert (found.sizes.tolist(), np.exp(found.deciding).round(9).tolist()) == ([3, 1], [3, 3, 3, 1])
    assert [len(each) for each in found.deciding_of_each()] == [3, 1]


def test_no_benchmarks_give_no_samples():
    found = samples([], [])
    assert (found.sizes.size, found.trials_of_each(), found.deciding_of_each()) == (0, [], [])
    assert found.places([DECIDING, "work:input_tokens"]).value.shape == (0, 2)
