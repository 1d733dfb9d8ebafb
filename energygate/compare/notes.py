"""What belongs beside a benchmark: trials that don't count or stand apart, labels that changed."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from energygate.compare.machines import differences
from energygate.compare.obstacles import fault_of_trial, unusable_trials
from energygate.model import Benchmark, Trial
from energygate.stats.distributions import Floats
from energygate.stats.location import location
from energygate.stats.outliers import has_tail, outlying

_MANY: Final = 0.2
_FEWEST: Final = 5  # of fewer values none stands apart
_MOST_SHOWN: Final = 10


def notes_of(benchmark: Benchmark, usable: Sequence[Trial], other: Benchmark | None) -> Iterator[str]:
    """Give a benchmark's own notes, what does not count, and which labels differ from the other side's."""
    yield from benchmark.notes
    for trial in unusable_trials(benchmark, usable):
        yield f"trial {trial.number} does not count: {fault_of_trial(trial)}"
    if other is not None and usable:
        yield from differences(other.labels, benchmark.labels)


def all_standing_apart(
    series: Sequence[Floats], numbers: Sequence[Sequence[int]], *, called: str
) -> list[tuple[str, ...]]:
    """Name the values that lie far from the others of their benchmark, and say if some are hidden that cost much.

    Parameters
    ----------
    series : sequence of arrays of float
        Logs of each benchmark; those with equally many are looked at together.
    numbers : sequence of sequences of int
        Of each trial, or block, from 1.
    called : str
        `trial` or `block`.
    """
    notes: list[tuple[str, ...]] = [()] * len(series)
    sizes = np.array([len(logs) for logs in series], dtype=np.int64)
    for size in np.unique(sizes[sizes >= _FEWEST]).tolist():
        of_size = np.flatnonzero(sizes == size).tolist()
        batch = np.stack([series[position] for position in of_size])
        flags, tails = outlying(batch), has_tail(batch, location(batch))
        for position, flagged, tail in zip(of_size, flags, tails, strict=True):
            if tail or np.any(flagged):
                notes[position] = tuple(_words(np.array(numbers[position])[flagged].tolist(), size, called, tail=tail))
    return notes


def _words(flagged: Sequence[int], size: int, called: str, *, tail: bool) -> Iterator[str]:
    if flagged:
        more = ", \N{HORIZONTAL ELLIPSIS}" if len(flagged) > _MOST_SHOWN else ""
        shown = f"{', '.join(map(str, flagged[:_MOST_SHOWN]))}{more}"
        many = "many outliers: " if len(flagged) > _MANY * size else ""
        stand = "stands" if len(flagged) == 1 else "stand"
        yield f"{many}{len(flagged)} of {size} {called}s {stand} apart ({called} {shown}); kept"
    if tail:
        yield f"tail: rare {called}s lie far off, which the typical value does not follow"
