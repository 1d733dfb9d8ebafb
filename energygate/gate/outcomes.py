"""The rule: estimates of all benchmarks of a gate -> their outcomes. Arrays in, arrays out (docs/statistics.md).

Passing is decided before regressed, so that the budget means what it says: an increase proven smaller than the budget
passes. What is not proven either way is inconclusive, and never becomes a pass.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.model import Outcome
from energygate.policy import Policy
from energygate.stats.distributions import Floats
from energygate.stats.estimate import Estimate
from energygate.stats.multiplicity import adjust
from energygate.stats.shift import canary_moved, common_shift

_FEWEST_PAIRS: Final = 5
_TYPE: Final = np.array(list(Outcome)).dtype

Mask = NDArray[np.bool_]


class Stage(StrEnum):
    """What stored sessions may do.

    Attributes
    ----------
    ALONE
        Decide: there is nothing else.
    SCREEN
        Say what is worth measuring again: there is a base to interleave with, and only that can prove an increase.
    """

    ALONE = "alone"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What the rule says; one gate on the last axis.

    Attributes
    ----------
    outcome : array of str, shape (..., m)
        Empty for those that are not judged.
    p_adjusted, p_improved : array of float, shape (..., m)
        Adjusted over the family; NaN outside of it.
    is_worse : array of bool, shape (..., m)
        Whether an increase is established, whatever the budget says of it.
    spread : array of float, shape (...)
        Standard deviation between the sessions of the family, pooled.
    shift : array of float, shape (...)
        Log ratio by which the whole session differs; NaN where it does not.
    canary : array of bool, shape (...)
        Whether it is the canary that says so.
    """

    outcome: NDArray[np.str_]
    p_adjusted: Floats
    p_improved: Floats
    is_worse: Mask
    spread: Floats
    shift: Floats
    canary: Mask


def stored_outcomes(
    estimate: Estimate,
    *,
    sessions: ArrayLike,
    between: ArrayLike,
    policy: Policy,
    stage: Stage = Stage.ALONE,
    budget: ArrayLike | None = None,
    min_effect: ArrayLike | None = None,
    quiet: ArrayLike = True,
    canary: int | None = None,
) -> Outcomes:
    """Judge comparisons with stored sessions.

    Parameters
    ----------
    estimate : Estimate, shape (..., m)
        One gate on the last axis.
    sessions : int or array of int, shape (..., m)
        How many each was compared with. With fewer than `min_sessions` it is in no family.
    between : array of float, shape (..., m)
        Variance between the sessions.
    stage : Stage
        Whether an increase may be `regressed`, or at most `suspect`.
    budget, min_effect : float or array of float, shape (..., m), optional
        Where benchmarks have their own; those of the policy otherwise.
    quiet : bool or array of bool, shape (..., m)
        Where nothing else used the machine.
    canary : int, optional
        Position of the benchmark that no change of the code touches.
    """
    shape = estimate.log_ratio.shape
    members = np.broadcast_to(np.asarray(sessions) >= policy.min_sessions, shape)
    spread = _pooled(np.broadcast_to(between, shape), members)
    shift, by_canary = _shift(estimate, np.broadcast_to(sessions, shape), canary, np.broadcast_to(quiet, shape))
    p_adjusted, p_improved = _adjusted(estimate, members, np.broadcast_to(quiet, shape), policy)
    is_better, passes, is_worse = _proven(
        estimate, (p_adjusted, p_improved), policy, budget=budget, min_effect=min_effect
    )
    sure = (stage is Stage.ALONE) & (spread <= 2 * policy.session_sd)[..., np.newaxis]
    likely = (estimate.p_value < policy.screen_p) & (estimate.log_ratio >= np.log1p(policy.screen_effect))
    is_shifted = np.broadcast_to(np.isfinite(shift)[..., np.newaxis], shape)
    return Outcomes(
        outcome=_select(
            (is_shifted, Outcome.INCONCLUSIVE),
            (is_better, Outcome.IMPROVED),
            (passes, Outcome.PASS),
            (is_worse & sure, Outcome.REGRESSED),
            (is_worse | likely, Outcome.SUSPECT),
        ),
        p_adjusted=p_adjusted,
        p_improved=p_improved,
        is_worse=is_worse,
        spread=spread,
        shift=shift,
        canary=by_canary,
    )


