"""Everything that descends from a child of ours, wherever it went: its group, and those that left it."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from energygate.children import adopts_orphans, has_children
from energygate.clock import Clock
from energygate.signals import interrupts_held_back
from energygate.workloads.proc import PROC, Stat, is_marked, living, marks_of, stat_of, ticks_now
from energygate.workloads.text import printable

_POLL_S: Final = 0.02
_KILLED_S: Final = 2.0  # how long the kernel gets to remove a killed process


@dataclass(slots=True, kw_only=True)
class Descendants:
    """The processes of one group, and the strays: those that left it, be it that their parents have ended.

    A stray is known by its parent, or by the mark in its environment, which children inherit.

    Parameters
    ----------
    leader : int or None
        The group's number. The kernel gives it to nobody else while the group has a member. None if it is not known
        to be ours any more.
    mark : str
        Theirs alone.
    since : int
        None of them started before, in clock ticks.
    reaped : int or None
        When the leader was waited for, in clock ticks: from then on a group with its number may be a stranger's.
    adopted : bool
        Whether this process adopts orphans since before the leader was started: all of them descend from it, then.

    Attributes
    ----------
    doubtful : tuple of int
        Processes that may be some of them, and nothing proves it: orphans that carry no mark and began since. Found by
        the last `look`, while this process adopts orphans.
    """

    leader: int | None
    mark: str
    since: int = 0
    reaped: int | None = None
    adopted: bool = False
    proc: Path = PROC
    doubtful: tuple[int, ...] = ()
    _strays: dict[int, int] = field(default_factory=dict, repr=False)  # process id: start time

    def note_reaped(self) -> None:
        """Remember that the leader has just been waited for."""
        self.reaped = ticks_now() if self.reaped is None else self.reaped

    def group(self) -> tuple[int, ...]:
        """Every living process of the group."""
        return tuple(sorted(self._group(living(self.proc))))

    def living(self) -> tuple[int, ...]:
        """The group, and the strays that `look` has found."""
        return tuple(sorted({*self.group(), *self._living_strays()}))

    def look(self) -> tuple[int, ...]:
        """Give the living, and remember the strays: once its parent has ended, only its mark tells whose one was."""
        now = dict(living(self.proc))
        group = self._group(now.items())
        ours = group | {pid for pid, each in now.items() if self._is_known(pid, each) or self._is_of_session(each)}
        young = {pid for pid, each in now.items() if each.started >= self.since}
        ours |= {pid for pid in young - ours if is_marked(pid, self.mark, self.proc)}
        found = ours
        while found:
            found = {pid for pid, each in now.items() if each.parent in found} - ours
            ours |= found
        self._strays.update((pid, now[pid].started) for pid in ours - group)
        self.doubtful = tuple(sorted(pid for pid in young - ours if self._is_doubtful(pid, now[pid])))
        return tuple(sorted(ours))

    def end(self, grace_s: float, *, clock: Clock) -> tuple[str, ...]:
        """End them all: TERM, after `grace_s` seconds KILL. Give those that live on, as ``4242 (python3)``.

        No interrupt comes between; one that is sent meanwhile ends the grace.
        """
        with interrupts_held_back() as held:
            if self._is_alone() or not self.look():
                return ()
            self._signal(signal.SIGTERM)
            deadline_s = clock.now_s() + grace_s
            while self.living() and clock.now_s() < deadline_s and not held.came:
                clock.sleep(_POLL_S)
            deadline_s = clock.now_s() + _KILLED_S
            while self.look() and clock.now_s() < deadline_s:  # what they start before they end is found too
                self._signal(signal.SIGKILL)
                clock.sleep(_POLL_S)
            return tuple(self.named(self.living()))

    def named(self, pids: tuple[int, ...]) -> Iterator[str]:
        """Each with its program's name, fit to be shown."""
        for pid in pids:
            stat = stat_of(pid, self.proc)
            yield f"{pid} ({printable(stat.name)})" if stat else str(pid)

    def _is_alone(self) -> bool:
        """Whether none can be left, as we have no child: a command ends like this, and a look takes a millisecond."""
        return self.adopted and self.reaped is not None and adopts_orphans() and not has_children()

    def _signal(self, number: signal.Signals) -> None:
        if self.leader is not None and self.group():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.leader, number)
        for pid in self._living_strays():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _group(self, now: Iterable[tuple[int, Stat]]) -> set[int]:
        members = {pid: each for pid, each in now if self.leader in {each.group, each.session}}
        if self.reaped is None or any(each.started <= self.reaped for each in members.values()):
            return {pid for pid, each in members.items() if each.group == self.leader}
        self.leader = None  # group and session were empty, and their number is free or somebody else's
        return set()

    def _living_strays(self) -> tuple[int, ...]:
        """Those that still run; a process with the same number but another start is somebody else's."""
        return tuple(pid for pid in self._strays if self._is_known(pid, stat_of(pid, self.proc)))

    def _is_known(self, pid: int, found: Stat | None) -> bool:
        return found is not None and self._strays.get(pid) == found.started

    def _is_of_session(self, found: Stat) -> bool:
        return self.leader is not None and found.session == self.leader

    def _is_doubtful(self, pid: int, found: Stat) -> bool:
        """Whether it is an orphan that we have adopted: our own children have our session, or one of their own."""
        adopted = found.parent == os.getpid() and found.session not in {os.getsid(0), pid}
        return adopted and marks_of(pid, self.proc) <= marks_of(os.getpid(), self.proc)
