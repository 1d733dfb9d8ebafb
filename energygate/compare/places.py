"""Where every quantity of many benchmarks lies, on the head's side and in each of its stored sessions."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from energygate.model import Benchmark, Metric
from energygate.samples import COUNTS, DECIDING, Samples
from energygate.stats.distributions import Floats, Integers
from energygate.stats.estimate import Estimate, to_ratio
from energygate.stats.location import Location, at
from energygate.stats.stored import Prior, between_sessions, stored

WORK: Final = "work:"
DOMAIN: Final = "domain:"


def quantities_of(benchmarks: Sequence[Benchmark], metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Name everything that is compared: what decides, joules per token, limited metrics, work, and each domain."""
    domains = {domain for benchmark in benchmarks for trial in benchmark.valid for domain in trial.energy_j}
    return (
        DECIDING,
        *sorted({Metric.J_PER_OUTPUT_TOKEN, *metrics}),
        *(f"{WORK}{name}" for name in COUNTS),
        *(f"{DOMAIN}{name}" for name in sorted(domains)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Locations of the logs of some quantities; NaN where a trial lacks the quantity.

    Attributes
    ----------
    head : Location, shape (n_benchmarks, n_quantities)
    sessions : Location, shape (n_sessions, n_quantities)
        Those of the first benchmark, then those of the second, and so on.
    counts : array of int, shape (n_benchmarks,)
        How many sessions each benchmark has.
    bases : array of float, shape (n_benchmarks, n_quantities)
        Mean of the sessions' logs; NaN without sessions, and where one of them lacks the quantity.
    """

    quantities: tuple[str, ...]
    head: Location
    sessions: Location
    counts: Integers
    bases: Floats

    def column(self, quantity: str) -> int | None:
        """Where a quantity stands, or None where no head has it."""
        return self.quantities.index(quantity) if quantity in self.quantities else None

    def head_of(self, benchmark: int, quantity: str) -> Location | None:
        """The head's location of one quantity, or None where it is not known."""
        column = self.column(quantity)
        found = None if column is None else at(self.head, (benchmark, column))
        return found if found is not None and np.isfinite(found.value) else None

    def base_of(self, benchmark: int, quantity: str) -> float | None:
        """The sessions' typical value of one quantity, or None where it is not known."""
        column = self.column(quantity)
        base = math.nan if column is None else self.bases[benchmark, column]
        return math.exp(base) if math.isfinite(base) else None

    def sessions_of(self, benchmark: int, quantity: str) -> Location | None:
        """The sessions' locations of one quantity, shape (k,), or None where one of them lacks it."""
        column, start = self.column(quantity), int(np.sum(self.counts[:benchmark]))
        if column is None or not self.counts[benchmark]:
            return None
        found = at(self.sessions, (slice(start, start + int(self.counts[benchmark])), column))
        return found if np.all(np.isfinite(found.value)) else None

    def estimates(self, quantity: str, prior: Prior, *, judged: NDArray[np.bool_]) -> dict[int, Estimate]:
        """Compare the heads with their sessions, those with equally many sessions together.

        Parameters
        ----------
        judged : array of bool, shape (n_benchmarks,)
            Which benchmarks to compare.
        """
        found: dict[int, Estimate] = {}
        for benchmarks, sessions in self._by_count(quantity, judged):
            column = self.column(quantity)
            together = stored(at(self.head, (benchmarks, column)), sessions, prior=prior)
            fields = zip(together.log_ratio, together.se, together.df, strict=True)
            each = [Estimate(log_ratio=log_ratio, se=se, df=df) for log_ratio, se, df in fields]
            found.update(zip(benchmarks.tolist(), each, strict=True))
        return found

    def between(self) -> Floats:
        """Variance between the sessions of what decides, shape (n_benchmarks,); 0 for one session or none."""
        variances = np.zeros(self.counts.size)
        for benchmarks, sessions in self._by_count(DECIDING, np.ones(self.counts.size, dtype=bool)):
            variances[benchmarks] = between_sessions(sessions)
        return variances

    def ratios(self, prefix: str) -> list[dict[str, float]]:
        """Head over the sessions' mean, by name, of the quantities that begin so; absent where it is not known."""
        columns = [position for position, name in enumerate(self.quantities) if name.startswith(prefix)]
        names = [self.quantities[position].removeprefix(prefix) for position in columns]
        logs = self.head.value[:, columns] - self.bases[:, columns]
        ratios = to_ratio(logs)
        return [
            {name: ratio for name, ratio in zip(names, row, strict=True) if ratio < np.inf} for row in ratios.tolist()
        ]

    def _by_count(self, quantity: str, wanted: NDArray[np.bool_]) -> Iterator[tuple[Integers, Location]]:
        """Give the benchmarks with equally many sessions, and these, where both sides know the quantity."""
        column = self.column(quantity)
        if column is None:
            return
        starts = np.cumsum(self.counts) - self.counts
        known = wanted & np.isfinite(self.head.value[:, column]) & np.isfinite(self.bases[:, column])
        for count in np.unique(self.counts[known]).tolist():
            benchmarks = np.flatnonzero(known & (self.counts == count))
            rows = starts[benchmarks, np.newaxis] + np.arange(count)
            yield benchmarks, at(self.sessions, (rows, column))


def locate(heads: Samples, sessions: Samples, counts: Sequence[int], quantities: Sequence[str]) -> Places:
    """Locate all quantities that at least one head has."""
    head = heads.places(quantities)
    known = np.flatnonzero(np.any(np.isfinite(head.value), axis=0))
    names = tuple(quantities[position] for position in known.tolist())
    places, many = sessions.places(names), np.array(counts, dtype=np.int64)
    return Places(
        quantities=names,
        head=at(head, (slice(None), known)),
        sessions=places,
        counts=many,
        bases=_means(places.value, many),
    )


def _means(values: Floats, counts: Integers) -> Floats:
    """Mean of the rows of each benchmark, which stand one after the other; NaN for one without rows."""
    sums = np.zeros((counts.size, values.shape[-1]))
    np.add.at(sums, np.repeat(np.arange(counts.size), counts), values)
    means: Floats = sums / np.where(counts > 0, counts, np.nan)[:, np.newaxis]
    return means
