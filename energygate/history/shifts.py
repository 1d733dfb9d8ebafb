"""Stored runs in which the machine had changed, and not the code: they are no sessions.

A run is shifted where nearly all of its benchmarks moved alike against the sessions before it, or where the canary
moved, which no change of the code touches. A second one that moved the same way says that this is how it is now: the
window starts anew at the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from energygate.history.sessions import Session
from energygate.model import Run
from energygate.stats.estimate import to_ratio
from energygate.stats.location import stack
from energygate.stats.shift import canary_moved, common_shift
from energygate.stats.stored import Prior, stored
from energygate.units import format_change

_HASH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """Which stored runs don't count, and what to say of it above every report."""

    left_out: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Search:
    """Goes through the runs, oldest first, and remembers what counts so far.

    Attributes
    ----------
    counting : mapping of benchmark to sessions
        Oldest first.
    pending : (Run, sessions, log ratio) or None
        The run before, if it was shifted.
    passed : list of str
        Ids of all runs so far.
    """

    prior: Prior
    most: int
    canary: str | None
    starts: frozenset[tuple[str, str]]
    counting: dict[str, list[Session]] = field(default_factory=dict)
    pending: tuple[Run, list[Session], float] | None = None
    passed: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    warning: str | None = None

    def look_at(self, run: Run, sessions: list[Session]) -> None:
        """Take the next run, with its sessions of all benchmarks."""
        for session in sessions:
            if (run.run_id, session.benchmark.name) in self.starts:
                self.counting.pop(session.benchmark.name, None)  # a new level was accepted: no shift, but a decision
        moved = self._moved(sessions)
        if moved is None:
            self.pending = None
            self._count(sessions)
        elif self.pending is not None and (self.pending[2] > 0) == (moved > 0):
            self._start_anew(*self.pending, sessions)
        else:
            self.left_out.add(run.run_id)
            self.pending = (run, sessions, moved)
        self.passed.append(run.run_id)

    def _moved(self, sessions: list[Session]) -> float | None:
        """By how much a run is shifted, as a log ratio, or None where it is not."""
        known = [session for session in sessions if self.counting.get(session.benchmark.name)]
        common = float(common_shift([session.level - self._level(session.benchmark.name) for session in known]))
        if np.isfinite(common):
            return common
        return next((self._canary(session) for session in known if session.benchmark.name == self.canary), None)

    def _level(self, name: str) -> float:
        before = self.counting[name]
        return sum(session.level for session in before) / len(before)

    def _canary(self, session: Session) -> float | None:
        before = self.counting[session.benchmark.name]
        found = stored(session.place, stack([each.place for each in before]), prior=self.prior)
        return float(found.log_ratio) if canary_moved(found, len(before)) else None

    def _count(self, sessions: list[Session]) -> None:
        for session in sessions:
            kept = self.counting.setdefault(session.benchmark.name, [])
            kept.append(session)
            del kept[: -self.most]

    def _start_anew(self, first: Run, earlier: list[Session], moved: float, sessions: list[Session]) -> None:
        self.left_out = set(self.passed) - {first.run_id}
        self.counting.clear()
        self._count(earlier)
        self._count(sessions)
        self.pending = None
        change = format_change(float(to_ratio(np.asarray(moved))))
        since = f"{first.started_at:%Y-%m-%d} ({_commit(first)})"
        self.warning = (
            f"stored runs differ by {change} throughout since {since}: the machine, or something that all benchmarks "
            "share, changed. Older runs don't count any more."
        )


def find_shifts(
    found: Sequence[Sequence[Session]],
    *,
    prior: Prior,
    most: int,
    canary: str | None = None,
    starts: frozenset[tuple[str, str]] = frozenset(),
) -> Shifts:
    """Find the shifted runs among the sessions of some benchmarks.

    Parameters
    ----------
    found : sequence of sequences of Session
        Those of each benchmark, in any order.
    most : int
        Sessions that a run is compared with, the newest before it.
    canary : str or None
        Name of the benchmark that no change of the code touches.
    starts : set of (run id, benchmark)
        Where a new level was accepted.
    """
    by_run: dict[str, list[Session]] = {}
    for session in (session for each in found for session in each):
        by_run.setdefault(session.run.run_id, []).append(session)
    search = _Search(prior=prior, most=most, canary=canary, starts=starts)
    for sessions in sorted(by_run.values(), key=lambda each: (each[0].run.started_at, each[0].run.run_id)):
        search.look_at(sessions[0].run, sessions)
    return Shifts(left_out=frozenset(search.left_out), warnings=() if search.warning is None else (search.warning,))


def _commit(run: Run) -> str:
    return "no commit" if run.source.commit is None else run.source.commit[:_HASH]
