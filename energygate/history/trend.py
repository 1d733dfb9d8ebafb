"""How the energy of each benchmark went over the stored sessions, as `energygate history` shows it."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from energygate.history.sessions import Session
from energygate.history.stored import find_stored
from energygate.history.timeline import Timeline, WindowRules, changes_of
from energygate.history.window import Sessions
from energygate.model import Acceptance, Baseline, Benchmark, Label, Machine, Metric, Run
from energygate.stats.changepoint import ChangePoint

POSSIBLE_LEVEL: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A change of level that begins with a session.

    Attributes
    ----------
    ratio : float
        Mean since then over mean before, each up to the next change.
    is_certain : bool
        Whether it cuts the window; otherwise it is only possible.
    is_accepted : bool
        Whether somebody accepts it, or nobody needs to: it is a decrease.
    """

    ratio: float
    p_value: float
    is_certain: bool
    is_accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One session of a benchmark: its typical value, in the metric's unit, and what begins with it.

    Attributes
    ----------
    counts : bool
        Whether the next run is compared with it.
    is_shifted : bool
        Whether the machine had changed, so that it says nothing of the code.
    """

    run_id: str
    at: dt.datetime
    commit: str | None
    value: float
    trials: int
    counts: bool = False
    is_shifted: bool = False
    change: LevelChange | None = None
    accepted: tuple[Acceptance, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """One benchmark on one machine, oldest session first.

    Attributes
    ----------
    label : str
        What stands beside its numbers where they are no measurement: `estimate`, `integrated power`.
    others : int
        Stored runs of it that are no sessions: other work, noisy, too few trials, uncommitted changes.
    """

    benchmark: str
    machine: str
    fingerprint: str
    metric: Metric
    label: Label
    entries: tuple[Entry, ...]
    others: int
    warnings: tuple[str, ...]


def by_machine(runs: Sequence[Run]) -> tuple[tuple[Machine, Baseline], ...]:
    """Split stored runs by machine, each newest first; the machine is described as its newest run does."""
    grouped: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.started_at, reverse=True):
        grouped.setdefault(run.machine.fingerprint, []).append(run)
    return tuple((group[0].machine, Baseline(runs=tuple(group))) for group in grouped.values())


def newest_benchmarks(baseline: Baseline, name: str | None = None) -> tuple[Benchmark, ...]:
    """Give each benchmark as its newest clean run has it, by name; only one if it is named."""
    found: dict[str, Benchmark] = {}
    for run in baseline.runs:
        for benchmark in () if run.source.dirty else run.benchmarks:
            if name in {None, benchmark.name} and benchmark.is_measured:
                found.setdefault(benchmark.name, benchmark)
    return tuple(found[each] for each in sorted(found))


def trends(runs: Sequence[Run], rules: WindowRules, *, name: str | None = None) -> tuple[Trend, ...]:
    """Give the trend of each benchmark on each machine, or of one benchmark."""
    return tuple(
        trend
        for machine, baseline in by_machine(runs)
        for trend in _of_machine(machine, baseline, newest_benchmarks(baseline, name), rules)
    )


def _of_machine(
    machine: Machine, baseline: Baseline, benchmarks: Sequence[Benchmark], rules: WindowRules
) -> Iterator[Trend]:
    stored = find_stored(benchmarks, baseline, rules)
    for window, entries in zip(stored.windows, entries_of(stored.windows, stored.rules), strict=True):
        name = window.benchmark.name
        yield Trend(
            benchmark=name,
            machine=machine.label,
            fingerprint=machine.fingerprint,
            metric=window.benchmark.primary,
            label=baseline.runs[0].label,
            entries=entries,
            others=sum(run.benchmark(name) is not None for run in baseline.runs) - len(entries),
            warnings=(*stored.warnings, *window.warnings),
        )


def entries_of(windows: Sequence[Sessions], rules: WindowRules) -> Iterator[tuple[Entry, ...]]:
    """Give the entries of each benchmark, oldest first: those that count and all others.

    The changes that cut a window were found with it; only those that are merely possible are searched for here.
    """
    possible = changes_of([window.timeline.sessions for window in windows], rules, alpha=POSSIBLE_LEVEL)
    for window, maybe in zip(windows, possible, strict=True):
        counting = frozenset(session.run.run_id for session in window.found)
        entries = [*_entries(window.timeline, _changes(window.timeline, maybe), counting)]
        entries += [_entry(session, is_shifted=True) for session in window.timeline.shifted]
        yield tuple(sorted(entries, key=lambda entry: (entry.at, entry.run_id)))


def _changes(certain: Timeline, possible: Sequence[ChangePoint]) -> Mapping[int, LevelChange]:
    """Give the changes by position. A certain one may lie a little beside where the easier search found it."""
    unaccepted = {point.index for point in certain.unaccepted}
    sure = {
        point.index: LevelChange(
            ratio=point.ratio, p_value=point.p_value, is_certain=True, is_accepted=point.index not in unaccepted
        )
        for point in certain.points
    }
    rest = list(possible)
    for point in certain.points:
        alike = [each for each in rest if each.log_ratio * point.log_ratio > 0]
        if alike:
            rest.remove(min(alike, key=lambda each: abs(each.index - point.index)))
    maybe = {
        point.index: LevelChange(ratio=point.ratio, p_value=point.p_value, is_certain=False, is_accepted=True)
        for point in rest
    }
    return maybe | sure


def _entries(timeline: Timeline, changes: Mapping[int, LevelChange], counting: frozenset[str]) -> Iterator[Entry]:
    for position, session in enumerate(timeline.sessions):
        yield _entry(
            session,
            counts=session.run.run_id in counting,
            change=changes.get(position),
            accepted=tuple(each.acceptance for each in timeline.accepted if each.start == position),
        )


def _entry(session: Session, **more: Any) -> Entry:
    return Entry(
        run_id=session.run.run_id,
        at=session.run.started_at,
        commit=session.run.source.commit,
        value=session.value,
        trials=int(session.place.n),
        **more,
    )
