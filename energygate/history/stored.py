"""The stored sessions of some benchmarks: those that count, and those of runs in which the machine had changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from energygate.history.sessions import Session, accepted_since, is_brought, sessions_of
from energygate.history.shifts import find_shifts
from energygate.history.timeline import WindowRules
from energygate.history.window import Sessions, windows
from energygate.model import Baseline, Benchmark, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored of some benchmarks, in their order.

    Attributes
    ----------
    windows : tuple of Sessions
        The sessions that count.
    every : tuple of tuple of Session
        All of them, newest first: also those that are older, left out, or of pinned commits.
    rules : WindowRules
        As they were given, with the runs left out in which the machine had changed.
    warnings : tuple of str
        What has to be said of those, and of runs that the change under test brings.
    """

    windows: tuple[Sessions, ...]
    every: tuple[tuple[Session, ...], ...]
    rules: WindowRules
    warnings: tuple[str, ...]


def find_stored(benchmarks: Sequence[Benchmark], baseline: Baseline, rules: WindowRules) -> Stored:
    """Find the stored sessions of some benchmarks, and which of them count.

    Parameters
    ----------
    baseline : Baseline
        Of one machine.
    """
    newest_first = sorted(baseline.runs, key=lambda run: run.started_at, reverse=True)
    # A shift shows in all benchmarks of a session, whichever of them are asked for.
    names = {benchmark.name for benchmark in benchmarks}
    others = [benchmark for benchmark in _newest(newest_first) if benchmark.name not in names]
    every = sessions_of([*benchmarks, *others], newest_first, at_base=baseline.at_base)
    shifts = find_shifts(
        every,
        prior=rules.prior,
        most=rules.sessions,
        canary=rules.canary,
        starts=accepted_since(newest_first),
    )
    own, found = every[: len(benchmarks)], replace(rules, left_out=shifts.left_out)
    return Stored(
        windows=windows(benchmarks, baseline, found, stored=own),
        every=own,
        rules=found,
        warnings=(*shifts.warnings, *_brought(baseline)),
    )


def _brought(baseline: Baseline) -> Iterator[str]:
    """Say which stored runs the change under test brings."""
    brought = [run.run_id for run in baseline.runs if not run.accepts and is_brought(run, baseline.at_base)]
    if brought:
        more = f" and {len(brought) - 1} more" if len(brought) > 1 else ""
        yield (
            f"stored run {brought[0]}{more}: the base revision does not have it, so this change brings it, and it does "
            "not count: no change is its own standard. Record sessions on the main branch."
        )


def _newest(newest_first: Sequence[Run]) -> tuple[Benchmark, ...]:
    return next((run.benchmarks for run in newest_first if not run.source.dirty), ())
