import math
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats

from energygate.stats.distributions import (
    beta_quantile,
    chi_square_quantile,
    normal_quantile,
    t_cdf,
    t_power,
    t_quantile,
)

DF = np.array([2.0, 3.0, 5.5, 7.0, 29.0])


@pytest.mark.parametrize("t", [-60.0, -3.0, -0.1, 0.0, 0.1, 3.0])
def test_the_t_distribution_agrees_with_scipy_stats(t):
    np.testing.assert_allclose(t_cdf(DF, t), scipy.stats.t.cdf(t, DF), rtol=1e-10)


@pytest.mark.parametrize("q", [1e-6, 0.05, 0.5, 0.95, 0.9999])
def test_the_t_quantile_agrees_with_scipy_stats(q):
    np.testing.assert_allclose(t_quantile(DF, q), scipy.stats.t.ppf(q, DF), rtol=1e-10, atol=1e-15)


def test_the_one_percent_quantile_of_five_degrees_of_freedom_is_the_tabulated_one():
    assert t_quantile(5, 0.99) == pytest.approx(3.3649299989072174, rel=1e-10)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9])
def test_the_normal_quantile_agrees_with_scipy_stats(q):
    assert normal_quantile(q) == pytest.approx(scipy.stats.norm.ppf(q), rel=1e-12)


@pytest.mark.parametrize("q", [-0.1, 0.0, 1.0, 1.1, math.nan])
@pytest.mark.parametrize(
    "quantile",
    [
        normal_quantile,
        lambda q: t_quantile(5, q),
        lambda q: beta_quantile(2, 3, q),
        lambda q: chi_square_quantile(5, q),
    ],
)
def test_a_probability_that_no_finite_value_answers_is_refused(quantile, q):
    message = f"a quantile needs a probability inside (0, 1), got {q}: at 0 and 1 no finite value answers it"
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        quantile(q)


@pytest.mark.parametrize("q", [0.025, 0.5, 0.975])
def test_beta_and_chi_square_quantiles_agree_with_scipy_stats(q):
    np.testing.assert_allclose(beta_quantile(DF, 3, q), scipy.stats.beta.ppf(q, DF, 3), rtol=1e-10)
    np.testing.assert_allclose(chi_square_quantile(DF, q), scipy.stats.chi2.ppf(q, DF), rtol=1e-10)


@pytest.mark.parametrize("noncentrality", [0.0, 1.0, 3.0, 6.0])
def test_the_power_of_the_t_test_agrees_with_scipy_stats(noncentrality):
    found = t_power(DF, noncentrality, t_quantile(DF, 0.99))
    expected = scipy.stats.nct.sf(scipy.stats.t.ppf(0.99, DF), DF, noncentrality)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_an_effect_far_above_the_critical_value_is_found_for_sure():
    assert t_power(7, 50, 2.998) == 1
    assert not np.isnan(t_power(np.array([2.0, 7.0, 200.0]), 1e4, 3.0)).any()


def test_the_package_loads_scipy_special_only_when_asked_and_never_scipy_stats():
    program = """
import sys
from energygate.stats import distributions, estimate, location, multiplicity, outliers, paired, planning
from energygate.stats import self_test, shift, stored
print([name for name in sys.modules if name.startswith("scipy")])
distributions.t_quantile(5, 0.95)
print("scipy.special" in sys.modules, "scipy.stats" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue False\n"
