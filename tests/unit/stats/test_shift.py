import math

import numpy as np
import pytest
import scipy.stats

from energygate.stats.estimate import Estimate
from energygate.stats.shift import canary_moved, common_shift


@pytest.mark.parametrize(
    ("percent", "median"),
    [
        pytest.param([4, 4, 4, 4, 4], 4, id="all up"),
        pytest.param([-4, 4, 5, 6, 7], 5, id="four of five up"),
        pytest.param([-4, -4, 5, 6, 7], None, id="three of five up"),
        pytest.param([2.9] * 5, None, id="a median below 3 %"),
        pytest.param([-10] * 6, -10, id="all down"),
        pytest.param([75] * 4, None, id="four benchmarks"),
        pytest.param([], None, id="no benchmark"),
    ],
)
def test_nearly_all_must_move_alike_by_three_percent(percent, median):
    found = common_shift(np.log1p(np.array(percent) / 100))
    assert math.isnan(found) if median is None else found == pytest.approx(math.log1p(median / 100), rel=1e-12)


def test_many_sessions_are_looked_at_at_once():
    found = common_shift(np.log([[1.75] * 5, [1.0] * 5]))
    assert found[0] == pytest.approx(math.log(1.75), rel=1e-12)
    assert math.isnan(found[1])


def moved(change, *, se=0.002, sessions=3):
    estimate = Estimate(log_ratio=np.log1p(change), se=np.float64(se), df=np.float64(5))
    return bool(canary_moved(estimate, sessions))


def test_a_canary_that_surely_moved_either_way_says_that_the_machine_did():
    assert moved(0.02)
    assert moved(-0.02)


@pytest.mark.parametrize(("closer_to_nothing", "expected"), [(0.999, True), (1.001, False)])
def test_a_canary_is_asked_both_ways_at_one_percent(closer_to_nothing, expected):
    se = closer_to_nothing * 0.03 / scipy.stats.t.ppf(0.995, 5)
    for log_ratio in (0.03, -0.03):
        estimate = Estimate(log_ratio=np.float64(log_ratio), se=np.float64(se), df=np.float64(5))
        assert canary_moved(estimate, 3) == expected


def test_a_canary_that_surely_costs_more_if_it_moved_at_all_need_not_have_moved():
    """Four stored sessions: p is 0.0082 of costing more, and 0.0163 of having moved either way."""
    found = Estimate(log_ratio=np.float64(0.04698385328600452), se=np.float64(0.013222778788979457), df=np.float64(5))
    assert 2 * found.p_value == pytest.approx(0.016331056948720866, rel=1e-10)
    assert not canary_moved(found, 4)


@pytest.mark.parametrize(
    "canary",
    [
        pytest.param({"change": 0.02, "se": 0.01}, id="not significant"),
        pytest.param({"change": 0.009, "se": 0.0001}, id="below 1 %"),
        pytest.param({"change": 0.5, "sessions": 2}, id="two sessions"),
    ],
)
def test_a_canary_that_may_not_have_moved_says_nothing(canary):
    assert not moved(**canary)
