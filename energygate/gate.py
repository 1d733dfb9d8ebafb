"""Policy x Comparisons -> Verdicts. Pure: the same evidence always gives the same verdict (docs/statistics.md).

Passing is decided before regressed, so that the budget means what it says: an increase proven smaller than the
budget passes. What is not proven either way is `inconclusive`, and never becomes a pass. Nothing is proven by a noisy
benchmark: it holds what others used.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from energygate.compare import Change, Comparison, LimitCheck, too_few
from energygate.model import Benchmark, Metric, Outcome, Row
from energygate.policy import Policy
from energygate.stats.estimate import Estimate
from energygate.stats.multiplicity import adjust
from energygate.stats.planning import detectable_stored
from energygate.units import format_change, format_p, format_percent, format_quantity

_SHIFT: Final = math.log(1.03)
_FEWEST_SHIFTED: Final = 5
_SHIFTED_SHARE: Final = 0.8
_UNPROVEN: Final = frozenset({Outcome.SUSPECT, Outcome.INCONCLUSIVE})
_UNMEASURED: Final = frozenset({Outcome.INVALID, Outcome.NO_BASELINE, Outcome.INCOMPARABLE})
_WORK_COUNTS: Final = {"input_tokens": "input tokens", "output_tokens": "output tokens"}


class _Verdict(NamedTuple):
    outcome: Outcome
    reason: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """What all benchmarks of a gate have in common.

    Attributes
    ----------
    p_adjusted, p_improved : mapping of name to float
        Of every benchmark with enough sessions; membership never depends on its result.
    spread : float
        Standard deviation between sessions, pooled over those benchmarks.
    shift : float or None
        Median log ratio, where nearly all quiet benchmarks moved the same way.
    """

    p_adjusted: Mapping[str, float]
    p_improved: Mapping[str, float]
    spread: float
    shift: float | None


def decide(
    comparisons: Sequence[Comparison],
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    estimated: str | None = None,
) -> tuple[Row, ...]:
    """Give every comparison, and every limit, its verdict: worst first, then by size of change, then by name.

    Parameters
    ----------
    missing : sequence of Benchmark
        What stored runs have and this run should have measured and did not.
    estimated : str or None
        Why the readings are estimates, with the fix, if they are: unless policy allows it they decide nothing.
    """
    family = _family(comparisons, policy)
    doubt = None if policy.allow_estimates else estimated
    groups = [group for each in comparisons for group in _groups(each, family, policy, estimated, doubt)]
    groups += [(_missing_row(benchmark),) for benchmark in missing]
    return tuple(row for group in sorted(groups, key=_urgency) for row in group)


def exit_code(rows: Sequence[Row], fail_on: Sequence[Outcome]) -> int:
    """The command line's exit code: the worst failing outcome decides. Where nothing was measured it is 5."""
    if all(row.outcome is Outcome.MISSING for row in rows):
        return 5
    failing = {row.outcome for row in rows} & set(fail_on)
    codes = (code for code, outcomes in _EXIT_CODES if failing & outcomes)
    return next(codes, 0)


_EXIT_CODES: Final = (
    (1, {Outcome.REGRESSED, Outcome.OVER_LIMIT}),
    (5, {Outcome.INVALID}),
    (4, {Outcome.NO_BASELINE, Outcome.INCOMPARABLE, Outcome.MISSING}),
    (3, {Outcome.INCONCLUSIVE, Outcome.SUSPECT}),
)


def overall(rows: Sequence[Row], code: int) -> Literal["failed", "inconclusive", "passed"]:
    """The verdict on the whole: `passed` only where every row is a proven pass."""
    if code:
        return "failed"
    proven = all(row.outcome in {Outcome.PASS, Outcome.IMPROVED} for row in rows)
    return "passed" if proven else "inconclusive"


def _urgency(group: tuple[Row, ...]) -> tuple[int, float, str]:
    first = group[0]
    change = abs(math.log(first.ratio)) if first.ratio else 0.0
    return list(Outcome).index(first.outcome), -change, first.benchmark


def _family(comparisons: Sequence[Comparison], policy: Policy) -> _Family:
    judged = [(each, each.primary.estimate) for each in comparisons if each.primary and each.primary.estimate]
    members = [(each, estimate) for each, estimate in judged if each.sessions >= policy.min_sessions]
    return _Family(
        p_adjusted=_adjusted(members, lambda estimate: float(estimate.p_value), policy),
        p_improved=_adjusted(members, lambda estimate: float(estimate.p_improved), policy),
        spread=math.sqrt(np.mean([each.between for each, _ in members])) if members else 0.0,
        shift=_common_shift([float(estimate.log_ratio) for each, estimate in judged if each.benchmark.noisy is None]),
    )


