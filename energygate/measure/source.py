"""Which commit is being measured, as git says it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.git import Git
from energygate.model import Source
from energygate.workloads.text import printable

# A URL or user@host:path; the path of a clone on the same disk names no repository.
_REMOTE = re.compile(r"(?:[a-z+]+://[^/]+/|[^/@]+@[^/:]+:)(?:.*/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?$")
_MOST_NAMED: Final = 3
_RENAMED: Final = frozenset("RC")


def read_source(folder: Path, *, ignore: str = "") -> Source:
    """Describe the commit checked out at `folder`; everything is None outside a git repository.

    Parameters
    ----------
    ignore : str
        A path below `folder` whose changes do not make the tree dirty: the baselines.

    Notes
    -----
    Untracked files don't make a tree dirty: what is measured is what is tracked.

    Raises
    ------
    ConfigError
        If there is a repository that git can't describe: a tree of unknown state must not look like a clean one.
    """
    git = Git(folder=folder)
    if not _is_repository(git):
        return Source()
    commit = _answer(git, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Source()
    pathspec = [":(top)", f":(exclude){ignore}"] if ignore else [":(top)"]
    status = git.ask("status", "--porcelain", "-z", "--untracked-files=no", "--", *pathspec)
    if status.returncode != 0:
        raise _not_described(folder, status.stderr)
    changed = tuple(_changed(status.stdout))
    found = _REMOTE.match(_answer(git, "config", "--get", "remote.origin.url"))
    return Source(
        commit=commit,
        branch=_answer(git, "symbolic-ref", "--quiet", "--short", "HEAD") or None,
        dirty=bool(changed),
        repository=f"{found['owner']}/{found['name']}" if found else None,
        changed=_in_words(changed),
    )


def relative_to(path: Path, folder: Path) -> str:
    """Give a path below a folder as `read_source` ignores it, or nothing where it lies elsewhere."""
    full, home = path.resolve(), folder.resolve()
    return full.relative_to(home).as_posix() if full.is_relative_to(home) and full != home else ""


def _changed(status: str) -> Iterator[str]:
    """Give the paths in what `git status --porcelain -z` says; behind the new name of a file stands its old one."""
    entries = iter(status.split("\0"))
    for entry in filter(None, entries):
        yield entry[3:]
        if _RENAMED & set(entry[:2]):
            next(entries)


def _in_words(paths: Sequence[str]) -> str:
    named = ", ".join(printable(path, limit=80) for path in paths[:_MOST_NAMED])
    return f"{named} and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else named


def _is_repository(git: Git) -> bool:
    folder = git.folder
    try:
        asked = git.ask("rev-parse", "--is-inside-work-tree")
    except FileNotFoundError:
        if any((candidate / ".git").exists() for candidate in (folder, *folder.parents)):
            raise _not_described(folder, "git is not installed", fix="Install git.") from None
        return False
    if asked.returncode == 0:
        return True
    if "not a git repository" in asked.stderr:
        return False
    raise _not_described(folder, asked.stderr)


def _not_described(folder: Path, said: str, *, fix: str = "") -> ConfigError:
    reason = " ".join(said.split())[:300]
    return ConfigError(
        f"git cannot describe {folder}: {reason}.",
        why="Without it nobody knows which commit is measured, and whether the tree is clean.",
        fix=fix or f"Mend the repository; in a container: git config --global --add safe.directory {folder}.",
    )


def _answer(git: Git, *arguments: str) -> str:
    """Give git's answer, fit for a file, or nothing where it has none."""
    said = git.answer(*arguments) or ""
    return said.strip().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
