"""Which commit is being measured, as git says it."""

import os
import re
import subprocess
from pathlib import Path

from energygate.errors import ConfigError
from energygate.model import Source

# A URL or user@host:path; the path of a clone on the same disk names no repository.
_REMOTE = re.compile(r"(?:[a-z+]+://[^/]+/|[^/@]+@[^/:]+:)(?:.*/)?(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/?$")


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
    if not _is_repository(folder):
        return Source()
    commit = _answer(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Source()
    pathspec = [":(top)", f":(exclude){ignore}"] if ignore else [":(top)"]
    status = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *pathspec)
    if status.returncode != 0:
        raise _not_described(folder, status.stderr)
    found = _REMOTE.match(_answer(folder, "config", "--get", "remote.origin.url"))
    return Source(
        commit=commit,
        branch=_answer(folder, "symbolic-ref", "--quiet", "--short", "HEAD") or None,
        dirty=bool(status.stdout.strip()),
        repository=f"{found['owner']}/{found['name']}" if found else None,
    )


def _is_repository(folder: Path) -> bool:
    try:
        asked = _git(folder, "rev-parse", "--is-inside-work-tree")
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


def _answer(folder: Path, *arguments: str) -> str:
    """Give git's answer, or nothing where it has none."""
    done = _git(folder, *arguments)
    return done.stdout.strip() if done.returncode == 0 else ""


def _git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  arguments are ours, and no shell reads them
        ["git", "-C", str(folder), *arguments],  # noqa: S607  whichever git the user has
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
