"""Comparisons -> rows: every benchmark's verdict, with its joules per token, its limits and its anchors."""

import math
from collections.abc import Iterator, Sequence

from msgspec import structs

from energygate.compare import Change, Comparison
from energygate.gate.absolute import anchor_rows, limit_rows
from energygate.gate.evidence import Evidence, Figures, figures, weigh
from energygate.gate.outcomes import Stage
from energygate.gate.whole import by_urgency
from energygate.gate.wording import Verdict, despite_noise, paired_verdict, stored_verdict
from energygate.gate.work import with_work
from energygate.model import Benchmark, Metric, Outcome, Row
from energygate.policy import Policy


def decide(
    comparisons: Sequence[Comparison],
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    estimated: str | None = None,
    stage: Stage = Stage.ALONE,
) -> tuple[Row, ...]:
    """Give every comparison, limit and anchor its verdict: worst first, then by size of change, then by name.

    Parameters
    ----------
    missing : sequence of Benchmark
        What stored runs have and this run should have measured and did not.
    estimated : str or None
        Why the readings are estimates, with the fix, if they are: unless policy allows it they decide nothing.
    stage : Stage
        Whether stored sessions decide, or only say what is worth measuring again.
    """
    found = weigh(comparisons, policy, stage)
    verdicts = judged(comparisons, found, policy, stage)
    doubt = None if policy.allow_estimates else estimated
    primary = figures([each.primary for each in comparisons], policy.confidence)
    per_token = figures([each.per_token for each in comparisons], policy.confidence)
    shift = next((evidence.shift for evidence in found.values() if evidence.shift is not None), None)
    groups: list[tuple[Row, ...]] = [(_missing_row(benchmark),) for benchmark in missing]
    for place, (each, verdict) in enumerate(zip(comparisons, verdicts, strict=True)):
        doubted = despite_noise(_doubted(verdict, doubt), each.benchmark.noisy)
        rows = _rows(each, doubted, found.get(place), primary[place], per_token[place])
        groups.append(tuple(_labelled(row, estimated) for row in rows))
        others = (*limit_rows(each, policy, doubt), *anchor_rows(each, policy, doubt, shift))
        groups += [(_labelled(row, estimated),) for row in others]
    return by_urgency(groups)


def judged(
    comparisons: Sequence[Comparison], found: dict[int, Evidence], policy: Policy, stage: Stage
) -> list[Verdict]:
    """Give the verdict on each comparison, from what the rule says of those that have an estimate."""
    return [
        _judge(each, found[place], policy, stage)
        if each.obstacle is None
        else Verdict(each.obstacle.outcome, each.obstacle.reason)
        for place, each in enumerate(comparisons)
    ]


def _judge(each: Comparison, found: Evidence, policy: Policy, stage: Stage) -> Verdict:
    if each.how == "interleaved":
        verdict = paired_verdict(each, found, policy)
    else:
        verdict = stored_verdict(each, found, policy, stage)
    return despite_noise(with_work(verdict, each, policy), each.benchmark.noisy)


def _doubted(verdict: Verdict, doubt: str | None) -> Verdict:
    if doubt is None or verdict.outcome is Outcome.INVALID:
        return verdict
    return Verdict(Outcome.INVALID, doubt, verdict.notes)


def _rows(
    each: Comparison, verdict: Verdict, found: Evidence | None, primary: Figures | None, per_token: Figures | None
) -> Iterator[Row]:
    """Give the rows of one benchmark: its deciding metric, with joules per token beside it."""
    decides = each.primary or Change(metric=each.benchmark.primary, head=math.nan)
    yield _row(
        each,
        decides,
        verdict,
        primary,
        p_adjusted=found.p_adjusted if found else None,
        detectable=found.detectable if found else None,
        domains=dict(each.domains),
        work={name: ratio for name, ratio in each.work.items() if math.isfinite(ratio)},  # JSON knows no infinity
        times=dict(each.times),
    )
    if each.per_token is not None and decides.metric is not Metric.J_PER_OUTPUT_TOKEN:
        beside = Verdict(verdict.outcome, f"shown beside {decides.metric.unit}, which decides.")
        yield _row(each, each.per_token, beside, per_token)


def _row(each: Comparison, change: Change, verdict: Verdict, numbers: Figures | None, **more: object) -> Row:
    return Row(
        benchmark=each.benchmark.name,
        metric=change.metric,
        outcome=verdict.outcome,
        reason=verdict.reason,
        base=change.base,
        head=None if math.isnan(change.head) else change.head,
        ratio=change.ratio,
        ratio_low=None if numbers is None else numbers.low,
        ratio_high=None if numbers is None else numbers.high,
        p_value=None if numbers is None else numbers.p_value,
        trials=each.trials,
        sessions=each.sessions,
        blocks=each.blocks,
        how=each.how,
        location=each.benchmark.location,
        notes=(*each.notes, *verdict.notes),
        accepted=each.accepted,
        **more,  # type: ignore[arg-type]  # the remaining fields of Row, by name
    )


def _labelled(row: Row, estimated: str | None) -> Row:
    return row if estimated is None else structs.replace(row, estimated=True)


def _missing_row(benchmark: Benchmark) -> Row:
    reason = "stored runs have it and this run did not measure it. If it was removed on purpose, record a new baseline."
    return Row(
        benchmark=benchmark.name,
        metric=benchmark.primary,
        outcome=Outcome.MISSING,
        reason=reason,
        location=benchmark.location,
    )
