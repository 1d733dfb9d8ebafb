"""Whose the processes on a GPU are: the workload's, or another's."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from energygate.meters.process_stat import PROC, process_stat


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that computes on a GPU.

    Attributes
    ----------
    memory_mib : int or None
        What it holds of the GPU's memory; None where the driver does not say.
    """

    pid: int
    memory_mib: int | None = None

    def __str__(self) -> str:
        return f"pid {self.pid}" + ("" if self.memory_mib is None else f" ({self.memory_mib} MiB)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinship:
    """Tells our processes from those of others.

    Parameters
    ----------
    proc : Path
        Where procfs is mounted.
    own_pid : int
        Whose tree is ours.
    first_namespace : str
        The pid namespace whose numbers NVML gives: the machine's first.
    """

    proc: Path = PROC
    own_pid: int = field(default_factory=os.getpid)
    first_namespace: str = "pid:[4026531836]"  # PROC_PID_INIT_INO of linux/proc_ns.h

    @property
    def is_certain(self) -> bool:
        """Whether NVML's numbers are ours: in another pid namespace a process of others may be unseen, or look ours."""
        try:
            return str((self.proc / "self/ns/pid").readlink()) == self.first_namespace
        except OSError:  # no procfs: nothing is known
            return False

    def foreign(
        self, pids: Iterable[int], *, ours: Collection[int] = (), before: Collection[int] | None = None
    ) -> frozenset[int] | None:
        """Those that belong to others; None where none is known to, and that is not certain.

        Parameters
        ----------
        ours : collection of int
            Processes outside our tree that do the work: a server that was already running.
        before : collection of int or None
            What was on the GPU before the workload started. In a pid namespace NVML may give the numbers that processes
            have outside of it: one that is not known here and came later is taken for the workload's.
        """
        roots = {self.own_pid, *ours}
        found = frozenset(pid for pid in pids if not self._descends(pid, roots))
        if self.is_certain:
            return found
        if before is not None:
            found = frozenset(pid for pid in found if pid in before or (self.proc / str(pid)).exists())
        return found or None

    def _descends(self, pid: int, roots: Collection[int]) -> bool:
        """Whether it, an ancestor, or the leader of its session is one of `roots`; a daemon keeps only its session."""
        return self._climbs_to(pid, roots) or self._climbs_to(self._session(pid), roots)

    def _climbs_to(self, pid: int, roots: Collection[int]) -> bool:
        seen: set[int] = set()
        while pid > 0 and pid not in seen:
            if pid in roots:
                return True
            seen.add(pid)
            pid, _ = self._relatives(pid)
        return False

    def _session(self, pid: int) -> int:
        return self._relatives(pid)[1]

    def _relatives(self, pid: int) -> tuple[int, int]:
        """Parent and session; 0 where it has ended or is hidden."""
        try:
            stat = process_stat(pid, self.proc)
        except OSError:
            return 0, 0
        return (0, 0) if stat is None else (stat.parent, stat.session)
