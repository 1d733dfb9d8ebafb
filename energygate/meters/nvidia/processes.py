"""Whose the processes on a GPU are: the workload's, or another's."""

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_FIRST_NAMESPACE: Final = "pid:[4026531836]"  # PROC_PID_INIT_INO of linux/proc_ns.h


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
    """

    proc: Path = Path("/proc")
    own_pid: int = field(default_factory=os.getpid)

    def foreign(
        self, pids: Iterable[int], *, ours: Collection[int] = (), before: Collection[int] | None = None
    ) -> frozenset[int]:
        """Those that belong to others.

        Parameters
        ----------
        ours : collection of int
            Processes outside our tree that do the work: a server that was already running.
        before : collection of int or None
            What was on the GPU before the workload started. In a pid namespace NVML may give the numbers that processes
            have outside of it: one that is not known here and came later is taken for the workload's.
        """
        roots = {self.own_pid, *ours}
        return frozenset(
            pid
            for pid in pids
            if not self._descends(pid, roots) and not (before is not None and pid not in before and self._hidden(pid))
        )

    def _descends(self, pid: int, roots: Collection[int]) -> bool:
        """Whether it, an ancestor, or the leader of its session is one of `roots`; a daemon keeps only its session."""
        return self._climbs_to(pid, roots) or self._climbs_to(self._session(pid), roots)

    def _climbs_to(self, pid: int, roots: Collection[int]) -> bool:
        seen: set[int] = set()
        while pid > 0 and pid not in seen:
            if pid in roots:
                return True
            seen.add(pid)
            pid, _ = self._stat(pid)
        return False

    def _session(self, pid: int) -> int:
        return self._stat(pid)[1]

    def _hidden(self, pid: int) -> bool:
        """Whether its number may be that of another namespace."""
        return not (self.proc / str(pid)).exists() and not self._is_first_namespace

    @property
    def _is_first_namespace(self) -> bool:
        try:
            return str((self.proc / "self/ns/pid").readlink()) == _FIRST_NAMESPACE
        except OSError:  # no procfs: nothing is known
            return False

    def _stat(self, pid: int) -> tuple[int, int]:
        """Parent and session; 0 where it has ended or is hidden."""
        try:
            text = (self.proc / f"{pid}/stat").read_text(errors="replace")
        except OSError:
            return 0, 0
        fields = text.rpartition(")")[2].split()  # proc_pid_stat(5), from the third field on; a name may hold anything
        return int(fields[1]), int(fields[3])
