import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from energygate.stats.location import Location, at, df_of, each_of, location, locations, ragged_location, stack

TWENTY = np.log(
    [
        [50.3, 50.9, 49.8, 51.2, 50.1, 50.4, 58.9, 50.0, 49.7, 50.6],
        [50.2, 50.5, 49.9, 51.0, 50.7, 47.1, 50.3, 50.8, 50.1, 50.4],
    ]
).ravel()
CUT_BY_SIZE = {2: 0, 7: 0, 8: 1, 9: 1, 10: 1, 19: 1, 20: 2, 29: 2, 30: 3, 40: 4}


def sample(n):
    return np.random.default_rng(n).standard_t(3, n) * 0.02 + 4


def assert_equal(one, other):
    for field in ("value", "variance", "df", "n"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))


def test_the_location_of_twenty_logs_ignores_the_two_extremes_at_each_end():
    found = location(TWENTY)
    assert found.value == pytest.approx(3.91947151709367, rel=1e-12)
    assert found.variance == pytest.approx(5.49755512097116e-06, rel=1e-12)
    assert (found.df, found.n) == (15.0, 20)
    assert np.mean(TWENTY) == pytest.approx(3.92407014, rel=1e-8)


def test_the_location_of_ten_paired_differences_is_the_tabulated_one():
    base = [101.2, 100.4, 99.8, 100.9, 100.1, 103.9, 100.6, 99.5, 100.8, 100.3]
    head = [104.9, 104.1, 103.2, 104.4, 103.6, 104.8, 109.9, 103.3, 104.7, 103.9]
    found = location(np.log(head) - np.log(base))
    assert found.value == pytest.approx(0.03559628569662088, rel=1e-12)
    assert np.sqrt(found.variance) == pytest.approx(0.0007047649535770525, rel=1e-12)
    assert found.df == 7.0


@pytest.mark.parametrize(("n", "cut"), CUT_BY_SIZE.items())
def test_a_tenth_is_trimmed_at_each_end_from_eight_values_on(n, cut):
    found = location(sample(n))
    trimmed = scipy.stats.trim_mean(sample(n), (cut + 0.5) / n)
    assert found.value == pytest.approx(trimmed, rel=1e-12)
    assert (found.df, found.n) == (n - 2 * cut - 1, n)
    assert df_of(n) == found.df


@pytest.mark.parametrize(("n", "cut"), CUT_BY_SIZE.items())
def test_the_variance_is_the_one_in_yuens_trimmed_t_test(n, cut):
    one, other = sample(n), sample(n)[::-1] * 1.5
    yuen = scipy.stats.ttest_ind(one, other, trim=(cut + 0.5) / n, equal_var=False)
    a, b = location(one), location(other)
    assert (a.value - b.value) / np.sqrt(a.variance + b.variance) == pytest.approx(yuen.statistic, rel=1e-10)


def test_nothing_is_known_of_the_spread_of_a_single_value():
    expected = Location(value=np.float64(4.5), variance=np.float64(np.inf), df=np.float64(0), n=np.int64(1))
    assert location([4.5]) == expected
    assert_equal(
        location([[4.5], [3.5]]),
        Location(value=np.array([4.5, 3.5]), variance=np.array([np.inf] * 2), df=np.zeros(2), n=np.ones(2, dtype=int)),
    )


def test_equal_values_have_no_variance():
    expected = Location(value=np.float64(4.5), variance=np.float64(0), df=np.float64(4), n=np.int64(5))
    assert location([4.5] * 5) == expected


def test_one_sample_gives_scalars_and_leading_axes_are_kept():
    assert [type(field) for field in (location(TWENTY).value, location(TWENTY).variance)] == [np.float64] * 2
    assert [type(field) for field in (location(TWENTY).df, location(TWENTY).n)] == [np.float64, np.int64]
    grid = location(np.zeros((3, 4, 5)))
    assert {np.shape(field) for field in (grid.value, grid.variance, grid.df, grid.n)} == {(3, 4)}


def test_samples_of_unequal_size_come_back_in_order():
    series = [sample(12), sample(5), sample(1), sample(12) * 2, sample(5) + 1]
    found = locations(series)
    assert len(found) == 5
    for one, logs in zip(found, series, strict=True):
        assert_equal(one, location(logs))


def test_samples_of_unequal_size_stand_one_after_the_other():
    sizes = np.array([12, 5, 0, 1, 12])
    rows = [np.column_stack([sample(n) + i, np.ones(n)]) for i, n in enumerate(sizes)]
    found = ragged_location(np.concatenate(rows), sizes)
    for position in (0, 1, 3, 4):
        expected = stack(locations(list(rows[position].T)))
        np.testing.assert_allclose(found.value[position], expected.value, rtol=1e-12)
        np.testing.assert_allclose(found.variance[position], expected.variance, rtol=1e-12)
        assert_equal(replace(at(found, position), value=0, variance=0), replace(expected, value=0, variance=0))
    assert np.isnan(found.value[2]).all()
    assert (found.n[2].tolist(), found.df[2].tolist()) == ([0, 0], [0, 0])


def test_a_quantity_that_one_row_lacks_has_no_location_in_that_sample_alone():
    logs = np.column_stack([sample(10), sample(10)])
    logs[7, 1] = np.nan
    found = ragged_location(logs, np.array([5, 5]))
    np.testing.assert_array_equal(np.isnan(found.value), [[False, False], [False, True]])
    np.testing.assert_array_equal(np.isnan(found.variance), [[False, False], [False, True]])


def test_a_batch_is_taken_apart():
    batch = location(np.stack([sample(6), sample(6) + 1]))
    for one, logs in zip(each_of(batch), [sample(6), sample(6) + 1], strict=True):
        assert_equal(one, location(logs))


def test_no_samples_have_no_locations():
    assert locations([]) == ()


def test_sessions_of_several_benchmarks_are_stacked_on_the_last_axis():
    first, second, third = (location(np.stack([sample(n), sample(n) + 1])) for n in (5, 10, 20))
    joined = stack([first, second, third])
    assert joined.value.shape == joined.variance.shape == (2, 3)
    np.testing.assert_array_equal(joined.n, [[5, 10, 20], [5, 10, 20]])
    np.testing.assert_array_equal(joined.df, [[4, 7, 15], [4, 7, 15]])
    np.testing.assert_array_equal(joined.value[1], [first.value[1], second.value[1], third.value[1]])


def test_stacked_single_samples_are_the_sessions_of_one_benchmark():
    assert_equal(stack(locations([sample(6), sample(6) + 1])), location(np.stack([sample(6), sample(6) + 1])))


@pytest.mark.parametrize("logs", [[], np.zeros((3, 0))])
def test_no_values_have_no_location(logs):
    message = "a location needs at least one value, got none: compare only benchmarks with valid trials"
    with pytest.raises(ValueError, match=f"^{message}$"):
        location(logs)


@pytest.mark.parametrize(("bad", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_value_that_is_not_finite_has_no_location(bad, shown):
    message = f"a location needs finite logs, got {shown}: leave out trials whose energy or work is not positive"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        locations([[1.0, 2.0], [1.0, bad]])
