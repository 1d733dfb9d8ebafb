import datetime as dt
import math

import numpy as np
import pytest
from fakes import NAME, a_benchmark, a_run, some_trials

from energygate.history.plan import Aim, plan
from energygate.history.window import WindowRules, windows
from energygate.model import Baseline
from energygate.stats.stored import Prior

# A trimmed mean of normal values is known 5 % less well than their mean.
TRIMMED = 1.05


def spread(n, sd):
    """Logs with exactly this standard deviation, so that nothing hangs on chance."""
    values = np.linspace(-1, 1, n)
    return values / np.std(values, ddof=1) * sd


def sessions(count, *, within, between=0.0, trials=7):
    levels = spread(count, between) if count > 1 else [0.0]
    runs = [
        a_run(a_benchmark(trials=some_trials((100 * np.exp(level + spread(trials, within))).tolist())), day=day)
        for day, level in enumerate(levels, start=1)
    ]
    (found,) = windows([runs[0].benchmarks[0]], Baseline(runs=tuple(runs)), WindowRules(on=dt.date(2026, 11, 25)))
    return found


def an_aim(effect=0.05, **more):
    gate = {"budget": 0.05, "min_effect": 0.02, "false_alarms": 0.05, "power": 0.9, "confidence": 0.95}
    return Aim(**(gate | {"prior": Prior(), "effect": effect, "min_blocks": 10, "max_blocks": 30} | more))


@pytest.mark.parametrize(
    ("sd", "effect", "queued", "blocks"),
    [(0.01, 0.03, 5, 10), (0.02, 0.03, 5, 18), (0.03, 0.05, 20, 20), (0.05, 0.10, 200, 22), (0.05, 0.03, 5, 98)],
)
def test_blocks_follow_from_the_spread_of_trials(sd, effect, queued, blocks):
    found = plan(sessions(1, within=sd * TRIMMED), an_aim(effect, queued=queued))
    assert found.trial_sd == pytest.approx(sd * TRIMMED)
    assert found.blocks == blocks


def test_what_no_number_of_blocks_or_sessions_finds_is_none():
    found = plan(sessions(5, within=0.05, between=0.05), an_aim(0.011))
    assert (found.blocks, found.sessions) == (None, None)


def test_stored_sessions_detect_what_their_spread_lets_them():
    found = plan(sessions(5, within=0.0, between=0.01), an_aim())
    se = math.sqrt((2 * 0.015**2 + 4 * 0.01**2) / 6 * 1.2)
    t_99_of_6 = 3.1426684032909828
    assert found.session_sd == pytest.approx(0.01)
    assert found.detectable_stored == pytest.approx(math.exp(t_99_of_6 * se + 1.2815515655446004 * 0.01 * 1.2**0.5))
    more = plan(sessions(10, within=0.0, between=0.01), an_aim())
    assert more.detectable_stored < found.detectable_stored


def test_the_sessions_needed_are_the_fewest_that_detect_the_effect():
    found = plan(sessions(5, within=0.0, between=0.01), an_aim(0.055))
    exactly = plan(sessions(found.sessions, within=0.0, between=0.01), an_aim(0.055))
    one_less = plan(sessions(found.sessions - 1, within=0.0, between=0.01), an_aim(0.055))
    assert exactly.detectable_stored <= 1.055 < one_less.detectable_stored


def test_more_benchmarks_and_a_larger_smallest_effect_detect_less():
    noise = sessions(5, within=0.001, between=0.002)
    assert plan(noise, an_aim(benchmarks=200)).detectable_stored > plan(noise, an_aim()).detectable_stored
    assert plan(noise, an_aim(min_effect=0.05)).detectable_stored == pytest.approx(1.05, abs=0.02)
    assert plan(noise, an_aim(budget=0.10)).detectable_interleaved > plan(noise, an_aim()).detectable_interleaved


def test_where_a_pass_must_be_surer_a_smaller_increase_fails():
    noise = sessions(5, within=0.01)
    surer = plan(noise, an_aim(confidence=0.99))
    assert surer.detectable_interleaved < plan(noise, an_aim()).detectable_interleaved


def test_fewer_than_three_sessions_can_fail_nothing_and_one_says_nothing_of_their_spread():
    one, two = plan(sessions(1, within=0.01), an_aim()), plan(sessions(2, within=0.01), an_aim())
    assert (one.benchmark, one.found_sessions, one.session_sd, one.detectable_stored) == (NAME, 1, None, None)
    assert (two.detectable_stored, two.session_sd) == (None, pytest.approx(0.0))
    assert plan(sessions(1, within=0.01), an_aim(0.10)).sessions == 3


def test_trials_beyond_a_quarter_of_the_spread_of_sessions_gain_nothing():
    assert plan(sessions(3, within=0.0149), an_aim()).useful_trials == 4
    assert plan(sessions(3, within=0.0), an_aim()).useful_trials == 1
