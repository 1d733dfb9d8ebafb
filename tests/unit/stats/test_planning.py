import math

import numpy as np
import pytest
import scipy.stats

from energygate.stats.estimate import Estimate
from energygate.stats.planning import detectable_stored

ESTIMATE = Estimate(log_ratio=np.float64(0.04), se=np.float64(0.0132), df=np.float64(5))


@pytest.mark.parametrize(("false_alarms", "power"), [(0.01, 0.90), (0.05, 0.80)])
def test_what_fails_nine_times_in_ten_lies_above_the_significant_by_the_spread_of_a_new_session(false_alarms, power):
    significant = scipy.stats.t.ppf(1 - false_alarms, 5) * 0.0132
    hidden = scipy.stats.norm.ppf(power) * math.sqrt(8e-5 * 1.25)
    found = detectable_stored(ESTIMATE, np.float64(8e-5), 4, false_alarms=false_alarms, power=power)
    assert found == pytest.approx(math.exp(significant + hidden), rel=1e-10)


def test_nine_times_in_ten_is_meant_unless_told():
    unsaid = detectable_stored(ESTIMATE, np.float64(8e-5), 4, false_alarms=0.01)
    assert unsaid == detectable_stored(ESTIMATE, np.float64(8e-5), 4, false_alarms=0.01, power=0.90)
    assert unsaid == pytest.approx(math.exp(3.3649299989072174 * 0.0132 + 1.2815515655446004 * 0.01), rel=1e-10)


def test_several_benchmarks_are_planned_at_once():
    both = Estimate(log_ratio=np.zeros(2), se=np.array([0.0132, 0.02]), df=np.array([5.0, 5.0]))
    found = detectable_stored(both, np.array([8e-5, 1e-4]), 4, false_alarms=0.01)
    assert found[0] == pytest.approx(detectable_stored(ESTIMATE, np.float64(8e-5), 4, false_alarms=0.01), rel=1e-12)
    assert found[1] > found[0]


def test_an_unknown_spread_can_detect_nothing():
    unknown = Estimate(log_ratio=np.float64(0), se=np.float64(np.inf), df=np.float64(3))
    assert detectable_stored(unknown, np.float64(0), 2, false_alarms=0.01) == np.inf
