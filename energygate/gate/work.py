"""Whether the work itself changed: the same requests cost what they cost, whatever each token of an answer costs."""

import math
from typing import Final

from energygate.compare import Comparison
from energygate.gate.wording import Verdict
from energygate.model import Outcome
from energygate.policy import Policy
from energygate.units import format_change

_COUNTS: Final = {"input_tokens": "input tokens", "output_tokens": "output tokens"}

_FINE: Final = frozenset({Outcome.PASS, Outcome.IMPROVED})


def with_work(verdict: Verdict, each: Comparison, policy: Policy) -> Verdict:
    """A verdict that opens with the work where that changed; a proven pass then needs joules per token too.

    What changed besides the amount of work explains a verdict, and decides none.
    """
    work = _work_change(each, policy)
    if work is not None:
        if verdict.outcome in _FINE and not _per_token_within(each, policy):
            verdict = verdict._replace(outcome=Outcome.INCONCLUSIVE, reason="J/token is not proven within the budget.")
        verdict = verdict._replace(reason=f"{work}. {verdict.reason}")
    if not each.changed:
        return verdict
    if verdict.outcome in _FINE:
        return verdict._replace(notes=(*verdict.notes, *each.changed))
    return verdict._replace(reason=f"{verdict.reason} Changed besides: {'; '.join(each.changed)}.")


def _work_change(each: Comparison, policy: Policy) -> str | None:
    """Say how the work per request changed, or None where it did not."""
    changed = [
        _said(each.work[name], words)
        for name, words in _COUNTS.items()
        if _changed(each.work.get(name, 1.0), policy.work_tolerance)
    ]
    if not changed:
        return None
    metrics = [(each.primary, "J/request"), (each.per_token, "J/token")]
    costs = [
        f"{words} {format_change(change.ratio)}" for change, words in metrics if change and change.ratio is not None
    ]
    return f"work changed: {', '.join(changed)}; {', '.join(costs)}"


def _said(ratio: float, words: str) -> str:
    return f"{words} where there were none" if math.isinf(ratio) else f"{format_change(ratio)} {words} per request"


def _changed(ratio: float, tolerance: float) -> bool:
    return ratio == 0 or abs(math.log(ratio)) > math.log1p(tolerance)


def _per_token_within(each: Comparison, policy: Policy) -> bool:
    if each.per_token is None or each.per_token.estimate is None:
        return False
    budget = policy.rules_for(each.benchmark.name).budget
    return float(each.per_token.estimate.interval(policy.confidence)[1]) < 1 + budget
