import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from energygate.stats.changepoint import all_change_points, change_points
from energygate.stats.stored import Prior

LEVELS = st.lists(st.floats(-2, 2), max_size=50)
ANY_LOGS = st.lists(st.floats(-708, 709), max_size=50)


def found(series):
    return change_points(series, prior=Prior(), alpha=0.001, min_effect=0.02)


def law(*strategies):
    """Like `given`, but however slow the machine: the first example also pays for importing scipy."""
    return lambda test: settings(deadline=None)(given(*strategies)(test))


@law(ANY_LOGS)
def test_points_lie_inside_in_order_and_each_is_as_certain_and_as_large_as_was_asked(series):
    points = found(series)
    places = [point.index for point in points]
    assert places == sorted(set(places))
    assert all(0 < place < len(series) for place in places)
    assert all(0 <= point.p_value <= 0.001 and abs(point.log_ratio) >= np.log1p(0.02) for point in points)


def with_a_step(noise, place, size):
    return [level + (size if position >= place else 0.0) for position, level in enumerate(noise)]


# Of two lengths, so that some are looked at together; some of them change.
NOISE = st.sampled_from([6, 12]).flatmap(lambda n: st.lists(st.floats(-0.01, 0.01), min_size=n, max_size=n))
STEPPED = st.builds(with_a_step, NOISE, st.integers(0, 12), st.floats(-0.3, 0.3))


@law(st.lists(st.one_of(LEVELS, STEPPED), max_size=8))
def test_series_searched_together_are_searched_as_if_alone(series):
    together = all_change_points(series, prior=Prior(), alpha=0.001, min_effect=0.02)
    alone = [found(each) for each in series]
    assert [[point.index for point in each] for each in together] == [[point.index for point in each] for each in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose([p.log_ratio for p in one], [p.log_ratio for p in other], rtol=1e-12)
        np.testing.assert_allclose([p.p_value for p in one], [p.p_value for p in other], rtol=1e-9, atol=1e-300)


@law(LEVELS, st.floats(-20, 20))
def test_scaling_every_session_moves_no_point(series, log_factor):
    plain, scaled = found(series), found(np.add(series, log_factor))
    assert [point.index for point in scaled] == [point.index for point in plain]


@law(LEVELS)
def test_a_mirrored_series_has_the_same_points_the_other_way_round(series):
    up, down = found(series), found(np.negative(series))
    assert [point.index for point in up] == [point.index for point in down]
    np.testing.assert_allclose([p.log_ratio for p in up], [-p.log_ratio for p in down], atol=1e-12)


@law(st.floats(-708, 709), st.integers(0, 50))
def test_equal_sessions_never_change(level, count):
    assert found([level] * count) == ()
