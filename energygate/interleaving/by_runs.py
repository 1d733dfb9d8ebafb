"""Blocks of a command that measures by itself: a fresh process for each side and block, one trial of each benchmark."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from energygate.clock import Clock
from energygate.errors import InvalidCode
from energygate.interleaving.prepared import Command, Sides, unexplained_fault
from energygate.measure.interleave import Side
from energygate.measure.sides import Execution
from energygate.model import Benchmark, Trial, Work

TOO_SMALL: Final = frozenset({InvalidCode.TOO_SHORT, InvalidCode.TOO_LITTLE_ENERGY})
_CODES: Final = frozenset(InvalidCode)
_MORE: Final = 1.5


@dataclass(slots=True, kw_only=True)
class ByRuns:
    """Measures with processes that write Runs.

    Attributes
    ----------
    iterations : dict of benchmark name to int
        How often each repeats its work inside a trial, on both sides of a block.
    """

    sides: Sides
    command: Command
    iterations: dict[str, int]
    clock: Clock
    epoch_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.epoch_s = self.clock.now_s()

    def measure(self, side: Side, block: int, names: Sequence[str]) -> Mapping[str, Trial]:
        """Give one trial of each of these benchmarks."""
        started_s = self.clock.now_s() - self.epoch_s
        words = self.command(self.sides.places[side], names)
        assert words is not None  # noqa: S101  only what both sides have is measured
        assignment = self.sides.assignment(names=names, iterations=self.iterations, played=block - 1)
        done, run = self.sides.execute(side, words, assignment)
        fault = unexplained_fault(done, run)
        found = {name: None if run is None else run.benchmark(name) for name in names}
        trials = {name: _trial(benchmark, done, fault) for name, benchmark in found.items()}
        for name, trial in trials.items():
            if (trial.invalid or "").partition(":")[0] in TOO_SMALL:
                # Its block is void, and each block is compared alone: the next ones may hold more work.
                self.iterations[name] = math.ceil(_MORE * trial.iterations)
        return {name: structs.replace(t, block=block, started_s=started_s) for name, t in trials.items()}


def _trial(benchmark: Benchmark | None, done: Execution, fault: str | None) -> Trial:
    if benchmark is None or not benchmark.trials:
        said = (benchmark.invalid if benchmark is not None else None) or fault or done.fault
        reason = f"it was not measured: {said or 'the command did without it'}"
        return Trial(index=0, started_s=0.0, duration_s=0.0, energy_j={}, work=Work(), invalid=_coded(reason))
    trial = benchmark.trials[-1]
    invalid = trial.invalid or benchmark.invalid or fault
    return structs.replace(trial, invalid=None if invalid is None else _coded(invalid))


def _coded(reason: str) -> str:
    """Give `code: sentence`, as a trial says why it does not count."""
    return reason if reason.partition(":")[0] in _CODES else f"{InvalidCode.WORK_FAILED}: {reason}"
