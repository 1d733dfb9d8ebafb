"""What a killed run has left: its folder, and processes that still run there and use energy."""

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from energygate.clock import Clock, SystemClock

_POLL_S: Final = 0.02
_KILLED_S: Final = 2.0  # how long the kernel gets to remove a killed process


def is_own(path: Path) -> bool:
    """Whether this user made what lies there: a folder or a file, no link, or nothing at all."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    return found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode)


def end_processes(folder: Path, *, proc: Path = Path("/proc"), clock: Clock | None = None) -> tuple[int, ...]:
    """Kill this user's processes that stand in a folder, or were started for it; give their ids.

    Whoever started them is gone, so nobody waits for what they would still write.
    """
    time = clock or SystemClock()
    spared = {os.getpid(), *_ancestors(os.getpid(), proc)}
    found = [pid for pid in _pids(proc) if pid not in spared and _belongs_to(proc / str(pid), folder)]
    for pid in found:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    until_s = time.now_s() + _KILLED_S
    while any(_belongs_to(proc / str(pid), folder) for pid in found) and time.now_s() < until_s:
        time.sleep(_POLL_S)
    return tuple(found)


def remove_tree(folder: Path) -> None:
    """Remove a folder with everything in it, read-only folders too (Go's modules, for example). Links stay links."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            _open_up(Path(parent, name))
    shutil.rmtree(folder, ignore_errors=True)


def _open_up(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            Path(f"/proc/self/fd/{descriptor}").chmod(0o700)
        finally:
            os.close(descriptor)


def _pids(proc: Path) -> Iterator[int]:
    for entry in proc.iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                yield int(entry.name)


def _belongs_to(process: Path, folder: Path) -> bool:
    """Whether a process stands in a folder or below, has it as its root, or carries its name in its variables."""
    for name in ("cwd", "root"):
        with suppress(OSError):
            if (process / name).readlink().is_relative_to(folder):
                return True
    with suppress(OSError):
        return os.fsencode(f"{folder}/") in (process / "environ").read_bytes()
    return False


def _ancestors(pid: int, proc: Path) -> Iterator[int]:
    while pid > 1:
        try:
            text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        pid = int(text.rpartition(")")[2].split()[1])  # the name before it may hold blanks (man 5 proc)
        yield pid
