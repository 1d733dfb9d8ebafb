"""Which stored runs count as sessions of a benchmark, and where each of them lies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

import numpy as np

from energygate.model import Benchmark, Metric, Run, Trial
from energygate.samples import Samples, samples
from energygate.stats.location import Location, each_of, ragged_location

FEWEST_TRIALS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One stored run as a session of one benchmark.

    Attributes
    ----------
    samples : Samples
        The trials of every session that was found together with this one.
    position : int
        Where this one stands among them.
    place : Location
        Where the logs of their deciding metric lie.
    """

    run: Run
    benchmark: Benchmark
    samples: Samples
    position: int
    place: Location

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those that can be used."""
        return self.samples.trials_of(self.position)

    @property
    def level(self) -> float:
        """Location of the logs."""
        return float(self.place.value)

    @property
    def value(self) -> float:
        """The typical trial, in the metric's unit."""
        return math.exp(self.level)


def usable_trials(benchmark: Benchmark, metric: Metric) -> tuple[Trial, ...]:
    """The valid trials whose metric is positive and finite: only those have a log."""
    return tuple(trial for trial in benchmark.valid if _is_positive(trial.value(metric)))


def counts_the_same(found: Benchmark, wanted: Benchmark) -> bool:
    """Whether all usable trials of two benchmarks are joules of the same domains: one less would look like a saving."""
    if len({tuple(trial.energy_j) for each in (found, wanted) for trial in each.trials}) <= 1:
        return True  # nearly always, and much cheaper than to ask which of them are usable
    sets = {frozenset(trial.energy_j) for each in (found, wanted) for trial in usable_trials(each, wanted.primary)}
    return len(sets) <= 1


def _is_positive(value: float | None) -> bool:
    return value is not None and 0 < value < math.inf


def sessions_of(
    benchmarks: Sequence[Benchmark], newest_first: Sequence[Run], *, at_base: frozenset[str] | None = None
) -> tuple[tuple[Session, ...], ...]:
    """Find the sessions of each benchmark, newest first, and locate all of them together.

    A session did the same work, at a clean commit, on a quiet machine, with enough valid trials. A run that accepts
    an increase was measured on a branch, so it counts for the benchmarks of which it accepts one, and for no other. So
    does a run that the change under test brings: it must not be its own standard.

    Parameters
    ----------
    at_base : frozenset of str, optional
        Ids of the runs that the base revision has too, where one is known.
    """
    by_name = [(run, {found.name: found for found in run.benchmarks}) for run in newest_first if not run.source.dirty]
    accepted = accepted_since(newest_first)
    candidates = [
        [
            (run, found)
            for run, named in by_name
            if _is_accountable(run, benchmark.name, accepted, at_base)
            and _is_same(found := named.get(benchmark.name), benchmark)
        ]
        for benchmark in benchmarks
    ]
    metrics = [benchmark.primary for benchmark in benchmarks]
    taken = samples(
        [found for each in candidates for _, found in each],
        [metric for metric, each in zip(metrics, candidates, strict=True) for _ in each],
    )
    places = each_of(ragged_location(taken.deciding[:, np.newaxis], taken.sizes))
    numbered = iter(enumerate(places))
    found_in = [[(run, found, *next(numbered)) for run, found in each] for each in candidates]
    return tuple(
        tuple(
            Session(run=run, benchmark=found, samples=taken, position=position, place=place)
            for run, found, position, place in each
            if place.n >= FEWEST_TRIALS
        )
        for each in found_in
    )


def accepted_since(runs: Sequence[Run]) -> frozenset[tuple[str, str]]:
    """Give the id of each run where a window starts, with the benchmark whose window it is."""
    return frozenset((each.since or run.run_id, each.benchmark) for run in runs for each in run.accepts)


def is_brought(run: Run, at_base: frozenset[str] | None) -> bool:
    """Whether the change under test brings a run; never where no base revision is known."""
    return at_base is not None and run.run_id not in at_base


def _is_accountable(run: Run, name: str, accepted: frozenset[tuple[str, str]], at_base: frozenset[str] | None) -> bool:
    return (run.run_id, name) in accepted or not (run.accepts or is_brought(run, at_base))


def _is_same(found: Benchmark | None, wanted: Benchmark) -> TypeGuard[Benchmark]:
    """Whether a stored benchmark did the wanted one's work, undisturbed."""
    return (
        found is not None
        and found.workload == wanted.workload
        and found.invalid is None
        and found.noisy is None
        and counts_the_same(found, wanted)
    )
