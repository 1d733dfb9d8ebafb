"""Base and head measured in turns: the trials of one block are a pair, and the session's effect is in both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import structs

from energygate.compare.answers import changed_answers, times_of_both
from energygate.compare.limits import limit_checks
from energygate.compare.machines import hard_key_differences
from energygate.compare.notes import all_standing_apart, notes_of
from energygate.compare.obstacles import DEFINITION, fault_of_pairs, other_domains, too_few_blocks
from energygate.compare.pairs import Pairs, find_pairs
from energygate.compare.places import DOMAIN, WORK, Places, locate, quantities_of
from energygate.compare.values import Change, CompareRules, Comparison, Obstacle
from energygate.history.sessions import counts_the_same, usable_trials
from energygate.model import Benchmark, Metric, Outcome, Run, TrialCounts
from energygate.samples import COUNTS, DECIDING, Samples, samples
from energygate.stats.distributions import Floats, Integers
from energygate.stats.estimate import to_ratio
from energygate.stats.location import Location, at, ragged_location
from energygate.stats.paired import from_differences


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """What was computed for all benchmarks together; each has its position.

    Attributes
    ----------
    places, bases : Places
        Where each side lies by itself.
    differences : Location, shape (n_benchmarks, n_quantities)
        Where the logs of the pairs lie, head less base.
    """

    others: Sequence[Benchmark | None]
    heads: Sequence[Benchmark]
    pairs: tuple[Pairs, ...]
    places: Places
    bases: Location
    differences: Location
    work: Sequence[Mapping[str, float]]
    apart: Sequence[tuple[str, ...]]

    def change(self, position: int, quantity: str, metric: Metric, *, judged: bool) -> Change | None:
        """One metric of one benchmark."""
        head, column = self.places.head_of(position, quantity), self.places.column(quantity)
        if head is None or column is None:
            return None
        difference = at(self.differences, (position, column))
        if not np.isfinite(difference.value):
            return Change(metric=metric, head=math.exp(head.value))
        return Change(
            metric=metric,
            head=math.exp(head.value),
            base=math.exp(self.bases.value[position, column]),
            estimate=from_differences(difference) if judged else None,
        )

    def ratios(self, position: int, prefix: str) -> dict[str, float]:
        """Head over base, by name, of the quantities that begin so."""
        ratios = to_ratio(self.differences.value[position]).tolist()
        pairs = zip(self.places.quantities, ratios, strict=True)
        return {name.removeprefix(prefix): r for name, r in pairs if name.startswith(prefix) and r < math.inf}


def compare_interleaved(
    base: Run, head: Run, *, rules: CompareRules, limits: Mapping[str, Mapping[Metric, float]]
) -> tuple[Comparison, ...]:
    """Compare every benchmark of the head with the base trials of the same blocks.

    Parameters
    ----------
    rules : CompareRules
        Only its share of invalid trials, here of blocks, and its prior are used.
    limits : mapping of benchmark name to mapping of metric to limit
        Absolute limits to check on the head's trials, in the metric's unit.
    """
    others = [base.benchmark(benchmark.name) for benchmark in head.benchmarks]
    sides = _sides(others, head.benchmarks, {metric for each in limits.values() for metric in each})
    apart = _other_machine(base, head)
    return tuple(
        _conclude(position, sides, rules, limits.get(benchmark.name, {}), apart)
        for position, benchmark in enumerate(head.benchmarks)
    )


def _sides(others: Sequence[Benchmark | None], heads: Sequence[Benchmark], metrics: set[Metric]) -> _Sides:
    pairs = tuple(
        find_pairs(other, benchmark, benchmark.primary) for other, benchmark in zip(others, heads, strict=True)
    )
    deciding = [benchmark.primary for benchmark in heads]
    paired_heads = [structs.replace(b, trials=each.head) for b, each in zip(heads, pairs, strict=True)]
    paired_bases = [structs.replace(b, trials=each.base) for b, each in zip(heads, pairs, strict=True)]
    head, base = samples(paired_heads, deciding), samples(paired_bases, deciding)
    places = locate(head, samples([], []), [0] * len(heads), quantities_of(paired_heads, metrics))
    logs = head.logs(places.quantities) - base.logs(places.quantities)
    differences = ragged_location(logs, head.sizes)
    return _Sides(
        others=others,
        heads=heads,
        pairs=pairs,
        places=places,
        bases=base.places(places.quantities),
        differences=differences,
        work=_total_ratios(base, head),
        apart=all_standing_apart(
            _split(head.deciding - base.deciding, head.sizes), [each.blocks for each in pairs], called="block"
        ),
    )


def _split(values: Floats, sizes: Integers) -> list[Floats]:
    return np.split(values, np.cumsum(sizes)[:-1]) if sizes.size else []


def _total_ratios(base: Samples, head: Samples) -> list[dict[str, float]]:
    """Ratio of each count per request from totals: unlike a log, it knows work that is no longer done."""
    found: list[dict[str, float]] = [{} for _ in head.sizes]
    for name in COUNTS:
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # what was not counted gives no ratio, what was 0 an infinite
            ratios = (head.total(name) / head.total("requests")) / (base.total(name) / base.total("requests"))
        for each, ratio in zip(found, ratios.tolist(), strict=True):
            if not math.isnan(ratio):
                each[name] = ratio
    return found


def _conclude(
    position: int, sides: _Sides, rules: CompareRules, limits: Mapping[Metric, float], elsewhere: Obstacle | None
) -> Comparison:
    base, head, pairs = sides.others[position], sides.heads[position], sides.pairs[position]
    obstacle = (
        _without_a_base(base, head)
        or elsewhere
        or (base and fault_of_pairs(base, head, pairs, rules.max_invalid))
        or too_few_blocks(len(pairs.blocks))
    )
    judged = obstacle is None
    return Comparison(
        benchmark=structs.replace(head, noisy=head.noisy or (base.noisy if base else None)),
        how="interleaved",
        obstacle=obstacle,
        trials=TrialCounts(base=len(pairs.base), head=len(pairs.head), invalid=pairs.void),
        primary=sides.change(position, DECIDING, head.primary, judged=judged),
        per_token=sides.change(position, Metric.J_PER_OUTPUT_TOKEN, Metric.J_PER_OUTPUT_TOKEN, judged=judged),
        limits=tuple(limit_checks(limits, pairs.head, sides.places, position, rules.prior)),
        blocks=len(pairs.blocks),
        work={**sides.work[position], **sides.ratios(position, WORK)},
        domains=sides.ratios(position, DOMAIN),
        changed=tuple(changed_answers(pairs.base, pairs.head)),
        times=times_of_both(pairs.base, pairs.head),
        notes=(*notes_of(head, usable_trials(head, head.primary), base), *sides.apart[position]),
    )


def _without_a_base(base: Benchmark | None, head: Benchmark) -> Obstacle | None:
    """Say why the base side is nothing to compare with, or None where it is."""
    if base is None:
        reason = "the base does not have it: it is new, and has nothing to be compared with."
        return Obstacle(outcome=Outcome.NO_BASELINE, reason=reason)
    if base.workload != head.workload:
        reason = (
            f"its definition ({DEFINITION}) differs between base and head, so they did other work and cannot be "
            "compared."
        )
        return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    if head.primary is Metric.J_PER_REQUEST and base.valid and base.primary is not Metric.J_PER_REQUEST:
        reason = "only the head counts requests. Count them on both sides: joules per request need them."
        return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    if not counts_the_same(base, head):
        reason = f"{other_domains(base, head, called='base and head')} Measure both with the same meters."
        return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    return None


def _other_machine(base: Run, head: Run) -> Obstacle | None:
    if base.machine.fingerprint == head.machine.fingerprint:
        return None
    differences = "; ".join(hard_key_differences(head.machine, base.machine))
    reason = f"base and head were measured on different machines or set-ups ({differences}). Measure both on one."
    return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
