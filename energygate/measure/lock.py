"""One measuring job per machine: the counters count everything that runs there, another job too (ADR 16)."""

import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from energygate.clock import Clock, SystemClock
from energygate.errors import MeterUnavailable

_OWN_SYSFS: Final = Path("/sys")
_LOCKS: Final = Path("/proc/locks")
_RETRY_S: Final = 1.0
_TOLD_EACH_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for a machine that another job measures, and who hears of it, once a minute."""

    timeout_s: float = 0.0
    tell: Callable[[str], None] = lambda _line: None
    clock: Clock = field(default_factory=SystemClock)


_NONE: Final = Patience()


class _Taken(MeterUnavailable):
    """Another job holds the machine."""


def lock_folders() -> tuple[Path, ...]:
    """Where locks lie: users who may not write the first meet in the second."""
    return Path("/run/lock"), Path(tempfile.gettempdir())


def lock_name(sysfs: Path) -> str:
    """Name of the lock of the machine that `sysfs` shows: another tree is another machine."""
    full = sysfs.resolve()
    if full == _OWN_SYSFS:
        return "energygate.lock"
    return f"energygate-{hashlib.sha256(os.fsencode(full)).hexdigest()[:8]}.lock"


@contextmanager
def machine_lock(sysfs: Path, *, folders: Sequence[Path] | None = None, patience: Patience = _NONE) -> Iterator[None]:
    """Hold the machine for one job.

    The kernel gives the lock back however the process ends; one that is killed leaves an empty file.

    Parameters
    ----------
    folders : sequence of Path, optional
        Where to lock. It is done in each that can be used: a job of another user may have only one of them.
    patience : Patience, optional
        How long to wait for another job; not at all if left out.

    Raises
    ------
    MeterUnavailable
        Another job holds it, or no folder can be used.
    """
    paths = tuple(dict.fromkeys(folder / lock_name(sysfs) for folder in folders or lock_folders()))
    with _awaited(paths, patience):
        yield


def _awaited(paths: Sequence[Path], patience: Patience) -> ExitStack:
    """Lock as soon as the other job lets go; between tries nothing is held, so that two who wait do not block a third.

    Raises
    ------
    MeterUnavailable
        It held on for too long, or no folder can be used.
    """
    clock = patience.clock
    began_s = told_s = clock.now_s()
    deadline_s = began_s + patience.timeout_s
    while True:
        try:
            return _locked(paths)
        except _Taken as taken:
            now_s = clock.now_s()
            if now_s >= deadline_s:
                raise _out_of_patience(taken, patience.timeout_s) if patience.timeout_s else taken from None
            if now_s >= told_s:
                patience.tell(f"waiting for the machine, {(now_s - began_s) / 60:.0f} min so far: {taken.what}")
                told_s += _TOLD_EACH_S
        clock.sleep(min(_RETRY_S, deadline_s - clock.now_s()))


def _locked(paths: Sequence[Path]) -> ExitStack:
    """Lock in each folder that can be used. Raises MeterUnavailable."""
    with ExitStack() as held:
        refusals = [refusal for path in paths if (refusal := _lock(path, held)) is not None]
        if len(refusals) == len(paths):
            raise _no_lock(refusals)
        return held.pop_all()


def _lock(path: Path, held: ExitStack) -> OSError | None:
    """Lock a file until `held` ends; give the reason where it cannot be used. Raises MeterUnavailable."""
    with ExitStack() as attempt:
        try:
            descriptor = _opened(path)
            attempt.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(path, _holder(descriptor)) from None
        except OSError as refusal:  # flock itself: a file system without locks
            return OSError(refusal.errno, refusal.strerror, str(path))
        if not _is_at(path, descriptor):
            attempt.close()
            return _lock(path, held)
        attempt.callback(_remove, path)
        held.push(attempt.pop_all())
    return None


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the file is still there: the last holder may have removed it since we opened it."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError, PermissionError):  # another user's file stays: a sticky folder keeps it
        path.unlink()


def _opened(path: Path) -> int:
    """Open the file, which is made if need be. Never through a link: the temporary folder is everybody's.

    A file that another user made is opened without O_CREAT: in a sticky folder the kernel refuses it with
    (fs.protected_regular).
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe of that name must not hold us up
    try:
        descriptor = os.open(path, flags | os.O_CREAT, 0o644)
    except PermissionError as refusal:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:  # there is none, and the folder is not ours to make one in
            raise refusal from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return descriptor


def _holder(descriptor: int) -> str:
    """Who holds the lock, as far as the kernel tells: a file would still name one that was killed."""
    file = os.fstat(descriptor)
    wanted = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    try:
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return ""
    # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:16670723 0 EOF
    fields = (line.split() for line in lines)
    pids = [each[4] for each in fields if len(each) > 5 and each[1] == "FLOCK" and each[5] == wanted]
    return f"process {pids[0]}" if pids and int(pids[0]) > 0 else ""


def _taken(path: Path, holder: str) -> _Taken:
    who = f"{holder} holds {path}" if holder else f"{path} is held"
    return _Taken(
        f"Another energygate job is measuring on this machine: {who}.",
        why="The counters count the whole machine, so each job would measure the other.",
        fix="Wait until it has ended, or end it; --energy-lock-timeout=SECONDS waits for it. In CI let one runner "
        "serve this machine.",
    )


def _out_of_patience(taken: _Taken, timeout_s: float) -> _Taken:
    return _Taken(
        f"The machine was busy for all of {timeout_s:g} s (lock_timeout). {taken.what}", why=taken.why, fix=taken.fix
    )


def _no_lock(refusals: Sequence[OSError]) -> MeterUnavailable:
    said = "; ".join(f"{refusal.filename}: {refusal.strerror}" for refusal in refusals)
    return MeterUnavailable(
        f"The machine cannot be locked ({said}).",
        why="Another job could measure beside this one, and each would measure the other.",
        fix="Give this user a folder that it may write: TMPDIR=DIR. Remove what is no regular file.",
    )
