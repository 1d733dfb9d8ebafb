"""What /proc says of processes: their parents, their groups, and which of them carry a mark."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
MARK: Final = "ENERGYGATE_PROCESS"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_MOST_BYTES: Final = 4096  # a line of some fifty short fields
_ENDED: Final = frozenset({b"Z", b"X"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One living process; a zombie does not live.

    Attributes
    ----------
    name : str
        Its program's, at most 15 characters, which the program may choose: not fit to be shown as it is.
    started : int
        Clock ticks since the machine's start. They tell it from a later process with the same number.
    """

    name: str
    parent: int
    group: int
    session: int
    started: int


def living(proc: Path = PROC) -> Iterator[tuple[int, Stat]]:
    """Every living process, by its number."""
    for name in os.listdir(proc):  # noqa: PTH208  this runs after each trial of a command, and a path costs ten times as much
        if name.isdigit() and (stat := stat_of(int(name), proc)) is not None:
            yield int(name), stat


def stat_of(pid: int, proc: Path = PROC) -> Stat | None:
    """One process; None if it has ended."""
    found = _read(pid, proc)
    if found is None or found[1][0] in _ENDED:
        return None
    name, (_, parent, group, session, *rest) = found
    return Stat(
        name=name.decode(errors="replace"),
        parent=int(parent),
        group=int(group),
        session=int(session),
        started=int(rest[15]),
    )


def ticks_now() -> int:
    """Now, as `Stat.started` counts."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS_PER_S)


def _read(pid: int, proc: Path) -> tuple[bytes, list[bytes]] | None:
    """A process's name and what follows it; None if there is no such process."""
    try:
        descriptor = os.open(f"{proc}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(descriptor, _MOST_BYTES)
    except OSError:
        return None  # it has ended since
    finally:
        os.close(descriptor)
    # The program's name, in parentheses, may hold blanks: count fields after the last parenthesis (man 5 proc).
    head, _, tail = text.rpartition(b")")
    return head.partition(b"(")[2], tail.split()


def is_marked(pid: int, mark: str, proc: Path = PROC) -> bool:
    """Whether a process was given that mark, or inherited it."""
    return mark in marks_of(pid, proc)


def marks_of(pid: int, proc: Path = PROC) -> frozenset[str]:
    """Every mark that a process was given, or inherited. Another user's process is not ours to read."""
    try:
        environment = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return frozenset()
    name = f"{MARK}=".encode()
    marks = [entry.removeprefix(name) for entry in environment.split(b"\0") if entry.startswith(name)]
    return frozenset(mark.decode(errors="replace") for each in marks for mark in each.split(b","))
