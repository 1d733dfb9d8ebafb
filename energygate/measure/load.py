"""Who uses the processors: /proc/stat, pressure and load average, and the CPU seconds of our own process tree."""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.clock import Clock
from energygate.errors import MeasurementInvalid
from energygate.meters.base import Window
from energygate.meters.kernel_files import read_text
from energygate.meters.processes import others_cpu_s, own_cpu_s

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_BUSY: Final = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq: proc_stat(5); guests are in user and nice
_STEAL: Final = 7
_NO_TICKS: Final = "The kernel does not say in /proc/stat how busy the processors are."


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Shares of the machine over a window, from 0 to 1; None where the kernel doesn't say.

    Attributes
    ----------
    foreign : float or None
        CPU time of processes that are not ours; None also where nobody knows which are.
    unknown : str
        Why `foreign` is None; empty where nobody named the processes that do the work: that is known beforehand.
    pressure : float or None
        Time in which a task waited for a processor.
    steal : float or None
        CPU time that a hypervisor gave to others.
    tick_error : float
        What a tick too many or too few on every processor makes.
    """

    foreign: float | None = None
    unknown: str = ""
    pressure: float | None = None
    steal: float | None = None
    tick_error: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was used up to a moment, in CPU seconds; `waited_s` are seconds. `unknown` says why `own_s` is not told."""

    at_s: float
    processors: int = 0
    busy_s: float | None = None
    stolen_s: float | None = None
    own_s: float | None = None
    unknown: str = ""
    waited_s: float | None = None
    switches: int = 0
    load_1min: float | None = None


def sample(window: Window, *, proc: Path, clock: Clock, own_s: Callable[[Window], float | None]) -> Sample:
    """Read the machine's usage and our own, up to now.

    Parameters
    ----------
    own_s : callable
        CPU seconds so far of what works for a window: `tree_cpu_s`. None where nobody named those processes; raises
        MeasurementInvalid where they can't be told all the same.
    """
    (processors, ticks), at_s = processor_ticks(proc), clock.now_s()
    used_s, unknown = _told(own_s, window)
    return Sample(
        at_s=at_s,
        processors=processors,
        busy_s=sum(ticks[i] for i in _BUSY) * _TICK_S if len(ticks) > max(_BUSY) else None,
        stolen_s=ticks[_STEAL] * _TICK_S if len(ticks) > _STEAL else None,
        own_s=used_s,
        unknown=unknown,
        waited_s=_waited_s(proc),
        switches=sum(resource.getrusage(who).ru_nivcsw for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)),
        load_1min=load_average(proc),
    )


def load_between(before: Sample, after: Sample) -> Load:
    """The shares over the window between two samples."""
    elapsed_s = after.at_s - before.at_s
    whole_s = elapsed_s * after.processors
    if elapsed_s <= 0:
        return Load()
    busy_s, own_s = _used(before.busy_s, after.busy_s), _used(before.own_s, after.own_s)
    return Load(
        foreign=None if busy_s is None or own_s is None else _share(busy_s - own_s, whole_s),
        unknown=_NO_TICKS if busy_s is None else before.unknown or after.unknown,
        pressure=_share(_used(before.waited_s, after.waited_s), elapsed_s),
        steal=_share(_used(before.stolen_s, after.stolen_s), whole_s),
        tick_error=_TICK_S / elapsed_s,
    )


def tree_cpu_s(window: Window) -> float | None:
    """CPU seconds of our process tree and of the processes that work for it, or None where nobody named those.

    Raises
    ------
    MeasurementInvalid
        One of them is gone, or processes end faster than they can be counted.
    """
    return None if window.unknown_processes else own_cpu_s() + others_cpu_s(window.pids)


def _told(own_s: Callable[[Window], float | None], window: Window) -> tuple[float | None, str]:
    try:
        return own_s(window), ""
    except MeasurementInvalid as fault:
        return None, fault.sentence


def _used(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _share(used_s: float | None, whole_s: float) -> float | None:
    """Ticks and our own nanoseconds don't agree exactly: a little below nothing, or above all, is rounding."""
    return None if used_s is None or whole_s <= 0 else min(max(used_s / whole_s, 0.0), 1.0)


def processor_ticks(proc: Path) -> tuple[int, tuple[int, ...]]:
    """How many processors are online, and the ticks of all of them together by column."""
    lines = [line.split() for line in (read_text(proc / "stat") or "").splitlines() if line.startswith("cpu")]
    if not lines:
        return 0, ()
    return len(lines) - 1, tuple(int(word) for word in lines[0][1:])


def _waited_s(proc: Path) -> float | None:
    """Seconds in which a task waited: `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345` in microseconds."""
    line = (read_text(proc / "pressure/cpu") or "").partition("\n")[0]
    total = line.rpartition("total=")[2]
    return int(total) / 1e6 if total.isdecimal() else None


def load_average(proc: Path) -> float | None:
    """The load average of the last minute, or None where the kernel does not say."""
    text = read_text(proc / "loadavg")
    return float(text.split()[0]) if text else None
