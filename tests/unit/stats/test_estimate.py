import re

import numpy as np
import pytest
import scipy.stats

from energygate.stats.estimate import Estimate


def test_ratio_p_values_and_interval_follow_from_students_t():
    found = Estimate(log_ratio=np.array([0.03, -0.01]), se=np.array([0.01, 0.02]), df=np.array([4.0, 9.0]))
    student = scipy.stats.t(found.df)
    np.testing.assert_allclose(found.ratio, np.exp([0.03, -0.01]), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, student.sf([3.0, -0.5]), rtol=1e-10)
    np.testing.assert_allclose(found.p_improved, student.cdf([3.0, -0.5]), rtol=1e-10)
    low, high = found.interval(0.99)
    np.testing.assert_allclose(low, np.exp(found.log_ratio - student.ppf(0.99) * found.se), rtol=1e-10)
    np.testing.assert_allclose(high, np.exp(found.log_ratio + student.ppf(0.99) * found.se), rtol=1e-10)


def test_the_interval_is_the_two_sided_ninety_percent_one_unless_told():
    found = Estimate(log_ratio=np.float64(0.03), se=np.float64(0.01), df=np.float64(4))
    assert np.log(found.interval()) == pytest.approx(scipy.stats.t.interval(0.90, 4, loc=0.03, scale=0.01), rel=1e-10)


def test_complete_separation_keeps_everything_finite_but_the_upper_bound():
    found = Estimate(log_ratio=np.float64(1400.0), se=np.float64(0.002), df=np.float64(200))
    assert (found.p_value, found.p_improved, found.ratio) == (0.0, 1.0, np.inf)


def test_an_unknown_spread_gives_an_interval_that_decides_nothing():
    found = Estimate(log_ratio=np.float64(0.5), se=np.float64(np.inf), df=np.float64(2))
    assert (found.p_value, found.p_improved, found.interval()) == (0.5, 0.5, (0.0, np.inf))


@pytest.mark.parametrize(("se", "df"), [(0.0, 2.0), (np.nan, 2.0), (0.01, 0.0)])
def test_an_estimate_without_a_standard_error_is_refused(se, df):
    message = f"an estimate needs se > 0 and df > 0, got {se} and {df}: no p-value follows from less"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Estimate(log_ratio=np.float64(0), se=np.float64(se), df=np.float64(df))
