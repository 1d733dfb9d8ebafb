import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energygate.stats.estimate import Estimate
from energygate.stats.location import Location, location, locations, stack
from energygate.stats.multiplicity import adjust
from energygate.stats.paired import paired
from energygate.stats.planning import (
    blocks_needed,
    detectable_paired,
    detectable_stored,
    noncentrality,
    precise_enough,
)
from energygate.stats.self_test import clopper_pearson
from energygate.stats.shift import common_shift
from energygate.stats.stored import Prior, anchored, between_sessions, limit, stored

PRIOR = Prior()
# Every positive float that is not subnormal has its log in here.
ANY_LOG = st.floats(-708, 709)
# Energies of one benchmark in the field: within a factor of e^4 of each other, anywhere.
FIELD_LOG = st.floats(-2, 2)
SHIFT = st.floats(-20, 20)


def law(*strategies):
    """Like `given`, but however slow the machine: the first example also pays for importing scipy."""
    return lambda test: settings(deadline=None)(given(*strategies)(test))


def trials(log, *, min_size=1):
    return st.lists(log, min_size=min_size, max_size=25)


def windows(log, *, min_size=1):
    return st.lists(trials(log, min_size=min_size), min_size=1, max_size=8)


def shifted(found, by):
    return Location(value=found.value + by, variance=found.variance, df=found.df, n=found.n)


def assert_close(one, other, *, tolerance):
    for field in one.__slots__:
        np.testing.assert_allclose(getattr(one, field), getattr(other, field), rtol=tolerance, atol=tolerance)


def row_of(batch, row):
    return Estimate(log_ratio=batch.log_ratio[row], se=batch.se[row], df=batch.df[row])


@law(st.data(), trials(ANY_LOG))
def test_the_order_of_trials_is_irrelevant(data, logs):
    assert location(data.draw(st.permutations(logs))) == location(logs)


@law(trials(ANY_LOG))
def test_a_location_lies_between_the_extremes(logs):
    slack = 1e-14 * max(map(abs, logs))
    assert min(logs) - slack <= location(logs).value <= max(logs) + slack