def paired_outcomes(
    estimate: Estimate,
    *,
    blocks: ArrayLike,
    policy: Policy,
    budget: ArrayLike | None = None,
    min_effect: ArrayLike | None = None,
    members: ArrayLike | None = None,
    quiet: ArrayLike = True,
) -> Outcomes:
    """Judge comparisons of pairs.

    Parameters
    ----------
    estimate : Estimate, shape (..., m)
        One gate on the last axis.
    blocks : int or array of int, shape (..., m)
        How many pairs each has. With fewer than five it is not judged.
    budget, min_effect : float or array of float, shape (..., m), optional
        Where benchmarks have their own; those of the policy otherwise.
    members : array of bool, shape (..., m), optional
        Which benchmarks were measured; all where it is not given.
    quiet : bool or array of bool, shape (..., m)
        Where nothing else used the machine.
    """
    shape = estimate.log_ratio.shape
    measured = np.ones(shape, dtype=bool) if members is None else np.broadcast_to(members, shape)
    inside = measured & (np.asarray(blocks) >= _FEWEST_PAIRS)
    p_adjusted, p_improved = _adjusted(estimate, inside, np.broadcast_to(quiet, shape), policy)
    is_better, passes, is_worse = _proven(
        estimate, (p_adjusted, p_improved), policy, budget=budget, min_effect=min_effect
    )
    outcome = _select((is_better, Outcome.IMPROVED), (passes, Outcome.PASS), (is_worse, Outcome.REGRESSED))
    return Outcomes(
        outcome=np.where(inside, outcome, np.array("", dtype=_TYPE)),
        p_adjusted=p_adjusted,
        p_improved=p_improved,
        is_worse=is_worse,
        spread=np.zeros(shape[:-1]),
        shift=np.full(shape[:-1], np.nan),
        canary=np.zeros(shape[:-1], dtype=bool),
    )


def _adjusted(estimate: Estimate, members: Mask, quiet: Mask, policy: Policy) -> tuple[Floats, Floats]:
    """Adjust the p-values of all members, and those of the quiet ones once more among themselves.

    Noise makes small p-values, and each small one makes room for others: a noisy benchmark must not help to convict a
    quiet one.
    """
    both = []
    for p_values in (estimate.p_value, estimate.p_improved):
        adjusted = adjust(p_values, policy.adjust, members=members)
        if not np.all(quiet):
            among_quiet = adjust(p_values, policy.adjust, members=members & quiet)
            adjusted = np.where(quiet, among_quiet, adjusted)
        both.append(adjusted)
    return both[0], both[1]


def _proven(
    estimate: Estimate,
    adjusted: tuple[Floats, Floats],
    policy: Policy,
    *,
    budget: ArrayLike | None,
    min_effect: ArrayLike | None,
) -> tuple[Mask, Mask, Mask]:
    """Whether it is established that the head uses less, that it stays within the budget, that it uses more."""
    p_adjusted, p_improved = adjusted
    effect = np.log1p(policy.min_effect if min_effect is None else min_effect)
    highest = 1 + np.asarray(policy.budget if budget is None else budget)
    _, high = estimate.interval(policy.confidence)
    return (
        (p_improved <= policy.false_alarms) & (estimate.log_ratio <= -effect),
        np.asarray(high < highest),
        (p_adjusted <= policy.false_alarms) & (estimate.log_ratio >= effect),
    )


def _select(*choices: tuple[Mask, Outcome]) -> NDArray[np.str_]:
    """The first outcome whose condition holds, else `inconclusive`."""
    conditions, outcomes = zip(*choices, strict=True)
    typed = [np.array(outcome.value, dtype=_TYPE) for outcome in outcomes]
    return np.select(conditions, typed, np.array(Outcome.INCONCLUSIVE.value, dtype=_TYPE))


def _pooled(between: Floats, members: Mask) -> Floats:
    count = np.count_nonzero(members, axis=-1)
    spread: Floats = np.sqrt(np.sum(np.where(members, between, 0.0), axis=-1) / np.maximum(count, 1))
    return spread


def _shift(estimate: Estimate, sessions: NDArray[np.int64], canary: int | None, quiet: Mask) -> tuple[Floats, Mask]:
    """By how much the session differs throughout, and whether the canary says so: it is asked first, unless noisy."""
    common = np.asarray(common_shift(estimate.log_ratio, members=quiet))
    if canary is None:
        return common, np.zeros(common.shape, dtype=bool)
    own = Estimate(log_ratio=estimate.log_ratio[..., canary], se=estimate.se[..., canary], df=estimate.df[..., canary])
    moved = np.asarray(canary_moved(own, sessions[..., canary])) & quiet[..., canary]
    return np.where(moved, own.log_ratio, common), moved
