import math

import numpy as np
import pytest
import scipy.stats

from energygate.stats.estimate import Estimate
from energygate.stats.paired import paired
from energygate.stats.planning import (
    blocks_needed,
    detectable_paired,
    detectable_stored,
    family_level,
    noncentrality,
    precise_enough,
)

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


# Base and head of 22 blocks.
PAIRS = np.log(
    [
        (49.83, 55.23), (52.38, 55.44), (51.47, 53.86), (50.34, 53.86), (47.92, 52.35), (47.21, 53.45),
        (51.81, 52.15), (51.25, 54.52), (47.1, 52.19), (50.95, 50.5), (46.54, 50.94), (51.52, 51.65),
        (51.07, 54.9), (51.47, 50.22), (49.34, 54.5), (51.05, 52.8), (49.61, 52.15), (47.93, 53.92),
        (50.83, 56.97), (50.72, 53.4), (50.26, 53.1), (50.38, 53.35),
    ]
).T  # fmt: skip


def test_a_single_test_is_never_laxer_than_one_percent_and_shares_the_level_of_its_family():
    assert [family_level(0.05, queued=m) for m in (0, 1, 5, 20, 200)] == [0.01, 0.01, 0.01, 0.0025, 0.00025]
    assert family_level(0.001, queued=1) == 0.001


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            0.01,
            (10.7364723099, 6.86300271640, 5.06784389774, 4.53275954439, 4.28189461392, 3.97786421266, 3.83848231746),
        ),
        (
            0.0025,
            (21.4631352713, 10.9529049682, 6.86039194149, 5.77093872492, 5.28666131560, 4.72607279482, 4.47975845404),
        ),
    ],
)
def test_the_effect_that_is_found_nine_times_in_ten_agrees_with_r(level, expected):
    np.testing.assert_allclose(noncentrality([2, 3, 5, 7, 9, 15, 23], level=level), expected, rtol=1e-10)


@pytest.mark.parametrize(("level", "power"), [(0.2, 0.5), (0.01, 0.9), (1e-5, 0.99), (1e-6, 0.9)])
@pytest.mark.parametrize("df", [2.0, 7.0, 200.0])
def test_the_effect_has_the_power_that_was_asked_for(df, level, power):
    found = noncentrality(df, level=level, power=power)
    assert np.shape(found) == ()
    reached = scipy.stats.nct.sf(scipy.stats.t.ppf(1 - level, df), df, found)
    assert reached == pytest.approx(power, rel=1e-6)


@pytest.mark.parametrize(
    ("queued", "stops", "log_ratio", "se", "df", "p_value"),
    [
        (1, 16, 0.058681777355278096, 0.011821377868182643, 13, 1.2945686196e-04),
        (5, 16, 0.058681777355278096, 0.011821377868182643, 13, 1.2945686196e-04),
        (20, 22, 0.06434020457341963, 0.0098310936974153, 17, 2.50107329878e-06),
    ],
)
def test_blocks_are_measured_until_the_budget_would_be_found(queued, stops, log_ratio, se, df, p_value):
    base, head = PAIRS
    level = family_level(0.05, queued=queued)
    looks = {n: paired(base[:n], head[:n]) for n in range(10, 23, 2)}
    precise = [n for n, found in looks.items() if precise_enough(found.se, found.df, level=level, budget=0.05)]
    found = looks[precise[0]]
    assert (precise[0], found.df) == (stops, df)
    assert (found.log_ratio, found.se) == pytest.approx((log_ratio, se), rel=1e-12)
    assert found.p_value == pytest.approx(p_value, rel=1e-10)


def is_found_from(log_increase, found, *, level, within):
    """Whether blocks are precise enough for an increase from that one on, and not for a smaller one."""
    budgets = np.expm1([log_increase - within, log_increase + within])
    return precise_enough(found.se, found.df, level=level, budget=budgets).tolist() == [False, True]


