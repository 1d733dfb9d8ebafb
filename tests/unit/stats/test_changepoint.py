import numpy as np
import pytest

from energygate.stats.changepoint import best_segment, best_step, change_points
from energygate.stats.stored import Prior

PRIOR = Prior()
STEP = np.log([100.1, 99.6, 100.4, 99.9, 100.3, 100.0, 99.7, 100.2, 105.3, 105.0, 105.6, 105.1])
STRETCH = np.log([100.1, 99.6, 100.4, 99.9, 100.3, 106.2, 105.8, 106.4, 106.0, 99.8, 100.2, 100.0, 99.7, 100.3])
ODD = np.log([100.1, 99.6, 100.4, 99.9, 100.3, 120.0, 100.0, 99.7, 100.2, 100.1])


def points(series, **more):
    return change_points(series, **({"prior": PRIOR, "alpha": 0.001, "min_effect": 0.02} | more))


def where(series, **more):
    return [point.index for point in points(series, **more)]


def normal(seed, *shape, sd=0.015):
    return np.random.default_rng(seed).normal(0, sd, shape)


def test_a_step_is_found_at_its_first_value_with_its_size():
    (point,) = points(STEP)
    assert point.index == 8
    assert point.log_ratio == pytest.approx(0.05091941831332947, rel=1e-12)
    assert point.ratio == pytest.approx(1.0522381, rel=1e-7)


def test_the_best_step_is_tested_for_all_the_places_where_it_could_be():
    best = best_step(STEP, PRIOR)
    assert best.p_value == pytest.approx(2.858419489880016e-07, rel=1e-10)
    assert best.log_ratio == pytest.approx(0.05091941831332947, rel=1e-12)


def test_a_stretch_that_came_and_went_has_two_ends():
    up, down = points(STRETCH)
    assert (up.index, down.index) == (5, 9)
    assert up.log_ratio > 0 > down.log_ratio


def test_a_stretch_hides_from_the_search_for_steps_and_not_from_that_for_segments():
    assert best_step(STRETCH, PRIOR).p_value == pytest.approx(0.8157342125, rel=1e-9)
    assert best_segment(STRETCH, PRIOR).p_value == pytest.approx(1.0973475616671e-08, rel=1e-10)


def test_one_odd_value_changes_no_level():
    assert points(ODD) == ()


def test_a_fall_is_found_like_a_rise():
    assert [(point.index, round(point.log_ratio, 4)) for point in points(-STEP)] == [(8, -0.0509)]


def test_a_step_below_the_smallest_effect_is_none_however_certain():
    series = np.repeat([0.0, 0.015], 25)
    assert points(series) == ()
    assert where(series, min_effect=0.01) == [25]


def test_an_easier_level_finds_what_the_stricter_does_not():
    series = np.concatenate((np.zeros(8), [0.032, 0.032]))
    assert (where(series), where(series, alpha=0.01)) == ([], [8])


def test_several_steps_are_found_in_the_order_of_time():
    series = np.repeat([0.0, 0.1, 0.3, 0.2], 6) + normal(1, 24, sd=0.005)
    assert where(series) == [6, 12, 18]


@pytest.mark.parametrize("n", range(4))
def test_fewer_than_four_values_have_no_change(n):
    assert points(np.arange(n) * 9.0) == ()


def test_values_that_are_all_equal_have_no_change():
    assert points(np.full(50, np.log(100.0))) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match=f"change points need finite logs, got {value}"):
        points([0.0, 0.0, value, 0.0])


@pytest.mark.parametrize("alpha", [0, 1, -0.1])
def test_a_level_outside_0_and_1_is_refused(alpha):
    with pytest.raises(ValueError, match=r"change points need a level inside \(0, 1\)"):
        points(STEP, alpha=alpha)


@pytest.mark.parametrize("n", [10, 20, 50])
def test_series_without_a_change_rarely_show_one(n):
    alarms = sum(bool(points(series)) for series in normal(n, 1000, n))
    assert alarms <= 9  # 0.4 % is promised; a share of 0.4 % gives more than 9 of 1000 in fewer than 1 of 100 draws


def test_a_rise_in_the_middle_of_many_sessions_is_found():
    series = normal(2, 100, 38, sd=0.01)
    series[:, 15:23] += 0.08
    assert sum(bool(points(each)) for each in series) >= 98


def test_three_new_sessions_on_a_higher_level_are_enough():
    series = np.concatenate((normal(3, 200, 20, sd=0.01), 0.05 + normal(4, 200, 3, sd=0.01)), axis=1)
    assert sum(bool(points(each)) for each in series) >= 190