def _adjusted(
    members: Sequence[tuple[Comparison, Estimate]], p_value: Callable[[Estimate], float], policy: Policy
) -> dict[str, float]:
    """Adjust the p-values of all members, and those of the quiet ones once more among themselves.

    Noise makes small p-values, and each small one makes room for others: a noisy benchmark must not help to convict a
    quiet one.
    """
    found: dict[str, float] = {}
    for family in (members, [(each, estimate) for each, estimate in members if each.benchmark.noisy is None]):
        adjusted = adjust([p_value(estimate) for _, estimate in family], policy.adjust)
        found |= zip((each.benchmark.name for each, _ in family), adjusted.tolist(), strict=True)
    return found


def _common_shift(log_ratios: Sequence[float]) -> float | None:
    """The median, if nearly everything moved that way: then it is the machine, or something that all share."""
    if len(log_ratios) < _FEWEST_SHIFTED:
        return None
    median = float(np.median(log_ratios))
    same_sign = sum((ratio > 0) == (median > 0) for ratio in log_ratios)
    shifted = abs(median) >= _SHIFT and same_sign >= _SHIFTED_SHARE * len(log_ratios)
    return median if shifted else None


def _groups(
    each: Comparison, family: _Family, policy: Policy, estimated: str | None, doubt: str | None
) -> Iterator[tuple[Row, ...]]:
    """Give the rows of one benchmark: its deciding metric with joules per token beside it, and each limit."""
    verdict = _judge(each, family, policy)
    if doubt is not None and verdict.outcome is not Outcome.INVALID:
        verdict = _Verdict(Outcome.INVALID, doubt, verdict.notes)
    verdict = _despite_noise(verdict, each.benchmark.noisy)
    primary = _primary_row(each, verdict, family, policy)
    group = [primary]
    if each.per_token is not None and each.benchmark.primary is not Metric.J_PER_OUTPUT_TOKEN:
        beside = _Verdict(verdict.outcome, f"shown beside {each.benchmark.primary.unit}, which decides.")
        group.append(_row(each, each.per_token, beside, confidence=policy.confidence))
    yield tuple(_labelled(row, estimated) for row in group)
    for row in _limit_rows(each, policy, doubt):
        yield (_labelled(row, estimated),)


def _labelled(row: Row, estimated: str | None) -> Row:
    return row if estimated is None else _replace(row, estimated=True)


def _replace(row: Row, **changes: object) -> Row:
    return Row(**{name: getattr(row, name) for name in Row.__struct_fields__} | changes)


def _judge(each: Comparison, family: _Family, policy: Policy) -> _Verdict:
    if each.obstacle is not None:
        return _Verdict(each.obstacle.outcome, each.obstacle.reason)
    if each.primary is None or each.primary.estimate is None:
        raise ValueError(f"{each.benchmark.name}: a comparison has an obstacle or an estimate")
    work = _work_change(each, policy)
    verdict = _by_numbers(each, each.primary.estimate, family, policy)
    if work is None:
        return verdict
    # The same requests cost what they cost, whatever each token of a longer answer costs: only a pass needs both.
    proven = verdict.outcome in {Outcome.PASS, Outcome.IMPROVED}
    if proven and not _per_token_within(each, policy):
        verdict = verdict._replace(outcome=Outcome.INCONCLUSIVE, reason="J/token is not proven within the budget.")
    return verdict._replace(reason=f"{work}. {verdict.reason}")


def _despite_noise(verdict: _Verdict, noisy: str | None) -> _Verdict:
    """What a verdict comes to where the numbers hold what others used: it proves nothing, and says so beside them."""
    if noisy is None:
        return verdict
    if verdict.outcome in _UNPROVEN | _UNMEASURED:
        return verdict._replace(notes=(*verdict.notes, noisy))
    return verdict._replace(outcome=Outcome.INCONCLUSIVE, reason=noisy)


