"""Two working trees beside the user's own, which is never touched: the base at a commit, the head as the tree is now.

They lie in a private folder of the system's temporary one, not below the repository: pytest and others look upwards for
their configuration. No branch, stash or ref is made; git itself keeps only its notes on the two worktrees, and these go
with them. A run that is killed can end nothing: its lock is free then, and the next run of the same repository removes
what it finds without an owner, and ends what still runs there.
"""

import fcntl
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.git import Git
from energygate.measure.interleave import Side
from energygate.measure.leftovers import end_processes, is_own, remove_tree
from energygate.measure.snapshot import changed_submodules, copy_untracked, hidden_changes, tree_of_tracked
from energygate.signals import interrupts_held_back

_TOKEN_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Worktrees:
    """Where both sides lie.

    Attributes
    ----------
    folder : Path
        The private folder that holds both, and is removed with them.
    commit : str
        The base's.
    notes : tuple of str
        What of the repository the worktrees do not hold, and what was ended that a killed run had left.
    """

    folder: Path
    commit: str
    notes: tuple[str, ...] = ()

    def root(self, side: Side) -> Path:
        """The top of one side."""
        return self.folder / side


@contextmanager
def worktrees(git: Git, commit: str) -> Iterator[Worktrees]:
    """Make both sides, and remove them however the block ends.

    Parameters
    ----------
    git : Git
        At the top of the user's working tree.

    Raises
    ------
    ConfigError
        git refused, the disk is full, or the temporary folder lies in the repository.
    """
    with ExitStack() as made:
        folder, ended = made.enter_context(_private_folder(git))
        with copying():
            git("worktree", "add", "--quiet", "--detach", str(folder / Side.BASE), commit)
            git("worktree", "add", "--quiet", "--detach", "--no-checkout", str(folder / Side.HEAD), "HEAD")
            head = Git(folder=folder / Side.HEAD)
            head("read-tree", "--reset", "-u", tree_of_tracked(git, scratch=folder))
            notes = (*ended, *copy_untracked(git, head.folder), *hidden_changes(git), *changed_submodules(git))
        yield Worktrees(folder=folder, commit=commit, notes=notes)


def remove_left(git: Git) -> tuple[int, ...]:
    """Remove what killed runs of this repository left, and give the processes that still ran there and were ended."""
    common = _common_folder(git)
    return tuple(pid for left in _folders(common, _prefix(common)) for pid in _remove_if_dead(common, left))


@contextmanager
def copying() -> Iterator[None]:
    """Name the error of whatever is written for the sides. Raises ConfigError."""
    try:
        yield
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        raise ConfigError(
            f"The working tree cannot be copied: {error.strerror or error}{where}.",
            why="The head is measured in a copy, so that yours is never touched.",
            fix="Make room in the temporary folder, or name another: TMPDIR=DIR.",
        ) from error


@contextmanager
def _private_folder(git: Git) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Give an empty folder of ours, whose lock is held; first remove what killed runs left, and say what still ran.

    The end asks no git: a signal to the whole group would end it too, and the folder would stay.
    """
    temporary, common = _temporary(git), _common_folder(git)
    prefix = _prefix(common)
    ended = remove_left(git)
    folder = temporary / f"{prefix}{secrets.token_hex(_TOKEN_BYTES)}"
    lock = _lock_of(folder)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(
            descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB
        )  # before there is a folder: nobody takes it for a dead one
        folder.mkdir(mode=0o700)
        yield folder, _ended(ended)
    finally:
        with interrupts_held_back():
            end_processes(folder)  # or what was left running writes on where we remove
            _remove(common, folder)
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def _temporary(git: Git) -> Path:
    """Give the system's temporary folder. Raises ConfigError where it lies in the repository."""
    temporary, top = Path(tempfile.gettempdir()).resolve(), git.folder.resolve()
    if temporary.is_relative_to(top):
        raise ConfigError(
            f"The temporary folder {temporary} lies in the working tree {top}.",
            why="Copies below it would find the configuration, and perhaps the code, of the tree above them.",
            fix="Name another: TMPDIR=DIR.",
        )
    return temporary


def _ended(pids: tuple[int, ...]) -> tuple[str, ...]:
    if not pids:
        return ()
    return (f"ended what a killed run had left running: process {', '.join(map(str, pids))}",)


def _prefix(common: Path) -> str:
    """Begin our folders' names so that a run knows those of its own repository."""
    return f"energygate-{hashlib.sha256(os.fsencode(common)).hexdigest()[:8]}-"


def _common_folder(git: Git) -> Path:
    """Where git keeps what all worktrees share; the answer may be relative to where it was asked."""
    return (git.folder / git("rev-parse", "--git-common-dir")).resolve()


def _folders(common: Path, prefix: str) -> set[Path]:
    """Every folder of ours that is left: in the temporary folder, and wherever git knows a worktree in one."""
    ours = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{{2 * _TOKEN_BYTES}}}")
    temporary = Path(tempfile.gettempdir()).resolve()
    found = {path for path in temporary.glob(f"{prefix}*") if ours.fullmatch(path.name)}
    found |= {path.with_suffix("") for path in temporary.glob(f"{prefix}*.lock") if ours.fullmatch(path.stem)}
    return found | {place.parent for _, place in _notes_of_git(common) if ours.fullmatch(place.parent.name)}


def _remove_if_dead(common: Path, folder: Path) -> tuple[int, ...]:
    """Remove a folder whose process has ended, and give the processes that still ran there and were ended.

    One that another user made is theirs to remove: the names are no secret, and the temporary folder is shared.
    """
    lock = _lock_of(folder)
    if not (is_own(folder) and is_own(lock)):
        return ()
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return ()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return ()
    ended = end_processes(folder)
    _remove(common, folder)
    lock.unlink(missing_ok=True)
    os.close(descriptor)
    return ended


def _remove(common: Path, folder: Path) -> None:
    """Remove a folder and git's notes on the worktrees in it.

    `git worktree prune` would also forget the user's own worktrees whose disk is not there at the moment.
    """
    remove_tree(folder)
    for note, place in _notes_of_git(common):
        if place.parent == folder:
            remove_tree(note)
    with suppress(OSError):
        (common / "worktrees").rmdir()  # git removes it with the last one


def _notes_of_git(common: Path) -> Iterator[tuple[Path, Path]]:
    """Each worktree that git knows, as the folder of its notes and the worktree's own.

    The path is relative to the note where worktree.useRelativePaths says so.
    """
    for note in sorted((common / "worktrees").glob("*")):
        with suppress(OSError):
            told = os.fsdecode((note / "gitdir").read_bytes().rstrip(b"\n"))
            yield note, (note / told).resolve().parent


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
