"""Busy core seconds: of the whole machine, or of one cgroup, whose neighbours then cost nothing."""

import os
from collections.abc import Callable
from pathlib import Path

_STAT = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6)  # user nice system (idle iowait) irq softirq; guest time is in user (proc_stat(5))


def busy_cores(cgroup: Path | None = None) -> Callable[[], float]:
    """A reader of busy core seconds; join the cgroup (version 1 or 2) before the work starts."""
    if cgroup is None:
        return _machine_s
    if (cgroup / "cpuacct.usage").exists():
        return lambda: int((cgroup / "cpuacct.usage").read_bytes()) / 1e9
    return lambda: _usage_s((cgroup / "cpu.stat").read_text())


def _machine_s() -> float:
    with _STAT.open() as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return sum(ticks[i] for i in _BUSY) / os.sysconf("SC_CLK_TCK")


def _usage_s(cpu_stat: str) -> float:
    return int(dict(line.split() for line in cpu_stat.splitlines())["usage_usec"]) / 1e6
