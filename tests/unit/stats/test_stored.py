import math
import re

import numpy as np
import pytest
import scipy.stats

from energygate.stats.location import Location, location, stack
from energygate.stats.stored import Prior, anchored, between_sessions, limit, stored

A, B, C, D = (
    location(np.log(trials))
    for trials in (
        [100.1, 99.8, 100.6, 100.2, 99.9],
        [101.3, 100.9, 101.6, 101.1, 101.8],
        [99.2, 98.9, 99.4, 99.6, 99.1],
        [100.7, 100.3, 100.9, 101.2, 100.5],
    )
)
HEAD = location(np.log([105.2, 104.6, 105.4, 105.9, 104.8]))
PRIOR = Prior()


def exactly_at(value, *, n=10):
    """A location whose trials were all equal."""
    return location(np.full(n, value))


# Each expected: log ratio, se, df, p, ratio_low, ratio_high. Computed independently with R 4 and limma.
@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        (
            (A, B, C, D),
            (
                0.04698385328600452,
                0.013222778788979457,
                5,
                0.008165528474360433,
                1.0205475677652873,
                1.0764067300022124,
            ),
        ),
        (
            (A, B, C),
            (
                0.048203763972570535,
                0.015046396005083217,
                4,
                0.016392890815826868,
                1.0162578974348946,
                1.0835908368061526,
            ),
        ),
        (
            (A, B),
            (0.04324289195610653, 0.01625225606192449, 3, 0.03814550414089662, 1.005007924753622, 1.0849027559304982),
        ),
        (
            (A,),
            (0.04929810218529873, 0.021279073014954342, 2, 0.07323023587968501, 0.9872455520871561, 1.1178784954530878),
        ),
    ],
    ids=["four", "three", "two", "one"],
)
def test_a_head_is_compared_with_stored_sessions(sessions, expected):
    found = stored(HEAD, stack(sessions), prior=PRIOR)
    log_ratio, se, df, p_value, *bounds = expected
    assert (found.log_ratio, found.se, found.df) == pytest.approx((log_ratio, se, df), rel=1e-12)
    assert found.p_value == pytest.approx(p_value, rel=1e-10)
    assert found.p_improved == pytest.approx(1 - p_value, rel=1e-10)
    assert found.interval() == pytest.approx(bounds, rel=1e-12)


def test_the_variance_between_sessions_is_their_sample_variance():
    assert between_sessions(stack((A, B, C, D))) == pytest.approx(7.96169446067316e-05, rel=1e-12)
    assert HEAD.variance == pytest.approx(4.730955154492723e-06, rel=1e-12)
    assert stack((A, B, C, D)).variance.mean() == pytest.approx(2.101784707256371e-06, rel=1e-12)


def test_one_session_shows_no_variance_between_sessions():
    assert between_sessions(stack([A])) == 0.0


@pytest.mark.parametrize("k", [2, 5, 10])
def test_with_hardly_any_prior_one_head_is_tested_like_one_new_value_by_students_t(k):
    values = np.random.default_rng(k).normal(4, 0.03, k)
    sessions = stack([exactly_at(value) for value in values])
    student = scipy.stats.ttest_ind([4.07], values, alternative="greater")
    found = stored(exactly_at(4.07), sessions, prior=Prior(weight=1e-12))
    assert (found.p_value, found.log_ratio / found.se) == pytest.approx((student.pvalue, student.statistic), rel=1e-9)


def test_a_noisier_head_than_the_sessions_widens_the_standard_error_by_its_excess():
    sessions = stack((A, B, C, D))
    noisy = Location(value=HEAD.value, variance=np.float64(4e-4), df=HEAD.df, n=HEAD.n)
    shrunk = 0.00013777016676403894
    expected = math.sqrt(shrunk * 1.25 + 4e-4 - sessions.variance.mean())
    assert stored(noisy, sessions, prior=PRIOR).se == pytest.approx(expected, rel=1e-12)


def test_noisy_sessions_widen_the_standard_error_even_where_their_means_agree():
    wide = Location(value=np.zeros(4), variance=np.full(4, 0.01), df=np.full(4, 9.0), n=np.full(4, 10))
    assert stored(exactly_at(0.0), wide, prior=PRIOR).se == pytest.approx(0.05, rel=1e-12)


def test_equal_values_everywhere_are_a_ratio_of_one_with_the_least_standard_error():
    sessions = stack([exactly_at(math.log(3.0))] * 5)
    found = stored(exactly_at(math.log(3.0)), sessions, prior=Prior(sd=1e-6))
    assert (found.log_ratio, found.p_value, found.p_improved) == (0.0, 0.5, 0.5)
    assert found.se == pytest.approx(0.002 * math.sqrt(1.2), rel=1e-12)


@pytest.mark.parametrize("single", [(True, True), (True, False), (False, True)])
def test_a_single_trial_on_either_side_gives_a_ratio_without_a_finite_interval(single):
    head, session = (exactly_at(1.0, n=1 if alone else 10) for alone in single)
    found = stored(head, stack([session, session]), prior=PRIOR)
    assert (found.log_ratio, found.se, found.df) == (0.0, np.inf, 3.0)
    assert (found.p_value, found.interval()) == (0.5, (0.0, np.inf))


def test_several_benchmarks_are_compared_at_once():
    heads = location(np.log([[105.2, 104.6, 105.4, 105.9, 104.8], [99.2, 98.9, 99.4, 99.6, 99.1]]))
    sessions = stack([location(np.stack([np.full(5, 4.6), np.full(5, 4.5)])), stack((A, B))])
    together = stored(heads, sessions, prior=PRIOR)
    assert together.log_ratio.shape == together.se.shape == together.df.shape == (2,)
    one = stored(C, stack([exactly_at(4.5, n=5), B]), prior=PRIOR)
    assert (together.log_ratio[1], together.se[1], together.df[1]) == pytest.approx(
        (one.log_ratio, one.se, one.df), rel=1e-12
    )


