"""What the rule says of each comparison, taken out of the arrays: one value per benchmark, for words and rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from energygate.compare import Change, Comparison
from energygate.gate.outcomes import Outcomes, Stage, paired_outcomes, stored_outcomes
from energygate.model import Outcome
from energygate.policy import Policy, Rules
from energygate.stats.distributions import Floats
from energygate.stats.estimate import Estimate
from energygate.stats.planning import detectable_paired, detectable_stored, family_level


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """By how much the whole session differs, and the canary if it says so."""

    log_ratio: float
    canary: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The numbers behind one verdict.

    Attributes
    ----------
    outcome : Outcome
        What the rule says of the deciding metric alone.
    p_adjusted : float or None
        None outside the family.
    is_worse : bool
        Whether an increase is established, whatever the budget says of it.
    detectable : float or None
        The ratio that would fail nine times in ten; None where no increase, however large, could fail.
    level : float
        Of a single test that is sure to be significant in its family.
    spread : float
        Standard deviation between the sessions of the family.
    """

    outcome: Outcome
    rules: Rules
    estimate: Estimate
    p_adjusted: float | None
    is_worse: bool
    detectable: float | None
    level: float
    spread: float = 0.0
    shift: Shift | None = None


class Figures(NamedTuple):
    """An estimate as a row shows it."""

    low: float
    high: float
    p_value: float


def weigh(comparisons: Sequence[Comparison], policy: Policy, stage: Stage) -> dict[int, Evidence]:
    """Apply the rule to every comparison that has an estimate: those of one kind are a family.

    What is compared with a level that was only accepted so far has another run than the rest, so it is judged apart.
    """
    found: dict[int, Evidence] = {}
    for kind in (_is_stored, _is_accepted, _is_interleaved):
        places = [place for place, each in enumerate(comparisons) if each.obstacle is None and kind(each)]
        if places:
            judge = _weigh_pairs if kind is _is_interleaved else _weigh_stored
            found.update(zip(places, judge([comparisons[place] for place in places], policy, stage), strict=True))
    return found


def figures(changes: Sequence[Change | None], confidence: float) -> list[Figures | None]:
    """The interval and p-value of each change that has an estimate, all computed together."""
    known = [place for place, change in enumerate(changes) if change is not None and change.estimate is not None]
    found: list[Figures | None] = [None] * len(changes)
    if known:
        together = stacked([change.estimate for change in changes if change is not None and change.estimate])
        low, high = together.interval(confidence)
        for place, *numbers in zip(known, low.tolist(), high.tolist(), together.p_value.tolist(), strict=True):
            found[place] = Figures(*numbers)
    return found


def stacked(estimates: Sequence[Estimate]) -> Estimate:
    """Estimates without axes as one of shape (m,)."""
    return Estimate(
        log_ratio=np.array([each.log_ratio for each in estimates], dtype=np.float64),
        se=np.array([each.se for each in estimates], dtype=np.float64),
        df=np.array([each.df for each in estimates], dtype=np.float64),
    )


def _is_stored(each: Comparison) -> bool:
    return each.how == "stored" and each.accepted is None


def _is_accepted(each: Comparison) -> bool:
    return each.how == "stored" and each.accepted is not None


def _is_interleaved(each: Comparison) -> bool:
    return each.how == "interleaved"


def _weigh_stored(comparisons: Sequence[Comparison], policy: Policy, stage: Stage) -> Iterator[Evidence]:
    estimates = [estimate_of(each) for each in comparisons]
    together, rules = stacked(estimates), [policy.rules_for(each.benchmark.name) for each in comparisons]
    sessions = np.array([each.sessions for each in comparisons])
    between = np.array([each.between for each in comparisons])
    names = [each.benchmark.name for each in comparisons]
    found = stored_outcomes(
        together,
        sessions=sessions,
        between=between,
        policy=policy,
        stage=stage,
        quiet=np.array([each.benchmark.noisy is None for each in comparisons]),
        canary=names.index(policy.canary) if policy.canary in names else None,
        **_own(rules),
    )
    members = np.isfinite(found.p_adjusted)
    level = family_level(policy.false_alarms, queued=int(np.count_nonzero(members)))
    able = members & (found.spread <= 2 * policy.session_sd)
    detectable = detectable_stored(together, between, sessions, false_alarms=level, power=policy.power)
    shift = None
    if np.isfinite(found.shift):
        shift = Shift(log_ratio=float(found.shift), canary=policy.canary if found.canary else None)
    detectable = np.where(able, detectable, np.nan)
    yield from _each(estimates, rules, found, detectable, level=level, spread=float(found.spread), shift=shift)


def _weigh_pairs(comparisons: Sequence[Comparison], policy: Policy, _: Stage) -> Iterator[Evidence]:
    estimates = [estimate_of(each) for each in comparisons]
    together, rules = stacked(estimates), [policy.rules_for(each.benchmark.name) for each in comparisons]
    own = _own(rules)
    found = paired_outcomes(
        together,
        blocks=np.array([each.blocks for each in comparisons]),
        policy=policy,
        quiet=np.array([each.benchmark.noisy is None for each in comparisons]),
        **own,
    )
    level = family_level(policy.false_alarms, queued=len(comparisons))
    detectable = detectable_paired(together, level=level, power=policy.power, confidence=policy.confidence, **own)
    yield from _each(estimates, rules, found, detectable, level=level)


def _own(rules: Sequence[Rules]) -> Mapping[str, Floats]:
    return {
        "budget": np.array([rule.budget for rule in rules]),
        "min_effect": np.array([rule.min_effect for rule in rules]),
    }


def _each(
    estimates: Sequence[Estimate],
    rules: Sequence[Rules],
    found: Outcomes,
    detectable: Floats,
    *,
    level: float,
    spread: float = 0.0,
    shift: Shift | None = None,
) -> Iterator[Evidence]:
    columns = (found.outcome.tolist(), found.p_adjusted.tolist(), found.is_worse.tolist(), detectable.tolist())
    for estimate, rule, outcome, p_adjusted, is_worse, ratio in zip(estimates, rules, *columns, strict=True):
        yield Evidence(
            outcome=Outcome(outcome),
            rules=rule,
            estimate=estimate,
            p_adjusted=_known(p_adjusted),
            is_worse=is_worse,
            detectable=_known(ratio),
            level=level,
            spread=spread,
            shift=shift,
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def estimate_of(each: Comparison) -> Estimate:
    """The estimate of what decides. Raises ValueError where there is none: then there has to be an obstacle."""
    if each.primary is None or each.primary.estimate is None:
        raise ValueError(f"{each.benchmark.name}: a comparison has an obstacle or an estimate")
    return each.primary.estimate
