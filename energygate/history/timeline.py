"""The sessions of a benchmark in the order of time, with its changes of level and who accepted which."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from energygate.history.sessions import Session, sessions_of
from energygate.model import Acceptance, Baseline, Benchmark, Run
from energygate.stats.changepoint import ChangePoint, all_change_points
from energygate.stats.stored import Prior

LEVEL: Final = 0.001
_MOST_MOVED: Final = 2
_LONGEST: Final = 50  # sessions that are searched for changes of level


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRules:
    """What decides which sessions count.

    Attributes
    ----------
    on : date
        The day of the head: acceptances expire, and baselines age, as of then. So a report can be made again.
    sessions : int
        At most so many, newest first.
    prior : Prior
        What is assumed of the spread between sessions.
    min_effect : float
        A change of level smaller than this is none, as a fraction.
    canary : str or None
        Name of a benchmark that no change of the code touches.
    left_out : frozenset of str
        Ids of runs that are no sessions: those in which the machine had changed.
    """

    on: dt.date
    sessions: int = 10
    prior: Prior = field(default_factory=Prior)
    min_effect: float = 0.02
    canary: str | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An acceptance, and where the level that it accepts begins.

    Attributes
    ----------
    start : int
        Position of the first session on that level; their number where none is stored yet.
    run_id : str
        The run that says so.
    is_expired : bool
        Whether its last day is over.
    """

    acceptance: Acceptance
    start: int
    run_id: str
    is_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One benchmark over time.

    Attributes
    ----------
    sessions : tuple of Session
        Oldest first.
    points : tuple of ChangePoint
        Changes of level; their indices are positions among the sessions.
    accepted : tuple of Accepted
        In the order of their starts; for each start the newest only.
    shifted : tuple of Session
        Those of runs in which the machine had changed: they have no place among the others.
    """

    benchmark: Benchmark
    sessions: tuple[Session, ...]
    points: tuple[ChangePoint, ...]
    accepted: tuple[Accepted, ...]
    shifted: tuple[Session, ...] = ()

    def acceptances_of(self, point: ChangePoint) -> tuple[Accepted, ...]:
        """Give what accepts an increase: each begins between the neighbouring changes, on the new level.

        It need not begin at the change itself: the run of a pull request is older than the sessions after its merge,
        and a change that more sessions describe better may move on by a place or two.
        """
        edges = [0, *(each.index for each in self.points), len(self.sessions)]
        at = edges.index(point.index, 1)
        left, right = edges[at - 1], edges[at + 1]
        halfway = self.level(point.index, right) - point.log_ratio / 2
        return tuple(
            each
            for each in self.accepted
            if left <= each.start < right
            and (
                each.start >= point.index
                or self.sessions[each.start].level >= halfway
                or (each.start > left and each.start >= point.index - _MOST_MOVED)
            )
        )

    def level(self, start: int, stop: int) -> float:
        """Mean log of a stretch of sessions."""
        return float(np.mean([session.level for session in self.sessions[start:stop]]))

    @property
    def lasting_rises(self) -> tuple[ChangePoint, ...]:
        """The increases that were not undone since: the newest sessions lie above the middle of the step."""
        if not self.points:
            return ()
        now = self.level(self.points[-1].index, len(self.sessions))
        edges = [*(point.index for point in self.points[1:]), len(self.sessions)]
        return tuple(
            point
            for point, stop in zip(self.points, edges, strict=True)
            if point.log_ratio > 0 and now > self.level(point.index, stop) - point.log_ratio / 2
        )

    @property
    def unaccepted(self) -> tuple[ChangePoint, ...]:
        """The increases that last, and that no acceptance which still holds speaks of."""
        return tuple(
            point for point in self.lasting_rises if not any(not each.is_expired for each in self.acceptances_of(point))
        )


def timelines(
    benchmarks: Sequence[Benchmark],
    baseline: Baseline,
    rules: WindowRules,
    *,
    stored: Sequence[Sequence[Session]] | None = None,
) -> tuple[Timeline, ...]:
    """Give the timeline of each benchmark.

    Parameters
    ----------
    stored : sequence of sequences of Session, optional
        What `sessions_of` finds, where that is known already.
    """
    runs = sorted(baseline.runs, key=lambda run: run.started_at, reverse=True)
    found = sessions_of(benchmarks, runs, at_base=baseline.at_base) if stored is None else stored
    kept = [tuple(session for session in each if session.run.run_id not in rules.left_out) for each in found]
    sessions = [newest_first[:_LONGEST][::-1] for newest_first in kept]
    points = changes_of(sessions, rules, alpha=LEVEL)
    return tuple(
        Timeline(
            benchmark=benchmark,
            sessions=own,
            points=changes,
            accepted=_accepted(benchmark.name, own, runs, rules.on),
            shifted=tuple(session for session in every if session.run.run_id in rules.left_out),
        )
        for benchmark, own, changes, every in zip(benchmarks, sessions, points, found, strict=True)
    )


def changes_of(
    sessions: Sequence[Sequence[Session]], rules: WindowRules, *, alpha: float
) -> tuple[tuple[ChangePoint, ...], ...]:
    """Search the sessions of each benchmark, oldest first, for changes of level, at the level `alpha`."""
    levels = [[session.level for session in each] for each in sessions]
    return all_change_points(levels, prior=rules.prior, alpha=alpha, min_effect=rules.min_effect)


def _accepted(name: str, sessions: Sequence[Session], runs: Sequence[Run], on: dt.date) -> tuple[Accepted, ...]:
    """Give the acceptances with the position where each begins; a newer one of the same start replaces an older."""
    said = [(each, run.run_id) for run in runs for each in run.accepts if each.benchmark == name]
    by_start: dict[int, Accepted] = {}
    for acceptance, run_id in sorted(said, key=lambda each: each[0].at):
        # Ids begin with the time, so a start that is no session (any more) still has its place between them.
        first = acceptance.since or run_id
        start = next((i for i, session in enumerate(sessions) if session.run.run_id >= first), len(sessions))
        expired = acceptance.until is not None and acceptance.until < on
        by_start[start] = Accepted(acceptance=acceptance, start=start, run_id=run_id, is_expired=expired)
    return tuple(by_start[start] for start in sorted(by_start))