@pytest.mark.parametrize(
    ("blocks", "of_few", "of_twenty"),
    [
        (10, 0.06495, 0.08013),
        (12, 0.05773, 0.06965),
        (14, 0.05396, 0.06425),
        (16, 0.04729, 0.05583),
        (18, 0.04443, 0.05213),
        (20, 0.04369, 0.05126),
        (22, 0.03834, 0.04479),
    ],
)
def test_more_blocks_find_smaller_increases_and_those_of_a_longer_queue_larger_ones(blocks, of_few, of_twenty):
    base, head = PAIRS
    found = paired(base[:blocks], head[:blocks])
    assert is_found_from(of_few, found, level=0.01, within=5e-6)
    assert is_found_from(of_twenty, found, level=0.0025, within=5e-6)


def test_each_benchmark_stops_by_its_own_budget():
    precise = precise_enough([0.012, 0.012], [7, 7], level=0.01, budget=[0.05, 0.10])
    assert precise.tolist() == [False, True]


def test_ten_precise_blocks_detect_an_increase_just_below_the_budget():
    base = np.log([101.2, 100.4, 99.8, 100.9, 100.1, 103.9, 100.6, 99.5, 100.8, 100.3])
    head = np.log([104.9, 104.1, 103.2, 104.4, 103.6, 104.8, 109.9, 103.3, 104.7, 103.9])
    found = detectable_paired(paired(base, head), level=0.01, budget=0.05, min_effect=0.02)
    assert found == pytest.approx(1.0496451139900858, rel=1e-12)
    assert is_found_from(0.003110039993036021, paired(base, head), level=0.01, within=1e-14)


@pytest.mark.parametrize(
    ("se", "log_detectable"),
    [
        pytest.param(0.02, 4.53275954439 * 0.02, id="must be significant"),
        pytest.param(1e-5, math.log(1.05) + (1.4149239277 - 1.8945786051) * 1e-5, id="must break the budget"),
    ],
)
def test_what_can_fail_is_limited_by_the_hardest_of_the_conditions(se, log_detectable):
    precision = Estimate(log_ratio=np.float64(0.7), se=np.float64(se), df=np.float64(7))
    found = detectable_paired(precision, level=0.01, budget=0.05, min_effect=0.02)
    assert math.log(found) == pytest.approx(log_detectable, rel=1e-8)


def test_what_can_fail_is_estimated_at_min_effect_or_more():
    precision = Estimate(log_ratio=np.float64(0.0), se=np.float64(0.001), df=np.float64(7))
    found = detectable_paired(precision, level=0.2, budget=0.02, min_effect=0.02, confidence=0.99)
    assert math.log(found) == pytest.approx(math.log(1.02) + scipy.stats.t.ppf(0.9, 7) * 0.001, rel=1e-10)


@pytest.mark.parametrize(
    ("trial_sd", "expected"),
    [
        (0.01, ((10, 10, 14), (10, 10, 10), (10, 10, 10))),
        (0.02, ((18, 22, 32), (10, 12, 16), (10, 10, 10))),
        (0.03, ((36, 44, 60), (16, 20, 26), (10, 10, 12))),
        (0.05, ((98, 112, 152), (34, 44, 62), (12, 16, 22))),
    ],
)
def test_the_blocks_needed_grow_with_noise_and_the_length_of_the_queue(trial_sd, expected):
    pilot = 1.05 * trial_sd * math.sqrt(2 / 10)
    needed = tuple(
        tuple(
            blocks_needed(pilot, blocks=10, effect=effect, level=level, min_effect=0.02)
            for level in (0.01, 0.0025, 0.00025)
        )
        for effect in (0.03, 0.05, 0.10)
    )
    assert needed == expected


def test_more_than_four_hundred_blocks_are_not_the_way():
    assert blocks_needed(0.2, blocks=10, effect=0.03, level=0.01, min_effect=0.02) is None


def test_an_effect_that_may_not_fail_needs_no_number_of_blocks():
    assert blocks_needed(0.01, blocks=10, effect=0.01, level=0.01, min_effect=0.02) is None


def test_the_fewest_blocks_are_even():
    assert blocks_needed(1e-4, blocks=10, effect=0.05, level=0.01, min_effect=0.02, least=7) == 8