# Sessions vary by 1 %, trials within one by 1 %; the powers come from simulating the rule with other code.
@pytest.mark.parametrize(
    ("k", "power_5_percent", "power_10_percent"), [(1, 0.0, 0.0), (3, 0.33, 0.99), (5, 0.71, 1.0), (10, 0.91, 1.0)]
)
def test_alarms_are_rarer_than_nominal_and_more_sessions_find_more(k, power_5_percent, power_10_percent):
    rng = np.random.default_rng(20)
    logs = rng.normal(0, 0.01, (10_000, k + 1, 10)) + rng.normal(0, 0.01, (10_000, k + 1, 1))
    head, sessions = location(logs[:, 0]), location(logs[:, 1:])
    shares = []
    for change in (1.0, 1.05, 1.10):
        changed = Location(value=head.value + math.log(change), variance=head.variance, df=head.df, n=head.n)
        found = stored(changed, sessions, prior=PRIOR)
        shares.append(np.mean((found.p_value <= 0.01) & (found.ratio >= 1.03)))
    assert shares[0] <= 0.005
    assert shares[1:] == pytest.approx([power_5_percent, power_10_percent], abs=0.025)


# Bounds of the ratio to the limit, computed independently with R 4.
@pytest.mark.parametrize(
    ("log_limit", "low", "high"),
    [
        (math.log(100), 1.006716185913686, 1.098882000993616),
        (math.log(105), 0.9587773199177968, 1.0465542866605875),
    ],
)
def test_a_limit_without_sessions_is_judged_by_the_prior(log_limit, low, high):
    found = limit(HEAD, log_limit, None, prior=PRIOR)
    assert (found.log_ratio, found.se, found.df) == pytest.approx((HEAD.value - log_limit, 0.015, 2), rel=1e-12)
    assert found.interval() == pytest.approx((low, high), rel=1e-12)


def test_a_limit_well_above_the_head_bounds_it_below_one():
    assert limit(HEAD, math.log(112), None, prior=PRIOR).interval()[1] == pytest.approx(0.9811446437443009, rel=1e-12)


def test_sessions_sharpen_the_judgement_on_a_limit():
    found = limit(HEAD, math.log(100), stack((A, B, C, D)), prior=PRIOR)
    assert (found.se, found.df) == pytest.approx((0.01184902262683616, 5), rel=1e-12)
    assert found.interval() == pytest.approx((1.0269745633765834, 1.077205158005296), rel=1e-12)


def test_a_head_noisier_than_the_prior_is_known_no_better_than_its_own_trials_tell():
    noisy = Location(value=HEAD.value, variance=np.float64(4e-4), df=HEAD.df, n=HEAD.n)
    assert limit(noisy, math.log(100), None, prior=PRIOR).se == pytest.approx(0.02, rel=1e-12)


def test_equal_values_exactly_at_a_limit_keep_the_least_standard_error():
    found = limit(exactly_at(1.0), 1.0, None, prior=Prior(sd=1e-6))
    assert (found.log_ratio, found.se, found.p_value) == pytest.approx((0.0, 0.002, 0.5), rel=1e-12)


def test_several_limits_are_judged_at_once():
    heads = stack((HEAD, A))
    found = limit(heads, [math.log(100), math.log(105)], None, prior=PRIOR)
    np.testing.assert_allclose(found.log_ratio, [HEAD.value - math.log(100), A.value - math.log(105)], rtol=1e-12)
    np.testing.assert_array_equal(found.df, [2.0, 2.0])


# Computed independently with R 4.
def test_an_anchor_is_compared_with_its_own_sessions_and_the_window_tells_how_much_they_vary():
    found = anchored(HEAD, stack((A, B)), stack((C, D)), prior=PRIOR)
    assert (found.log_ratio, found.se, found.df) == pytest.approx(
        (0.04324289195610653, 0.015485384443323633, 4), rel=1e-12
    )
    assert found.interval() == pytest.approx((1.0102829346051292, 1.0792381321608238), rel=1e-12)


def test_an_anchor_without_a_window_is_compared_as_a_window_is():
    for sessions in ((A,), (A, B, C)):
        assert anchored(HEAD, stack(sessions), None, prior=PRIOR) == stored(HEAD, stack(sessions), prior=PRIOR)


def test_an_accepted_change_between_anchor_and_window_is_no_spread_of_sessions():
    moved = tuple(Location(value=s.value + 0.3, variance=s.variance, df=s.df, n=s.n) for s in (C, D))
    one, other = (anchored(HEAD, stack((A, B)), stack(window), prior=PRIOR) for window in ((C, D), moved))
    assert (other.log_ratio, other.se) == pytest.approx((one.log_ratio, one.se), rel=1e-9)


@pytest.mark.parametrize("shape", [(), (3, 0)])
def test_sessions_without_an_axis_of_their_own_are_refused(shape):
    nowhere = Location(value=np.ones(shape), variance=np.ones(shape), df=np.ones(shape), n=np.ones(shape, dtype=int))
    message = f"sessions lie on the last axis and there is at least one, got shape {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        stored(HEAD, nowhere, prior=PRIOR)


@pytest.mark.parametrize(("sd", "weight"), [(0.0, 2.0), (np.inf, 2.0), (0.015, 0.0), (np.nan, 2.0), (0.015, np.inf)])
def test_a_prior_that_says_nothing_is_refused(sd, weight):
    message = (
        f"a prior needs a positive, finite sd and weight, got {sd} and {weight}:"
        " without them a single session would have no standard error"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Prior(sd=sd, weight=weight)
