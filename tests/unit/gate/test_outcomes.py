import math

import numpy as np
import pytest

from energygate.gate import Stage, paired_outcomes, stored_outcomes
from energygate.policy import Policy
from energygate.stats.estimate import Estimate

POLICY = Policy()
ARRAYS = ("outcome", "p_adjusted", "p_improved", "is_worse", "spread", "shift", "canary")


def estimates(shape, *, seed=3, se=0.008):
    rng = np.random.default_rng(seed)
    errors = se * np.exp(rng.normal(0, 0.5, shape))
    return Estimate(log_ratio=rng.normal(0, 0.03, shape), se=errors, df=np.full(shape, 6.0))


def row_of(estimate, row):
    return Estimate(log_ratio=estimate.log_ratio[row], se=estimate.se[row], df=estimate.df[row])


@pytest.mark.parametrize("stage", list(Stage))
def test_many_gates_are_judged_at_once_as_if_alone(stage):
    estimate, between = estimates((40, 12)), np.full((40, 12), 1e-4)
    together = stored_outcomes(estimate, sessions=5, between=between, policy=POLICY, stage=stage)
    for row in range(40):
        alone = stored_outcomes(row_of(estimate, row), sessions=5, between=between[row], policy=POLICY, stage=stage)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(together, name)[row], getattr(alone, name))
    assert set(np.unique(together.outcome)) >= {"pass", "improved", "inconclusive", "suspect"}
    assert ("regressed" in together.outcome) == (stage is Stage.ALONE)


def test_many_gates_of_pairs_are_judged_at_once_by_those_that_were_measured():
    estimate, members = estimates((40, 12)), np.random.default_rng(4).uniform(size=(40, 12)) < 0.4
    together = paired_outcomes(estimate, blocks=10, policy=POLICY, members=members)
    assert set(together.outcome[~members]) == {""}
    assert set(together.outcome[members]) == {"pass", "improved", "inconclusive", "regressed"}
    for row in range(40):
        alone = paired_outcomes(row_of(row_of(estimate, row), members[row]), blocks=10, policy=POLICY)
        np.testing.assert_array_equal(together.outcome[row][members[row]], alone.outcome)
        np.testing.assert_array_equal(together.p_adjusted[row][members[row]], alone.p_adjusted)


def test_fewer_than_five_pairs_are_not_judged():
    found = paired_outcomes(estimates(3), blocks=[4, 5, 10], policy=POLICY)
    assert [bool(outcome) for outcome in found.outcome] == [False, True, True]
    assert np.isfinite(found.p_adjusted).tolist() == [False, True, True]


def test_each_gate_has_its_own_shift():
    log_ratio = np.log([[1.1, 1.1, 1.1, 1.1, 1.1], [1.1, 1.0, 1.0, 1.0, 1.0]])
    estimate = Estimate(log_ratio=log_ratio, se=np.full((2, 5), 0.01), df=np.full((2, 5), 6.0))
    found = stored_outcomes(estimate, sessions=5, between=np.zeros((2, 5)), policy=POLICY)
    assert found.outcome.tolist() == [["inconclusive"] * 5, ["regressed", "pass", "pass", "pass", "pass"]]
    assert found.shift[0] == pytest.approx(math.log(1.1), rel=1e-12)
    assert math.isnan(found.shift[1])


def test_the_canary_is_asked_before_the_median():
    estimate = Estimate(log_ratio=np.log([1.0, 1.02]), se=np.full(2, 0.002), df=np.full(2, 6.0))
    found = stored_outcomes(estimate, sessions=5, between=np.zeros(2), policy=POLICY, canary=1)
    assert found.outcome.tolist() == ["inconclusive", "inconclusive"]
    assert (float(found.shift), bool(found.canary)) == (pytest.approx(math.log(1.02), rel=1e-12), True)


def test_benchmarks_have_their_own_budgets_and_effects():
    estimate = Estimate(log_ratio=np.log([1.04] * 3), se=np.full(3, 0.004), df=np.full(3, 7.0))
    found = paired_outcomes(
        estimate, blocks=10, policy=POLICY, budget=[0.05, 0.03, 0.045], min_effect=[0.02, 0.02, 0.045]
    )
    assert found.outcome.tolist() == ["pass", "regressed", "inconclusive"]


def test_no_benchmarks_have_no_outcomes():
    empty = Estimate(log_ratio=np.zeros(0), se=np.zeros(0), df=np.zeros(0))
    assert stored_outcomes(empty, sessions=5, between=np.zeros(0), policy=POLICY).outcome.tolist() == []
    assert paired_outcomes(empty, blocks=10, policy=POLICY).outcome.tolist() == []


def test_a_noisy_canary_says_nothing_of_the_machine():
    estimate = Estimate(log_ratio=np.log([1.10, 1.02]), se=np.full(2, 0.002), df=np.full(2, 6.0))
    known = {"sessions": 5, "between": np.zeros(2), "policy": POLICY, "canary": 1}
    quiet = stored_outcomes(estimate, **known)
    noisy = stored_outcomes(estimate, **known, quiet=[True, False])
    assert (quiet.outcome[0], bool(quiet.canary)) == ("inconclusive", True)
    assert (noisy.outcome[0], bool(noisy.canary), math.isnan(noisy.shift)) == ("regressed", False, True)
