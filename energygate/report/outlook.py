"""How much is left of a session, from how long its trials took so far. It asks no clock: trials say when they were."""

from collections.abc import Mapping

from energygate.model import Trial

_MINUTE_S = 60.0
_HOUR_S = 3600.0


class Outlook:
    """What is done of the trials of a session, and about how long the others take.

    A benchmark that goes on takes as long as its own trials did so far; others, as long as all did. That holds all that
    lies between trials: warm-ups, cooling down, a server's start.

    Parameters
    ----------
    wanted : mapping of benchmark name to int
        How many trials are asked for, warm-ups included, in the order in which they are measured.
    """

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self._left = dict(wanted)
        self._begun: dict[str, None] = {}
        self._all = _Pace()
        self._own = _Pace()

    @property
    def total(self) -> int:
        """How many benchmarks there are."""
        return len({*self._left, *self._begun})

    @property
    def place(self) -> int:
        """The number of the benchmark that is measured, from 1."""
        return len(self._begun)

    @property
    def now_s(self) -> float:
        """When the last trial ended, in seconds since the run began."""
        return self._all.ended_s

    def began(self, name: str) -> None:
        """Begin a benchmark: the ones before it are over, however many of their trials were measured."""
        for earlier in self._begun:
            self._left[earlier] = 0
        self._left.setdefault(name, 0)
        self._begun[name] = None
        self._own = _Pace()

    def over(self, name: str) -> None:
        """Leave out a benchmark: it is measured, or never will be."""
        self._left[name] = 0
        self._begun[name] = None

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Take one trial into account; a warm-up says nothing of the time, and is part of that of the next one."""
        if trial is None:
            self._left[name] = max(self._left.get(name, 0) - 1, 0)
        else:
            self._left[name] = wanted - done
        for pace in (self._all, self._own):
            pace.add(trial)

    @property
    def left_s(self) -> float | None:
        """About how long the rest takes in seconds; None before there is a trial to tell from."""
        each_s = self._all.each_s
        if each_s is None:
            return None
        current = next(reversed(self._begun), "")
        own_s = self._own.each_s or each_s
        return sum(n * (own_s if name == current else each_s) for name, n in self._left.items())

    @property
    def left(self) -> str:
        """Say so: `about 4 min left`; empty where nobody knows."""
        return "" if (seconds := self.left_s) is None or not seconds else f"about {_rounded(seconds)} left"


class _Pace:
    """How long trials took, from the beginning of the first to the end of the last."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self.ended_s = 0.0
        self._count = 0

    def add(self, trial: Trial | None) -> None:
        if trial is not None:
            self._began_s = trial.started_s if self._began_s is None else self._began_s
            self.ended_s = trial.started_s + trial.duration_s
        if self._began_s is not None:
            self._count += 1

    @property
    def each_s(self) -> float | None:
        return None if self._began_s is None else (self.ended_s - self._began_s) / self._count


def _rounded(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / _MINUTE_S)} min" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:.1f} h"
