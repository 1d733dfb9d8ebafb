"""Accepting a new level: the run to store that says which benchmarks it accepts, by whom and why. Pure.

A run that is not stored yet, that of a failing gate, is stored with the words in it. A stored run never changes, so
an increase that the stored runs show already is accepted by a run without measurements that points to it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import structs

from energygate.errors import BaselineError, ConfigError
from energygate.history.sessions import FEWEST_TRIALS, Session, sessions_of, usable_trials
from energygate.history.stored import find_stored
from energygate.history.timeline import Timeline, WindowRules, timelines
from energygate.history.trend import by_machine, newest_benchmarks
from energygate.history.window import awaiting, said_of
from energygate.model import Acceptance, Baseline, Benchmark, Run
from energygate.stats.estimate import to_ratio
from energygate.units import format_change, format_quantity
from energygate.workloads.text import printable

_MOST_NAMES = 10
_MOST_BEFORE = 10


def measured_acceptance(run: Run, acceptances: Sequence[Acceptance]) -> Run:
    """Give the run, not stored yet, with the acceptances in it. Raises BaselineError, ConfigError."""
    for each in acceptances:
        require_session(run, each.benchmark)
    return structs.replace(run, accepts=(*run.accepts, *acceptances))


def pointing_acceptance(shown: Sequence[tuple[Run, Acceptance]], *, run_id: str) -> Run:
    """Give a run without measurements that accepts what stored runs of one machine show.

    Parameters
    ----------
    shown : sequence of Run and Acceptance
        The run where the window is to start, and what is said of it.

    Raises
    ------
    BaselineError, ConfigError
        If a window cannot start there.
    """
    for run, acceptance in shown:
        require_session(run, acceptance.benchmark)
    newest = max((run for run, _ in shown), key=lambda run: run.started_at)
    return structs.replace(
        newest,
        run_id=run_id,
        started_at=shown[0][1].at,
        benchmarks=(),
        idle=None,
        notes=(),
        accepts=tuple(structs.replace(acceptance, since=run.run_id) for run, acceptance in shown),
    )


def require_session(run: Run, name: str) -> Session:
    """Give a run as a session of a benchmark if a window can start there. Raises ConfigError, BaselineError."""
    found = require_benchmark(run, name)
    sessions = _sessions(run, found)
    if not sessions:
        raise BaselineError(
            f"{printable(name)}: run {run.run_id} shows no level that could be accepted: {_fault(run, found)}",
            why="Later runs would have nothing to be compared with.",
            fix="Measure it again, and accept that run.",
        )
    return sessions[0]


def _sessions(run: Run, found: Benchmark) -> tuple[Session, ...]:
    """Give a run as the session of a benchmark that it is; none where it is none."""
    measured = structs.replace(run, accepts=())  # what it accepts so far says nothing of this benchmark
    return sessions_of([found], [measured])[0]


def require_benchmark(run: Run, name: str) -> Benchmark:
    """Give a benchmark of a run. Raises ConfigError, with the names that it has."""
    found = run.benchmark(name)
    if found is None:
        names = [printable(each.name) for each in run.benchmarks]
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        raise ConfigError(
            f"Run {run.run_id} has no benchmark {name!r}.",
            fix=f"It has {', '.join(names[:_MOST_NAMES]) or 'none'}{more}.",
        )
    return found


def accepted_already(run: Run, acceptance: Acceptance, stored: Sequence[Run]) -> Acceptance | None:
    """Give the stored acceptance of that level that holds for as long, if there is one: another would say the same."""
    found = (
        each
        for accepting in stored
        for each in accepting.accepts
        if each.benchmark == acceptance.benchmark
        and (each.since or accepting.run_id) == run.run_id
        and each.until == acceptance.until
    )
    return next(found, None)


def _fault(run: Run, found: Benchmark) -> str:
    if run.source.dirty:
        return "it was measured with uncommitted changes."
    usable = len(usable_trials(found, found.primary))
    return found.invalid or found.noisy or f"{usable} of {FEWEST_TRIALS} valid trials."


def awaiting_runs(name: str, stored: Sequence[Run], rules: WindowRules) -> Iterator[Run]:
    """Give, for each machine, the run with which an increase begins that somebody has to accept or to undo."""
    for _, baseline in by_machine(stored):
        for timeline in _timelines(newest_benchmarks(baseline, name), baseline, rules):
            if (session := awaiting(timeline)) is not None:
                yield session.run


def accepted_change(run: Run, acceptance: Acceptance, stored: Sequence[Run], rules: WindowRules) -> str:
    """Say what is accepted: `bench: 100 J → 112 J (+12.0 %), by alice on 2026-11-03: a better model`."""
    session = require_session(run, acceptance.benchmark)
    return f"{printable(acceptance.benchmark)}: {_sizes(session, stored, rules)}, {said_of(acceptance)}"


def sizes_of(run: Run, acceptance: Acceptance, stored: Sequence[Run], rules: WindowRules) -> str:
    """Say which level is accepted, and which one was before: `100 J → 112 J (+12.0 %)`; empty where no run shows it.

    Parameters
    ----------
    run : Run
        The one that accepts it.
    """
    since = acceptance.since or run.run_id
    showing = next((each for each in (run, *stored) if each.run_id == since), None)
    found = None if showing is None else showing.benchmark(acceptance.benchmark)
    sessions = () if showing is None or found is None else _sessions(showing, found)
    return _sizes(sessions[0], stored, rules) if sessions else ""


def _sizes(session: Session, stored: Sequence[Run], rules: WindowRules) -> str:
    run, unit = session.run, session.benchmark.primary.unit
    same = Baseline(runs=tuple(each for each in stored if each.machine.fingerprint == run.machine.fingerprint))
    (timeline,) = _timelines([session.benchmark], same, rules)
    older = sum(each.run.run_id < run.run_id for each in timeline.sessions)
    is_stored = any(each.run.run_id == run.run_id for each in timeline.sessions)
    level = timeline.level(older, len(timeline.sessions)) if is_stored else session.level
    now = format_quantity(_ratio(level), unit)
    if not older:
        return now
    before = timeline.level(max(0, older - _MOST_BEFORE), older)
    was, change = format_quantity(_ratio(before), unit), format_change(_ratio(level - before))
    return f"{was} \N{RIGHTWARDS ARROW} {now} ({change})"


def _timelines(benchmarks: Sequence[Benchmark], baseline: Baseline, rules: WindowRules) -> tuple[Timeline, ...]:
    """The timelines as reports tell them: without the runs in which the machine had changed."""
    stored = find_stored(benchmarks, baseline, rules)
    return timelines(benchmarks, baseline, stored.rules, stored=stored.every)


def _ratio(log: float) -> float:
    return float(to_ratio(np.asarray(log)))
