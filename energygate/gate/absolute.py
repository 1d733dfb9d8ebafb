"""Rows against what does not move: limits, and pinned commits. Each is a row of its own, so that nothing masks it."""

from collections.abc import Iterator

from energygate.compare import AnchorCheck, Comparison, LimitCheck, too_few
from energygate.gate.evidence import Shift, figures
from energygate.gate.wording import Verdict, despite_noise, shift_words
from energygate.model import Metric, Outcome, Row
from energygate.policy import Anchor, Policy
from energygate.units import format_change, format_percent, format_quantity


def limit_rows(each: Comparison, policy: Policy, doubt: str | None) -> Iterator[Row]:
    """Give a row for each limit of a benchmark.

    Parameters
    ----------
    doubt : str or None
        Why the readings decide nothing.
    """
    checks = {check.metric: check for check in each.limits}
    for metric, bound in policy.rules_for(each.benchmark.name).limits.items():
        check = checks.get(metric)
        verdict = despite_noise(_limit_verdict(each, metric, check, policy, doubt), each.benchmark.noisy)
        low, high = check.estimate.interval(policy.confidence) if check else (None, None)
        yield Row(
            benchmark=each.benchmark.name,
            metric=metric,
            outcome=verdict.outcome,
            reason=verdict.reason,
            base=bound,
            head=check.head if check else None,
            ratio=check.head / bound if check else None,
            ratio_low=None if low is None else float(low),
            ratio_high=None if high is None else float(high),
            trials=each.trials,
            sessions=each.sessions,
            how="limit",
            location=each.benchmark.location,
            notes=verdict.notes,
        )


def anchor_rows(each: Comparison, policy: Policy, doubt: str | None, shift: Shift | None) -> Iterator[Row]:
    """Give a row for each anchor of a benchmark that has one.

    Parameters
    ----------
    shift : Shift or None
        By how much the whole session differs: then it says nothing of the code.
    """
    anchors = {anchor.name: anchor for anchor in policy.anchors}
    for check in each.anchors:
        anchor = anchors[check.name]
        change = check.change
        (found,) = figures([change], policy.confidence)
        obstacle = _anchor_obstacle(check, doubt, shift)
        verdict = despite_noise(obstacle or _against_anchor(check, anchor, policy), each.benchmark.noisy)
        yield Row(
            benchmark=each.benchmark.name,
            metric=each.benchmark.primary,
            outcome=verdict.outcome,
            reason=verdict.reason,
            base=change.base if change else None,
            head=change.head if change else None,
            ratio=change.ratio if change else None,
            ratio_low=found.low if found else None,
            ratio_high=found.high if found else None,
            p_value=found.p_value if found else None,
            trials=each.trials,
            sessions=check.sessions,
            how="anchor",
            anchor=check.name,
            location=each.benchmark.location,
            notes=verdict.notes,
        )


def _limit_verdict(
    each: Comparison, metric: Metric, check: LimitCheck | None, policy: Policy, doubt: str | None
) -> Verdict:
    invalid = each.obstacle if each.obstacle and each.obstacle.outcome is Outcome.INVALID else None
    obstacle = invalid or too_few(each.trials.head)
    if invalid is None and doubt is not None:
        return Verdict(Outcome.INVALID, doubt)
    if obstacle is not None:
        return Verdict(obstacle.outcome, f"the limit could not be checked: {obstacle.reason}")
    if check is None:
        reason = f"not every trial gives {metric}. Count what it needs, or remove the limit."
        return Verdict(Outcome.INVALID, f"the limit could not be checked: {reason}")
    return _against_limit(check, policy)


def _against_limit(check: LimitCheck, policy: Policy) -> Verdict:
    low, high = (float(bound) for bound in check.estimate.interval(policy.confidence))
    bound = format_quantity(check.limit, check.metric.unit)
    typical = format_quantity(check.head, check.metric.unit)
    if low > 1:
        return Verdict(Outcome.OVER_LIMIT, f"{typical} is above the limit of {bound}.")
    if high > 1:
        side = "above" if check.head > check.limit else "below"
        reason = f"{typical} is {side} the limit of {bound}, not established."
        return Verdict(Outcome.INCONCLUSIVE, f"{reason} Measure more trials, or record more sessions.")
    if check.mean > check.limit:
        mean = format_quantity(check.mean, check.metric.unit)
        reason = f"tail: the typical trial is within the limit of {bound}, the mean of {mean} is not."
        return Verdict(Outcome.INCONCLUSIVE, f"{reason} Look for rare, costly trials.")
    return Verdict(Outcome.PASS, f"{typical} is within the limit of {bound}.")


def _anchor_obstacle(check: AnchorCheck, doubt: str | None, shift: Shift | None) -> Verdict | None:
    """Why an anchor can't be checked, or None where it can: a fault of the head comes first."""
    obstacle = check.obstacle
    if obstacle is not None and (doubt is None or obstacle.outcome is Outcome.INVALID):
        return Verdict(obstacle.outcome, f"anchor {check.name} could not be checked: {obstacle.reason}")
    if doubt is not None:
        return Verdict(Outcome.INVALID, doubt)
    return None if shift is None else Verdict(Outcome.INCONCLUSIVE, shift_words(shift))


def _against_anchor(check: AnchorCheck, anchor: Anchor, policy: Policy) -> Verdict:
    if check.change is None or check.change.estimate is None:
        raise ValueError(f"anchor {check.name}: a check has an obstacle or an estimate")
    estimate, highest = check.change.estimate, 1 + anchor.budget
    low, high = estimate.interval(policy.confidence)
    since = f"{format_change(float(estimate.ratio))} since anchor {anchor.name} ({anchor.commit[:12]})"
    budget = f"its budget of {format_percent(anchor.budget)}"
    if high < highest:
        return Verdict(Outcome.PASS, f"{since}, within {budget}.")
    if low > highest and check.sessions >= policy.min_sessions:
        return Verdict(Outcome.OVER_LIMIT, f"{since}, above {budget}.")
    few = "" if check.sessions >= policy.min_sessions else f" from {check.sessions} of {policy.min_sessions} sessions"
    settle = f"`energygate ab --base {anchor.commit[:12]}` settles it."
    return Verdict(Outcome.INCONCLUSIVE, f"{since}, neither within {budget} nor established above it{few}. {settle}")
