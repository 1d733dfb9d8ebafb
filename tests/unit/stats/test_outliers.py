import numpy as np
import pytest

from energygate.stats.location import location
from energygate.stats.outliers import has_tail, outlying

STEADY = np.log([100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 100.0, 99.7, 100.4, 100.5])


@pytest.mark.parametrize("factor", [1000.0, 1 / 1000, 1.05])
def test_a_value_far_from_the_others_stands_apart(factor):
    logs = STEADY.copy()
    logs[3] += np.log(factor)
    np.testing.assert_array_equal(np.flatnonzero(outlying(logs)), [3])


def test_steady_values_do_not():
    assert not outlying(STEADY).any()


def test_equal_values_and_counter_steps_do_not():
    assert not outlying(np.full(10, 4.6)).any()
    assert not outlying([4.6] * 9 + [4.604]).any()
    assert outlying([4.6] * 9 + [4.606]).sum() == 1


def test_many_benchmarks_are_looked_at_at_once():
    odd = STEADY.copy()
    odd[0] += 1
    np.testing.assert_array_equal(outlying(np.stack([STEADY, odd])).sum(axis=-1), [0, 1])


def test_rare_costly_trials_pull_the_plain_mean_away_from_the_trimmed_one():
    rare = np.concatenate([STEADY, STEADY])
    assert not has_tail(rare, location(rare))
    rare[:2] += 0.5
    assert has_tail(rare, location(rare))
