"""CPU seconds of process trees, from Linux's /proc and clocks."""

import os
import resource
import time
from collections.abc import Mapping
from typing import Final

from energygate.children import has_children
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.process_stat import PROC, ProcessStat, process_stat

_ATTEMPTS: Final = 10


def own_cpu_s() -> float:
    """CPU seconds of this process, all threads."""
    return _rusage_s(resource.RUSAGE_SELF)


def others_cpu_s(pids: tuple[int, ...] = ()) -> float:
    """CPU seconds so far of this process's descendants, dead ones too, and of `pids` and their descendants.

    Raises
    ------
    MeasurementInvalid
        One of `pids` is not there, or the tree changed at each attempt to read it.
    """
    for _ in range(_ATTEMPTS):
        reaped_s = _rusage_s(resource.RUSAGE_CHILDREN)
        living_s = _living_cpu_s(pids)
        # A child that was waited for meanwhile would be counted twice, or not at all.
        if living_s is not None and _rusage_s(resource.RUSAGE_CHILDREN) == reaped_s:
            return reaped_s + living_s
    raise MeasurementInvalid(
        InvalidCode.READ_ERROR, f"Processes ended at each of {_ATTEMPTS} attempts to count the CPU seconds of the tree."
    )


def _rusage_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _living_cpu_s(pids: tuple[int, ...]) -> float | None:
    """CPU seconds of all that live or wait to be reaped, or None if one ended while it was read."""
    if not pids and not has_children():
        return 0.0
    pids_now = [int(folder.name) for folder in PROC.iterdir() if folder.name.isdigit()]
    table = {pid: process for pid in pids_now if (process := _visible(pid)) is not None}
    for pid in pids:
        if pid not in table:
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"Process {pid}, which does part of the work, is gone: what it used in this window is unknown.",
            )
    used_s = 0.0
    for pid in _tree(table, {os.getpid(), *pids}) - {os.getpid()}:
        try:
            used_s += time.clock_gettime((~pid << 3) | 2)  # clock_getcpuclockid(3): nanoseconds, all threads
        except OSError:
            return None
        if _visible(pid) != table[pid]:
            return None
        used_s += table[pid].reaped_s
    return used_s


def _visible(pid: int) -> ProcessStat | None:
    """None also for a process of another user whom /proc hides (mount option `hidepid=1`): it is not in our tree."""
    try:
        return process_stat(pid)
    except PermissionError:
        return None


def _tree(table: Mapping[int, ProcessStat], roots: set[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process.parent, []).append(pid)
    found, new = set(roots), set(roots)
    while new := {child for pid in new for child in children.get(pid, ())} - found:
        found |= new
    return found
