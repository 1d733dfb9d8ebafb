import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from energygate.stats.multiplicity import adjust

STATSMODELS = {"bh": "fdr_bh", "holm": "holm"}


@pytest.mark.parametrize(
    ("p_values", "bh", "holm"),
    [
        (
            [0.0004, 0.011, 0.03, 0.2, 0.6, 0.0021],
            [0.0024, 0.022, 0.045, 0.24, 0.6, 0.0063],
            [0.0024, 0.044, 0.09, 0.4, 0.6, 0.0105],
        ),
        ([0.02] * 3, [0.02] * 3, [0.06] * 3),
        ([0.01, 0.01, 0.5], [0.015, 0.015, 0.5], [0.03, 0.03, 0.5]),
        ([0.04], [0.04], [0.04]),
        ([], [], []),
        ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_p_values_are_adjusted_in_their_own_order(p_values, bh, holm):
    np.testing.assert_allclose(adjust(p_values, "bh"), bh, rtol=1e-12)
    np.testing.assert_allclose(adjust(p_values, "holm"), holm, rtol=1e-12)


@pytest.mark.parametrize("method", ["bh", "holm"])
@pytest.mark.parametrize("m", [1, 2, 20, 200])
def test_adjusted_p_values_agree_with_statsmodels(m, method):
    p_values = np.random.default_rng(m).uniform(0, 1, m) ** 3
    expected = multipletests(p_values, method=STATSMODELS[method])[1]
    np.testing.assert_allclose(adjust(p_values, method), expected, rtol=1e-12)


@pytest.mark.parametrize("m", [1, 2, 20, 200])
def test_benjamini_hochberg_agrees_with_scipy_stats(m):
    p_values = np.random.default_rng(m).uniform(0, 1, m) ** 3
    np.testing.assert_allclose(adjust(p_values, "bh"), scipy.stats.false_discovery_control(p_values), rtol=1e-12)


@pytest.mark.parametrize("method", ["bh", "holm"])
def test_only_members_are_adjusted_for(method):
    p_values = np.array([0.5, 0.01, 0.0001, 0.03, 0.2])
    members = np.array([True, True, False, True, True])
    found = adjust(p_values, method, members=members)
    np.testing.assert_array_equal(found[members], adjust(p_values[members], method))
    assert np.isnan(found[2])


@pytest.mark.parametrize("method", ["bh", "holm"])
def test_many_families_are_adjusted_at_once(method):
    rng = np.random.default_rng(5)
    p_values, members = rng.uniform(0, 1, (4, 3, 20)) ** 3, rng.uniform(0, 1, (4, 3, 20)) < 0.7
    found = adjust(p_values, method, members=members)
    for place in np.ndindex(4, 3):
        np.testing.assert_array_equal(found[place], adjust(p_values[place], method, members=members[place]))


def test_a_family_without_members_is_empty():
    assert np.isnan(adjust([0.5, np.nan], "bh", members=np.zeros(2, dtype=bool))).all()


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
@pytest.mark.parametrize("method", ["bh", "holm"])
def test_what_is_not_a_probability_cannot_be_adjusted(method, bad):
    message = rf"a p-value lies in \[0, 1\], got {bad}: adjusting it would change all the others"
    with pytest.raises(ValueError, match=f"^{message}$"):
        adjust([0.5, bad], method)
