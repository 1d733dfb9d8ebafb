import math
import re

import numpy as np
import pytest
import scipy.stats

from energygate.stats.location import location
from energygate.stats.paired import from_differences, paired

BASE = np.log([101.2, 100.4, 99.8, 100.9, 100.1, 103.9, 100.6, 99.5, 100.8, 100.3])
HEAD = np.log([104.9, 104.1, 103.2, 104.4, 103.6, 104.8, 109.9, 103.3, 104.7, 103.9])


# Computed independently with R 4.
def test_ten_blocks_are_compared_by_what_each_pair_differs():
    found = paired(BASE, HEAD)
    assert (found.log_ratio, found.se, found.df) == pytest.approx(
        (0.03559628569662088, 0.0007047649535770525, 7), rel=1e-12
    )
    assert found.log_ratio / found.se == pytest.approx(50.50802471937775, rel=1e-12)
    assert found.p_value == pytest.approx(1.5614210309566486e-10, rel=1e-10)
    assert found.ratio == pytest.approx(1.0362374181664467, rel=1e-12)
    assert found.interval() == pytest.approx((1.034854723496539, 1.0376219602884715), rel=1e-12)


def test_a_session_that_costs_more_on_both_sides_changes_nothing():
    drift = np.linspace(0, 0.5, 10)
    found, drifted = paired(BASE, HEAD), paired(BASE + drift, HEAD + drift)
    assert (drifted.log_ratio, drifted.se) == pytest.approx((found.log_ratio, found.se), rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 7])
def test_few_pairs_are_not_trimmed_and_give_students_paired_test(n):
    head = HEAD[:n] + np.linspace(-0.02, 0.03, n)
    expected = scipy.stats.ttest_rel(head, BASE[:n], alternative="greater")
    found = paired(BASE[:n], head)
    assert (found.p_value, found.df) == (pytest.approx(expected.pvalue, rel=1e-10), n - 1)


def test_trimming_finds_what_one_outlier_hides_from_students_test():
    assert scipy.stats.ttest_rel(HEAD, BASE, alternative="greater").pvalue == pytest.approx(8.43367011396e-05)
    assert paired(BASE, HEAD).p_value < 1e-9


def test_equal_differences_keep_the_least_standard_error():
    found = paired(np.full(10, math.log(3.0)), np.full(10, math.log(3.03)))
    assert (found.log_ratio, found.se) == pytest.approx((0.009950330853167877, 0.0006324555320336759), rel=1e-12)
    assert found.interval()[1] == pytest.approx(1.0112109444410189, rel=1e-12)
    same = paired(np.full(10, math.log(3.0)), np.full(10, math.log(3.0)))
    assert (same.log_ratio, same.p_value, same.p_improved) == (0.0, 0.5, 0.5)


def test_many_benchmarks_are_compared_at_once():
    found = paired(np.stack([BASE, HEAD]), np.stack([HEAD, BASE]))
    log_ratio = paired(BASE, HEAD).log_ratio
    np.testing.assert_allclose(found.log_ratio, [log_ratio, -log_ratio], rtol=1e-12)
    np.testing.assert_array_equal(found.df, [7, 7])


def test_located_differences_give_the_same_estimate():
    assert from_differences(location(HEAD - BASE)) == paired(BASE, HEAD)


def test_one_pair_has_no_spread():
    message = "a paired comparison needs two pairs at least, got 1"
    with pytest.raises(ValueError, match=f"^{message}$"):
        paired(BASE[:1], HEAD[:1])


def test_sides_of_unequal_length_are_no_pairs():
    message = "each pair has two sides, got shapes (10,) and (9,)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        paired(BASE, HEAD[:9])
