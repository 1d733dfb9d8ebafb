import datetime as dt
import math

import numpy as np
import pytest
from fakes import a_benchmark, a_machine, a_run, some_trials

from energygate.history.self_test import Share, self_test, shares_of
from energygate.history.window import WindowRules, windows
from energygate.model import Baseline
from energygate.stats.stored import Prior


def sessions_at(levels, name):
    runs = [
        a_run(a_benchmark(name=name, trials=some_trials([100 * math.exp(level)] * 5)), day=day)
        for day, level in enumerate(levels, start=1)
    ]
    return windows([a_benchmark(name=name)], Baseline(runs=tuple(runs)), WindowRules(on=dt.date(2026, 11, 25)))


def compared(series, prior):
    found = [each for index, levels in enumerate(series) for each in sessions_at(levels, f"b{index}")]
    return self_test(found, prior, a_machine())


def tested(*series):
    return compared(series, Prior())


def test_each_session_is_compared_with_the_others_of_its_benchmark():
    found = tested([0.0, 0.01, -0.01, 0.0], [0.0, 0.01, 0.0, -0.01, 0.0])
    assert (found.benchmarks, [share.of for share in found.shares]) == (2, [9, 9])
    assert (found.machine, found.fingerprint, found.how) == ("epyc-7763-2s", "0123456789ab", "stored")


def test_fewer_than_four_sessions_test_nothing():
    assert tested([0.0, 0.01, 0.0]) is None
    assert self_test((), Prior(), a_machine()) is None


def test_the_spread_is_pooled_and_bounded_with_the_freedom_of_the_sessions():
    found = tested([0.01, -0.01, 0.01, -0.01], [0.02, -0.02, 0.02, -0.02]).spread
    sd = math.sqrt((4 * 0.01**2 / 3 + 4 * 0.02**2 / 3) / 2)
    chi_square_20_of_3 = 1.0051740130523492
    assert found.sd == pytest.approx(sd)
    assert found.bound == pytest.approx(sd * math.sqrt(3 / chi_square_20_of_3))
    assert (found.sessions, found.assumed_sd) == (4, 0.015)


@pytest.mark.parametrize(
    ("levels", "correlation"),
    [([0.01, -0.01] * 5, -0.9), ([0.01] * 5 + [-0.01] * 5, 0.7), ([0.0] * 4, 0.0)],
)
def test_neighbouring_sessions_are_alike_or_not(levels, correlation):
    assert tested(levels).spread.autocorrelation == pytest.approx(correlation, abs=1e-9)


def test_shares_come_with_their_interval():
    assert shares_of([0.001, 0.02, 0.04, 0.5] * 5) == (
        Share(level=0.05, found=15, of=20, low=pytest.approx(0.5089541), high=pytest.approx(0.9134285)),
        Share(level=0.01, found=5, of=20, low=pytest.approx(0.0865715), high=pytest.approx(0.4910459)),
    )
    assert [share.is_too_large for share in shares_of([0.001, 0.02, 0.04, 0.5] * 5)] == [True, True]
    assert [share.is_too_large for share in shares_of([0.04] + [0.5] * 19)] == [False, False]


def test_a_prior_that_is_far_too_small_is_found_out():
    levels = np.random.default_rng(5).normal(0, 0.03, 50)
    promised = compared(np.split(levels, 5), Prior(sd=0.002, weight=100.0))
    assert [share.is_too_large for share in promised.shares] == [True, True]