def _by_numbers(each: Comparison, estimate: Estimate, family: _Family, policy: Policy) -> _Verdict:
    """First match wins: improved, pass, regressed, suspect, inconclusive."""
    name = each.benchmark.name
    rules = policy.rules_for(name)
    log_ratio, effect = float(estimate.log_ratio), math.log1p(rules.min_effect)
    high = float(estimate.interval(policy.confidence)[1])
    change = format_change(float(estimate.ratio))
    worse = family.p_adjusted.get(name, 1.0) <= policy.false_alarms and log_ratio >= effect
    better = family.p_improved.get(name, 1.0) <= policy.false_alarms and log_ratio <= -effect
    if family.shift is not None:
        moved = format_change(math.exp(family.shift))
        reason = f"this session differs by {moved} throughout: the machine, or something that all benchmarks share."
        return _Verdict(Outcome.INCONCLUSIVE, f"{change}; {reason} Not judged: measure again, base and head.")
    budget = f"the budget of {format_percent(rules.budget)}"
    if better:
        return _Verdict(Outcome.IMPROVED, f"{change} against {_sessions(each)}.")
    if high < 1 + rules.budget:
        inside = f"an increase of {format_change(float(estimate.ratio))} is established, inside the budget"
        return _Verdict(Outcome.PASS, f"{change}, within {budget}.", (inside,) if worse else ())
    doubt = _doubt_in_sessions(each, family, policy)
    if worse and doubt is None:
        return _Verdict(Outcome.REGRESSED, f"{change} against {_sessions(each)}, not proven within {budget}.")
    if worse or (estimate.p_value < policy.screen_p and log_ratio >= math.log1p(policy.screen_effect)):
        return _Verdict(Outcome.SUSPECT, f"{change}: {doubt or _why_unproven(each, family, policy)}")
    detectable = _detectable(each, estimate, family, policy)
    could = "" if detectable is None else f"{_sessions(each)} could detect {format_change(detectable)}. "
    reason = f"{doubt[0].upper()}{doubt[1:]}" if doubt else f"{could}Record more sessions, or make trials longer."
    return _Verdict(Outcome.INCONCLUSIVE, f"{change}: neither within {budget} nor above it. {reason}")


def _doubt_in_sessions(each: Comparison, family: _Family, policy: Policy) -> str | None:
    """Why the stored sessions can prove no increase, however large, or None where they can."""
    if each.sessions < policy.min_sessions:
        left_out = f"; left out: {each.left_out}" if each.left_out else ""
        return f"{_sessions(each)} cannot prove an increase, {policy.min_sessions} may{left_out}. Record more sessions."
    if family.spread > 2 * policy.session_sd:
        spread = format_percent(family.spread)
        return (
            f"stored sessions differ by {spread} among themselves, more than twice gate.session_sd "
            f"({format_percent(policy.session_sd)}): they cannot prove an increase. Quieten the machine, or, if that "
            f"spread is normal here, set gate.session_sd: {spread.replace(' ', '')}."
        )
    return None


def _why_unproven(each: Comparison, family: _Family, policy: Policy) -> str:
    p_value = family.p_adjusted[each.benchmark.name]
    if p_value <= policy.false_alarms:
        return (
            f"proven, but below gate.min_effect ({format_percent(policy.rules_for(each.benchmark.name).min_effect)})."
        )
    return f"not proven (adjusted p {format_p(p_value)}, needed {policy.false_alarms:g}). Measure again."


def _sessions(each: Comparison) -> str:
    return f"{each.sessions} stored session{'s' if each.sessions > 1 else ''}"


def _work_change(each: Comparison, policy: Policy) -> str | None:
    """Say how the work per request changed, or None where it did not."""
    changed = [
        f"{format_change(each.work[name])} {words} per request"
        for name, words in _WORK_COUNTS.items()
        if _changed(each.work.get(name, 1.0), policy.work_tolerance)
    ]
    if not changed:
        return None
    metrics = [(each.primary, "J/request"), (each.per_token, "J/token")]
    costs = [
        f"{words} {format_change(change.head / change.base)}" for change, words in metrics if change and change.base
    ]
    return f"work changed: {', '.join(changed)}; {', '.join(costs)}"


def _changed(ratio: float, tolerance: float) -> bool:
    return ratio == 0 or abs(math.log(ratio)) > math.log1p(tolerance)


def _per_token_within(each: Comparison, policy: Policy) -> bool:
    if each.per_token is None or each.per_token.estimate is None:
        return False
    budget = policy.rules_for(each.benchmark.name).budget
    return float(each.per_token.estimate.interval(policy.confidence)[1]) < 1 + budget


