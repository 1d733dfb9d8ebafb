"""Which commit is being measured, as git says it."""

import re
import subprocess
from pathlib import Path

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
    """
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Source()
    pathspec = [":(top)", f":(exclude){ignore}"] if ignore else [":(top)"]
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *pathspec)
    found = _REMOTE.match(_git(folder, "config", "--get", "remote.origin.url"))
    return Source(
        commit=commit,
        branch=_git(folder, "symbolic-ref", "--quiet", "--short", "HEAD") or None,
        dirty=bool(changed),
        repository=f"{found['owner']}/{found['name']}" if found else None,
    )


def _git(folder: Path, *arguments: str) -> str:
    """Give git's answer, or nothing where it has none: not a repository, no git here."""
    try:
        done = subprocess.run(  # noqa: S603  arguments are ours, and no shell reads them
            ["git", "-C", str(folder), *arguments],  # noqa: S607  whichever git the user has
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
