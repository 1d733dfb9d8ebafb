"""The trials of both sides that make pairs: one of the base and one of the head, of one block."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from energygate.history.sessions import usable_trials
from energygate.model import Benchmark, Metric, Run, Trial
from energygate.stats.distributions import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The blocks of one benchmark of which both sides count, in their order.

    Attributes
    ----------
    blocks : tuple of int
    base, head : tuple of Trial
        One for each block.
    void : int
        How many blocks don't count: a side is invalid, missing, or there twice.
    """

    blocks: tuple[int, ...]
    base: tuple[Trial, ...]
    head: tuple[Trial, ...]
    void: int


def find_pairs(base: Benchmark | None, head: Benchmark, metric: Metric) -> Pairs:
    """Pair the usable trials of both sides by their block."""
    trials = [() if side is None else side.trials for side in (base, head)]
    sides = [{} if side is None else _by_block(side, metric) for side in (base, head)]
    blocks = sorted(sides[0].keys() & sides[1].keys())
    seen = {trial.block for side in trials for trial in side if trial.block is not None}
    return Pairs(
        blocks=tuple(blocks),
        base=tuple(sides[0][block] for block in blocks),
        head=tuple(sides[1][block] for block in blocks),
        void=len(seen) - len(blocks),
    )


def paired_logs(base: Benchmark, head: Benchmark) -> tuple[Floats, Floats]:
    """Logs of the deciding metric of both sides, each of shape (n,), for the blocks of which both count."""
    metric = head.primary
    pairs = find_pairs(base, head, metric)
    logs = [_logs(side, metric) for side in (pairs.base, pairs.head)]
    return logs[0], logs[1]


def are_paired(base: Run, head: Run) -> bool:
    """Whether two runs were measured in turns with each other: every trial of either says to which block it belongs.

    Blocks of two interleavings have nothing in common but their numbers: runs that name one name the same. A side that
    failed, or that has nothing to measure, has no trial at all.
    """
    if base.interleaving != head.interleaving:
        return False
    trials = [trial for run in (base, head) for benchmark in run.benchmarks for trial in benchmark.trials]
    return bool(trials) and all(trial.block is not None for trial in trials)


def _by_block(benchmark: Benchmark, metric: Metric) -> dict[int, Trial]:
    """The usable trials of one side; a block with two trials pairs with neither."""
    once = Counter(trial.block for trial in benchmark.trials)
    usable = usable_trials(benchmark, metric)
    return {trial.block: trial for trial in usable if trial.block is not None and once[trial.block] == 1}


def _logs(trials: Sequence[Trial], metric: Metric) -> Floats:
    logs: Floats = np.log([trial.value(metric) or np.nan for trial in trials])
    return logs