def _detectable(each: Comparison, estimate: Estimate, family: _Family, policy: Policy) -> float | None:
    """The ratio that would fail nine times in ten, or None where the stored sessions can prove nothing."""
    if _doubt_in_sessions(each, family, policy) is not None:
        return None
    level = min(0.01, policy.false_alarms / max(1, len(family.p_adjusted)))
    return float(
        detectable_stored(estimate, np.asarray(each.between), each.sessions, false_alarms=level, power=policy.power)
    )


def _primary_row(each: Comparison, verdict: _Verdict, family: _Family, policy: Policy) -> Row:
    change = each.primary
    estimate = change.estimate if change else None
    return _row(
        each,
        change or Change(metric=each.benchmark.primary, head=math.nan),
        verdict,
        confidence=policy.confidence,
        p_adjusted=family.p_adjusted.get(each.benchmark.name),
        detectable=None if estimate is None else _detectable(each, estimate, family, policy),
        domains=dict(each.domains),
        work=dict(each.work),
    )


def _row(each: Comparison, change: Change, verdict: _Verdict, *, confidence: float, **more: object) -> Row:
    estimate = change.estimate
    low, high = estimate.interval(confidence) if estimate else (None, None)
    known = change.base is not None
    return Row(
        benchmark=each.benchmark.name,
        metric=change.metric,
        outcome=verdict.outcome,
        reason=verdict.reason,
        base=change.base,
        head=None if math.isnan(change.head) else change.head,
        ratio=change.head / change.base if known and change.base else None,
        ratio_low=None if low is None else float(low),
        ratio_high=None if high is None else float(high),
        p_value=None if estimate is None else float(estimate.p_value),
        trials=each.trials,
        sessions=each.sessions,
        location=each.benchmark.location,
        notes=(*each.notes, *verdict.notes),
        **more,  # type: ignore[arg-type]  # the remaining fields of Row, by name
    )


def _limit_rows(each: Comparison, policy: Policy, doubt: str | None) -> Iterator[Row]:
    wanted = policy.rules_for(each.benchmark.name).limits
    checks = {check.metric: check for check in each.limits}
    for metric, bound in wanted.items():
        check = checks.get(metric)
        verdict = _despite_noise(_limit_verdict(each, metric, check, policy, doubt), each.benchmark.noisy)
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


def _limit_verdict(
    each: Comparison, metric: Metric, check: LimitCheck | None, policy: Policy, doubt: str | None
) -> _Verdict:
    invalid = each.obstacle if each.obstacle and each.obstacle.outcome is Outcome.INVALID else None
    obstacle = invalid or too_few(each.trials.head)
    if invalid is None and doubt is not None:
        return _Verdict(Outcome.INVALID, doubt)
    if obstacle is not None:
        return _Verdict(obstacle.outcome, f"the limit could not be checked: {obstacle.reason}")
    if check is None:
        reason = f"not every trial gives {metric}. Count what it needs, or remove the limit."
        return _Verdict(Outcome.INVALID, f"the limit could not be checked: {reason}")
    return _against_limit(check, policy)


def _against_limit(check: LimitCheck, policy: Policy) -> _Verdict:
    low, high = (float(bound) for bound in check.estimate.interval(policy.confidence))
    bound = format_quantity(check.limit, check.metric.unit)
    typical = format_quantity(check.head, check.metric.unit)
    if low > 1:
        return _Verdict(Outcome.OVER_LIMIT, f"{typical} is above the limit of {bound}.")
    if high > 1:
        side = "above" if check.head > check.limit else "below"
        reason = f"{typical} is {side} the limit of {bound}, not established."
        return _Verdict(Outcome.INCONCLUSIVE, f"{reason} Measure more trials, or record more sessions.")
    if check.mean > check.limit:
        mean = format_quantity(check.mean, check.metric.unit)
        reason = f"tail: the typical trial is within the limit of {bound}, the mean of {mean} is not."
        return _Verdict(Outcome.INCONCLUSIVE, f"{reason} Look for rare, costly trials.")
    return _Verdict(Outcome.PASS, f"{typical} is within the limit of {bound}.")


def _missing_row(benchmark: Benchmark) -> Row:
    reason = "stored runs have it and this run did not measure it. If it was removed on purpose, record a new baseline."
    return Row(
        benchmark=benchmark.name,
        metric=benchmark.primary,
        outcome=Outcome.MISSING,
        reason=reason,
        location=benchmark.location,
    )
