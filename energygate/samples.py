"""The trials of many benchmarks as arrays: what is compared, taken out of all of them at once.

A loop over trials for each quantity would cost more than all of the statistics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from energygate.model import Benchmark, Metric, Trial
from energygate.stats.distributions import Floats, Integers
from energygate.stats.location import Location, ragged_location

DECIDING: Final = "deciding"
COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens")
_COLUMNS: Final = ("joules", "duration_s", "iterations", "requests", *COUNTS)  # and one for each domain's joules


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The usable trials of some benchmarks: those that are valid and whose deciding metric has a log.

    Attributes
    ----------
    sizes : array of int, shape (n_samples,)
        How many usable trials each has; the trials of all stand one after the other.
    columns : array of float, shape (n_columns, n_trials)
        What was read and counted; NaN where it is unknown.
    domains : tuple of str
        Of the last columns: 0 where a trial lacks one, which adds nothing and has no log.
    values : array of float, shape (n_trials,)
        The metric that decides.
    deciding : array of float, shape (n_trials,)
        Its log.
    trials : array of Trial, shape (n_trials,)
    """

    sizes: Integers
    columns: Floats
    domains: tuple[str, ...]
    values: Floats
    deciding: Floats
    trials: NDArray[np.object_]

    @property
    def starts(self) -> Integers:
        """Where the trials of each sample begin."""
        return np.cumsum(self.sizes) - self.sizes

    def trials_of(self, position: int) -> tuple[Trial, ...]:
        """The usable trials of one sample."""
        start = int(self.starts[position])
        return tuple(self.trials[start : start + int(self.sizes[position])])

    def trials_of_each(self) -> list[tuple[Trial, ...]]:
        """The usable trials of each sample."""
        return [tuple(each) for each in np.split(self.trials, self.starts[1:])] if self.sizes.size else []

    def deciding_of_each(self) -> list[Floats]:
        """The logs of the deciding metric of each sample."""
        return np.split(self.deciding, self.starts[1:]) if self.sizes.size else []

    def values_of_each(self) -> list[tuple[float, ...]]:
        """The deciding metric of each sample."""
        values, ends = self.values.tolist(), np.cumsum(self.sizes).tolist()
        return [tuple(values[start:end]) for start, end in pairwise([0, *ends])]

    def take(self, positions: Sequence[int]) -> "Samples":
        """Some of the samples, in the order given."""
        sizes = self.sizes[positions]
        within = np.arange(np.sum(sizes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        rows = np.repeat(self.starts[positions], sizes) + within
        return Samples(
            sizes=sizes,
            columns=np.take(self.columns, rows, axis=-1),
            domains=self.domains,
            values=self.values[rows],
            deciding=self.deciding[rows],
            trials=self.trials[rows],
        )

    def logs(self, quantities: Sequence[str]) -> Floats:
        """Logs of some quantities, shape (n_trials, n_quantities); NaN where one is unknown or has no log.

        Parameters
        ----------
        quantities : sequence of str
            `deciding`, a metric, `work:NAME` for a count per request, or `domain:NAME` for a domain's joules: per
            request, or per iteration where no requests are counted.
        """
        found = np.empty((len(self.deciding), len(quantities)), order="F")
        for position, name in enumerate(quantities):
            found[:, position] = self.deciding if name == DECIDING else _logs(self._values(name))
        return found

    def places(self, quantities: Sequence[str]) -> Location:
        """Where the logs of each quantity lie in each sample, shape (n_samples, n_quantities).

        The value is NaN where one of the trials lacks the quantity: it is never imputed.
        """
        return ragged_location(self.logs(quantities), self.sizes)

    def total(self, count: str) -> Floats:
        """Sum of a count over each sample, `requests` say; NaN where a trial did not count it."""
        owner = np.repeat(np.arange(self.sizes.size), self.sizes)
        return np.bincount(owner, weights=self._column(count), minlength=self.sizes.size).astype(np.float64)

    def _values(self, quantity: str) -> Floats:
        kind, _, name = quantity.rpartition(":")
        match kind:
            case "work":
                return _ratio(self._column(name), self._column("requests"))
            case "domain":
                joules, requests = self._joules(name), self._column("requests")
                return joules / np.where(requests > 0, requests, self._column("iterations"))
            case _:
                return _metric(self.columns, Metric(quantity))

    def _column(self, name: str) -> Floats:
        column: Floats = self.columns[_COLUMNS.index(name)]
        return column

    def _joules(self, domain: str) -> Floats:
        if domain not in self.domains:
            return np.zeros(len(self.deciding))
        column: Floats = self.columns[len(_COLUMNS) + self.domains.index(domain)]
        return column


def samples(benchmarks: Sequence[Benchmark], metrics: Sequence[Metric]) -> Samples:
    """Take the usable trials out of some benchmarks.

    Parameters
    ----------
    metrics : sequence of Metric
        For each benchmark the metric that decides: a trial in which it is not positive and finite is not usable.
    """
    valid = [[trial for trial in benchmark.trials if trial.invalid is None] for benchmark in benchmarks]
    flat = [trial for each in valid for trial in each]
    sizes = np.array([len(each) for each in valid], dtype=np.int64)
    energies_j = [trial.energy_j for trial in flat]
    domains = tuple(sorted(set[str]().union(*energies_j)))
    columns = _columns(flat, energies_j, domains)
    values = _deciding(columns, sizes, metrics)
    deciding = _logs(values)
    usable = np.flatnonzero(np.isfinite(deciding))
    return Samples(
        sizes=np.bincount(np.repeat(np.arange(sizes.size), sizes)[usable], minlength=sizes.size),
        columns=np.take(columns, usable, axis=-1),
        domains=domains,
        values=values[usable],
        deciding=deciding[usable],
        trials=np.fromiter(flat, dtype=object, count=len(flat))[usable],
    )


def _columns(trials: Sequence[Trial], energies_j: Sequence[Mapping[str, float]], domains: Sequence[str]) -> Floats:
    """What was read and counted in each trial; numpy turns an unknown count into NaN."""
    work = [trial.work for trial in trials]
    found: tuple[Sequence[float | None], ...] = (
        [trial.duration_s for trial in trials],
        [trial.iterations for trial in trials],
        [each.requests for each in work],
        [each.input_tokens for each in work],
        [each.output_tokens for each in work],
        [each.cached_input_tokens for each in work],
        *([each.get(domain, 0.0) for each in energies_j] for domain in domains),
    )
    columns = np.empty((1 + len(found), len(trials)))
    for position, values in enumerate(found, start=1):
        columns[position] = np.fromiter(values, dtype=object, count=len(values)).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum that is no number is the energy of no work
        columns[0] = np.sum(columns[len(_COLUMNS) :], axis=0)
    return columns


def _deciding(columns: Floats, sizes: NDArray[np.int64], metrics: Sequence[Metric]) -> Floats:
    """The metric that decides, for each trial."""
    kinds = list(dict.fromkeys(metrics))
    which = np.repeat(np.array([kinds.index(metric) for metric in metrics], dtype=np.int64), sizes)
    values = np.empty(which.size)
    for position, metric in enumerate(kinds):
        values[which == position] = _metric(columns[:, which == position], metric)
    return values


def _metric(columns: Floats, metric: Metric) -> Floats:
    joules, duration_s, iterations, requests, input_tokens, output_tokens, *_ = columns
    match metric:
        case Metric.ENERGY_J:
            return _ratio(joules, iterations)
        case Metric.DURATION_S:
            return _ratio(duration_s, iterations)
        case Metric.J_PER_REQUEST:
            return _ratio(joules, requests)
        case Metric.J_PER_OUTPUT_TOKEN:
            return _ratio(joules, output_tokens)
        case Metric.J_PER_TOTAL_TOKEN:
            return _ratio(joules, input_tokens + output_tokens)


def _ratio(of: Floats, per: Floats) -> Floats:
    """A quotient, NaN where nothing was counted to divide by."""
    quotient: Floats = of / np.where(per > 0, per, np.nan)
    return quotient


def _logs(values: Floats) -> Floats:
    logs: Floats = np.log(np.where((values > 0) & np.isfinite(values), values, np.nan))
    return logs
