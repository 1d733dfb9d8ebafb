"""Processes that outlived a killed energygate: found by the note that it left, and stopped at the next start.

A note's lock dies with its writer, which tells a killed run's notes from those of a running one.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from energygate.clock import Clock, SystemClock
from energygate.workloads.descendants import Descendants
from energygate.workloads.proc import PROC, is_marked, living, stat_of

_SUFFIX: Final = ".left"
_PREFIX: Final = "energygate-"
_GRACE_S: Final = 5.0
_POLL_S: Final = 0.02
_MOST_BYTES: Final = 65536
_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a note says. `leader` and its start are unknown before a server is started, and of commands."""

    version: int = 1
    name: str
    mark: str
    boot: str
    namespace: str
    leader: int | None = None
    started: int | None = None


class Note:
    """A note on what a suite started, beside what that writes; it is there, and locked, while something may run.

    Parameters
    ----------
    written : Path
        A file or a folder, which a later run removes with what it stops.
    name : str
        The suite's.
    mark : str
        That of the processes.
    """

    def __init__(self, written: Path, *, name: str, mark: str) -> None:
        self._path = written.with_name(written.name + _SUFFIX)
        self._written = _Written(name=name, mark=mark, boot=_boot(), namespace=_namespace())
        self._open = ExitStack()

    def write(self) -> Self:
        """Write and lock it, before anything is started. Raises OSError."""
        hidden = self._path.with_name(f".{self._path.name}")
        with ExitStack() as undone:
            descriptor = os.open(hidden, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            undone.callback(os.close, descriptor)
            undone.callback(hidden.unlink, missing_ok=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.pwrite(descriptor, msgspec.json.encode(self._written), 0)
            # Only now, because another energygate that starts would take what is not locked for a killed run's.
            hidden.rename(self._path)
            undone.pop_all()
        self._open.callback(os.close, descriptor)
        self._open.callback(self._path.unlink, missing_ok=True)
        self._descriptor = descriptor
        return self

    def add_leader(self, pid: int) -> None:
        """Add the server's process, once it is started."""
        found = stat_of(pid)
        if found is not None:
            text = msgspec.json.encode(msgspec.structs.replace(self._written, leader=pid, started=found.started))
            # At once over all of the old text, which may be longer.
            os.pwrite(self._descriptor, text.ljust(os.fstat(self._descriptor).st_size), 0)

    def remove(self) -> None:
        """Remove it, after the end of all. Safe to call twice."""
        self._open.close()


def temporary_folder() -> Path:
    """Where a suite writes, and notes lie: what TMPDIR names, also if nobody can write there.

    Python would silently take another folder then, in which no later run looks for the note.
    """
    found, named = Path(tempfile.gettempdir()), os.environ.get("TMPDIR")
    return found if not named or _takes_files(named) else Path(named).absolute()


def _takes_files(folder: str) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as tried:
            tried.write(b"x")
    except OSError:
        return False
    return True


def stop_leftovers(
    folder: Path | None = None, *, clock: Clock | None = None, patience_s: float = 0.0
) -> tuple[str, ...]:
    """Stop what killed runs left running, and remove their notes and what they had written.

    Give a sentence for each that still ran.

    Parameters
    ----------
    folder : Path, optional
        Where notes lie: the temporary folder if left out.
    patience_s : float, optional
        How long to wait for the writers of notes, where they are being killed at this moment.
    """
    clock = clock or SystemClock()
    until_s = clock.now_s() + patience_s
    paths = sorted((folder or temporary_folder()).glob(f"{_PREFIX}*{_SUFFIX}"))
    sentences = (_stop(path, clock=clock, until_s=until_s) for path in paths)
    return tuple(sentence for sentence in sentences if sentence)


def _stop(path: Path, *, clock: Clock, until_s: float) -> str:
    with ExitStack() as opened:
        descriptor = _opened(path, opened)
        if descriptor is None or not _locked(descriptor, clock=clock, until_s=until_s):
            return ""
        text = os.pread(descriptor, _MOST_BYTES, 0)
        if not text:  # the machine went down before it was on the disk
            path.unlink(missing_ok=True)
            return ""
        try:
            written = msgspec.json.decode(text, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return f"{path} is no note of energygate's. Remove it, and look for what a killed energygate left running."
        if written.boot == _boot() and written.namespace != _namespace():
            return ""  # its numbers mean nothing here
        return " ".join(_ended(written, path, clock=clock))


def _ended(written: _Written, path: Path, *, clock: Clock) -> Iterator[str]:
    left = _descendants(written)
    names = ", ".join(left.named(left.look()))
    if survivors := left.end(_GRACE_S, clock=clock):
        yield f"{written.name}: what a killed energygate left running cannot be stopped: {', '.join(survivors)}."
        return
    if names:
        yield f"{written.name}: stopped what a killed energygate had left running: {names}."
    if doubtful := ", ".join(_doubtful(written)):
        yield (
            f"{written.name}: a killed energygate may have left {doubtful}, but nothing proves whose it is. Stop it if "
            f"it is yours, and remove {path}."
        )
        return
    _remove(path)


def _remove(path: Path) -> None:
    # What was written may hold prompts, and nobody was told of it.
    written = path.with_name(path.name.removesuffix(_SUFFIX))
    if written.is_dir() and not written.is_symlink():
        shutil.rmtree(written, ignore_errors=True)
    else:
        written.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _opened(path: Path, opened: ExitStack) -> int | None:
    """Open a note; None if it is not ours."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None  # another user's, a link, or removed meanwhile
    opened.callback(os.close, descriptor)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        return None
    return descriptor


def _locked(descriptor: int, *, clock: Clock, until_s: float) -> bool:
    """Lock a note, unless its writer still runs."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if clock.now_s() >= until_s:
                return False
            clock.sleep(_POLL_S)
        else:
            return True


def _descendants(written: _Written) -> Descendants:
    """Those that are ours for certain: a number alone may be somebody else's by now."""
    leader = written.leader if any(_proofs(written)) else None
    return Descendants(leader=leader, mark=written.mark)


def _proofs(written: _Written) -> Iterator[bool]:
    if written.leader is not None and (found := stat_of(written.leader)):
        yield found.started == written.started and written.boot == _boot()
    for pid, each in living():
        yield each.group == written.leader and is_marked(pid, written.mark)


def _doubtful(written: _Written) -> Iterator[str]:
    """Those in a group with the leader's number, after its end: it is theirs, or was given to others since."""
    if written.leader is None or written.started is None or written.boot != _boot() or stat_of(written.leader):
        return
    group = Descendants(leader=written.leader, mark=written.mark).group()
    yield from Descendants(leader=None, mark=written.mark).named(group)


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return (PROC / "self/ns/pid").readlink().name
