import math
import re

import pytest
import scipy.stats

from energygate.stats.self_test import clopper_pearson, session_sd_bound


# Computed independently with R 4.
@pytest.mark.parametrize(
    ("found", "of", "bounds"),
    [
        (3, 132, (0.004711659031655993, 0.06498149536917237)),
        (0, 84, (0.0, 0.04296491962956506)),
    ],
)
def test_a_share_has_exact_bounds(found, of, bounds):
    assert clopper_pearson(found, of) == pytest.approx(bounds, rel=1e-10)


@pytest.mark.parametrize(("found", "of"), [(0, 1), (1, 1), (5, 20), (20, 20)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bounds_agree_with_scipy_stats(found, of, confidence):
    expected = scipy.stats.binomtest(found, of).proportion_ci(confidence, method="exact")
    assert clopper_pearson(found, of, confidence=confidence) == pytest.approx((expected.low, expected.high), rel=1e-10)


@pytest.mark.parametrize(("found", "of"), [(0, 0), (-1, 3), (4, 3)])
def test_what_is_no_count_has_no_share(found, of):
    message = f"a share needs a count of at least one and no more found than there are, got {found} of {of}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        clopper_pearson(found, of)


@pytest.mark.parametrize("df", [1, 3, 9, 49])
def test_the_spread_to_set_is_a_bound_by_chi_square(df):
    expected = 0.01 * math.sqrt(df / scipy.stats.chi2.ppf(0.2, df))
    assert session_sd_bound(0.01, df) == pytest.approx(expected, rel=1e-10)


def test_one_session_bounds_no_spread():
    message = "the spread of sessions needs two of them at least, got 0.0 degrees of freedom"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        session_sd_bound(0.01, 0)