@law(trials(FIELD_LOG, min_size=8), st.floats(0, 100))
def test_raising_a_trimmed_value_changes_nothing_but_itself(logs, by):
    ordered = sorted(logs)
    cut = max(1, len(logs) // 10)
    for position in range(len(logs) - cut, len(logs)):
        raised = [*ordered[:position], ordered[position] + by, *ordered[position + 1 :]]
        assert location(raised) == location(logs)


@law(st.lists(trials(ANY_LOG), max_size=12))
def test_samples_located_together_are_located_as_if_alone(series):
    for together, logs in zip(locations(series), series, strict=True):
        assert_close(together, location(logs), tolerance=1e-12)


@law(trials(FIELD_LOG), windows(FIELD_LOG), SHIFT)
def test_scaling_every_energy_changes_nothing(logs, window, log_factor):
    plain = stored(location(logs), stack(locations(window)), prior=PRIOR)
    scaled_window = [np.add(session, log_factor) for session in window]
    scaled = stored(location(np.add(logs, log_factor)), stack(locations(scaled_window)), prior=PRIOR)
    assert_close(scaled, plain, tolerance=1e-9)
    np.testing.assert_allclose(scaled.p_value, plain.p_value, rtol=1e-7, atol=1e-9)


@law(st.data(), trials(FIELD_LOG), windows(FIELD_LOG))
def test_the_order_of_sessions_is_irrelevant(data, logs, window):
    sessions = locations(window)
    head = location(logs)
    other = stack(data.draw(st.permutations(sessions)))
    for test in (lambda k: stored(head, k, prior=PRIOR), lambda k: limit(head, 1.0, k, prior=PRIOR)):
        assert_close(test(other), test(stack(sessions)), tolerance=1e-12)


@law(st.integers(1, 8), st.data())
def test_benchmarks_compared_together_are_compared_as_if_alone(k, data):
    benchmarks = data.draw(
        st.lists(st.lists(trials(FIELD_LOG), min_size=k + 1, max_size=k + 1), min_size=1, max_size=5)
    )
    located = [locations(samples) for samples in benchmarks]
    heads = stack([head for head, *_ in located])
    sessions = stack([stack([one[position] for one in located]) for position in range(1, k + 1)])
    together = stored(heads, sessions, prior=PRIOR)
    limits = limit(heads, 0.5, sessions, prior=PRIOR)
    anchors = anchored(heads, sessions, sessions, prior=PRIOR)
    for row, (head, *own) in enumerate(located):
        alone = stored(head, stack(own), prior=PRIOR)
        assert_close(row_of(together, row), alone, tolerance=1e-12)
        alone = limit(head, 0.5, stack(own), prior=PRIOR)
        assert_close(row_of(limits, row), alone, tolerance=1e-12)
        alone = anchored(head, stack(own), stack(own), prior=PRIOR)
        assert_close(row_of(anchors, row), alone, tolerance=1e-12)


@law(trials(ANY_LOG), st.integers(1, 8))
def test_a_head_equal_to_every_session_shows_no_difference(logs, k):
    same = location(logs)
    found = stored(same, stack([same] * k), prior=PRIOR)
    assert (found.log_ratio, found.p_value, found.p_improved) == (0.0, 0.5, 0.5)


@law(trials(FIELD_LOG), windows(FIELD_LOG), st.floats(0, 5))
def test_a_larger_head_raises_the_estimate_by_as_much_and_never_the_p_value(logs, window, by):
    head, sessions = location(logs), stack(locations(window))
    for test in (
        lambda one: stored(one, sessions, prior=PRIOR),
        lambda one: limit(one, 0.3, sessions, prior=PRIOR),
        lambda one: limit(one, 0.3, None, prior=PRIOR),
        lambda one: anchored(one, sessions, sessions, prior=PRIOR),
    ):
        before, after = test(head), test(shifted(head, by))
        np.testing.assert_allclose(after.log_ratio, before.log_ratio + by, rtol=1e-9, atol=1e-12)
        assert (after.se, after.df) == (before.se, before.df)
        assert after.p_value <= before.p_value * (1 + 1e-9)


@law(trials(ANY_LOG), windows(ANY_LOG), ANY_LOG)
def test_finite_positive_energies_always_give_a_bounded_and_ordered_answer(logs, window, log_limit):
    head, sessions = location(logs), stack(locations(window))
    k = len(window)
    for found, floor in (
        (stored(head, sessions, prior=PRIOR), 0.002 * math.sqrt(1 + 1 / k)),
        (limit(head, log_limit, sessions, prior=PRIOR), 0.002),
        (limit(head, log_limit, None, prior=PRIOR), 0.002),
        (anchored(head, sessions, None, prior=PRIOR), 0.002 * math.sqrt(1 + 1 / k)),
        (anchored(head, sessions, sessions, prior=PRIOR), 0.002 * math.sqrt(1 + 1 / k)),
    ):
        low, high = found.interval()
        assert 0 <= low <= found.ratio <= high <= np.inf
        assert found.se >= floor
        assert found.df >= 2
        assert 0 <= found.p_value <= 1
        assert 0 <= found.p_improved <= 1
        assert detectable_stored(found, between_sessions(sessions), k, false_alarms=0.05) >= 1


@law(trials(FIELD_LOG, min_size=2), windows(FIELD_LOG, min_size=2))
def test_a_more_confident_interval_contains_the_less_confident(logs, window):
    found = stored(location(logs), stack(locations(window)), prior=PRIOR)
    low, high = found.interval(0.95)
    wide_low, wide_high = found.interval(0.99)
    assert wide_low < low < high < wide_high


@law(trials(FIELD_LOG, min_size=2), windows(FIELD_LOG, min_size=2), st.floats(0.001, 0.4))
def test_the_lower_bound_passes_one_exactly_where_the_p_value_passes_the_level(logs, window, level):
    found = stored(location(logs), stack(locations(window)), prior=PRIOR)
    assume(abs(found.p_value - level) > 1e-9)
    assert (found.interval(1 - level)[0] > 1) == (found.p_value < level)


P_VALUES = st.lists(st.floats(0, 1), max_size=30)


@law(P_VALUES)
def test_adjusted_p_values_are_no_smaller_and_keep_the_order(p_values):
    plain = np.array(p_values)
    order = np.argsort(plain)
    bh, holm = adjust(plain, "bh"), adjust(plain, "holm")
    assert np.all((plain <= bh) & (bh <= holm) & (holm <= 1))
    assert np.all(np.diff(bh[order]) >= 0)
    assert np.all(np.diff(holm[order]) >= 0)


@law(st.data(), P_VALUES, st.sampled_from(["bh", "holm"]))
def test_the_order_of_benchmarks_is_irrelevant(data, p_values, method):
    order = data.draw(st.permutations(range(len(p_values))))
    plain = np.array(p_values)
    np.testing.assert_array_equal(adjust(plain[list(order)], method), adjust(plain, method)[list(order)])


def blocks(log, *, min_size=2):
    return st.lists(st.tuples(log, log), min_size=min_size, max_size=40).map(lambda pairs: np.array(pairs).T)


@law(st.data(), blocks(FIELD_LOG))
def test_the_order_of_blocks_is_irrelevant(data, pairs):
    order = data.draw(st.permutations(range(pairs.shape[1])))
    assert_close(paired(*pairs[:, order]), paired(*pairs), tolerance=1e-12)


@law(blocks(FIELD_LOG), SHIFT)
def test_scaling_every_energy_of_pairs_changes_nothing(pairs, log_factor):
    plain, scaled = paired(*pairs), paired(*(pairs + log_factor))
    assert_close(scaled, plain, tolerance=1e-9)
    np.testing.assert_allclose(scaled.p_value, plain.p_value, rtol=1e-6, atol=1e-9)


@law(blocks(ANY_LOG))
def test_swapping_the_sides_of_pairs_mirrors_the_result(pairs):
    base, head = pairs
    one, other = paired(base, head), paired(head, base)
    np.testing.assert_allclose(other.log_ratio, -one.log_ratio, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(other.se, one.se, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([other.p_value, other.p_improved], [one.p_improved, one.p_value], rtol=1e-6, atol=1e-12)


@law(st.lists(ANY_LOG, min_size=2, max_size=40))
def test_identical_sides_show_no_difference(logs):
    found = paired(logs, logs)
    assert (found.log_ratio, found.p_value, found.p_improved) == (0.0, 0.5, 0.5)
    assert found.se == pytest.approx(0.002 / math.sqrt(len(logs)), rel=1e-12)


@law(blocks(FIELD_LOG), st.floats(-5, 5))
def test_a_larger_head_raises_the_paired_estimate_by_as_much_and_changes_neither_error_nor_stop(pairs, by):
    base, head = pairs
    before, after = paired(base, head), paired(base, head + by)
    np.testing.assert_allclose(after.log_ratio, before.log_ratio + by, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(after.se, before.se, rtol=1e-9, atol=1e-12)
    stops = [precise_enough(each.se, each.df, level=0.01, budget=0.05) for each in (before, after)]
    on_the_edge = precise_enough(before.se * 1.000001, before.df, level=0.01, budget=0.05) != precise_enough(
        before.se * 0.999999, before.df, level=0.01, budget=0.05
    )
    assert stops[0] == stops[1] or on_the_edge


@law(blocks(ANY_LOG))
def test_finite_pairs_always_give_a_bounded_and_ordered_answer(pairs):
    found = paired(*pairs)
    low, high = found.interval()
    assert 0 <= low <= found.ratio <= high <= np.inf
    assert found.se >= 0.002 / math.sqrt(pairs.shape[1]) * (1 - 1e-12)
    assert found.df >= (2 if pairs.shape[1] >= 5 else 1)  # with fewer than five nothing is judged
    assert 0 <= found.p_value <= 1
    assert 0 <= found.p_improved <= 1
    assert detectable_paired(found, level=0.01, budget=0.05, min_effect=0.02) >= 1


@law(st.lists(blocks(FIELD_LOG, min_size=10).map(lambda pairs: pairs[:, :10]), min_size=1, max_size=5))
def test_benchmarks_paired_together_are_paired_as_if_alone(benchmarks):
    together = paired(np.stack([pairs[0] for pairs in benchmarks]), np.stack([pairs[1] for pairs in benchmarks]))
    for row, pairs in enumerate(benchmarks):
        assert_close(row_of(together, row), paired(*pairs), tolerance=1e-12)


@law(trials(FIELD_LOG), windows(FIELD_LOG), windows(FIELD_LOG), SHIFT)
def test_moving_a_window_against_its_anchor_changes_nothing_that_the_anchor_says(logs, anchor, window, by):
    head, pinned = location(logs), stack(locations(anchor))
    plain, moved = (
        anchored(head, pinned, shifted(stack(locations(window)), offset), prior=PRIOR) for offset in (0.0, by)
    )
    assert_close(moved, plain, tolerance=1e-9)
    assert plain.df == 2 + len(anchor) - 1 + len(window) - 1


@law(st.floats(1e-4, 0.5), st.floats(0.02, 0.3), st.floats(0.02, 0.3), st.floats(1e-5, 0.05), st.floats(1e-5, 0.05))
def test_a_larger_effect_or_a_laxer_level_never_needs_more_blocks(se, one, other, strict, lax):
    def needed(effect, level):
        return blocks_needed(se, blocks=10, effect=effect, level=level, min_effect=0.02) or 1000

    assert needed(max(one, other), 0.01) <= needed(min(one, other), 0.01)
    assert needed(one, max(strict, lax)) <= needed(one, min(strict, lax))


@law(st.floats(2, 100), st.floats(1e-6, 0.2), st.floats(0.5, 0.99))
def test_the_effect_that_is_found_exceeds_what_is_significant_in_half_of_the_cases(df, level, power):
    assert noncentrality(df, level=level, power=power) >= noncentrality(df, level=level, power=0.5) > 0


@law(st.integers(0, 50), st.integers(1, 50))
def test_the_bounds_of_a_share_enclose_it(found, of):
    assume(found <= of)
    low, high = clopper_pearson(found, of)
    assert 0 <= low <= found / of <= high <= 1
    assert clopper_pearson(of - found, of) == (pytest.approx(1 - high), pytest.approx(1 - low))


@law(st.lists(FIELD_LOG, max_size=12))
def test_a_common_shift_is_mirrored_with_its_session(ratios):
    nonzero = [ratio or 1e-9 for ratio in ratios]
    np.testing.assert_array_equal(common_shift(np.negative(nonzero)), -common_shift(nonzero))
