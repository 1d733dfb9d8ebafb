"""What `/proc/PID/stat` says of one process."""

import os
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_BYTES: Final = 4096  # a line of 52 numbers and a name of 64 characters


class ProcessStat(NamedTuple):
    """Its parent, its session, and CPU seconds of the children that it has waited for."""

    parent: int
    session: int
    reaped_s: float


def process_stat(pid: int, proc: Path = PROC) -> ProcessStat | None:
    """None where it has ended.

    Raises
    ------
    OSError
        Where it may not be read.
    """
    text = _text(f"{proc}/{pid}/stat")
    if text is None:
        return None
    fields = text.rpartition(b")")[2].split()  # proc_pid_stat(5), from the third field on; a name may hold anything
    reaped_ticks = int(fields[13]) + int(fields[14])
    return ProcessStat(parent=int(fields[1]), session=int(fields[3]), reaped_s=reaped_ticks / _TICKS_PER_S)


def _text(path: str) -> bytes | None:
    """A large machine has thousands of them, so without pathlib's detours."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return os.read(descriptor, _BYTES)
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
