"""What git knows of the baselines: which runs another revision has, and who the user is."""

from pathlib import Path

from energygate.errors import ConfigError
from energygate.git import Git

_ID_LENGTH = len("20261122T031500Z-1a2b3c4d5e")


def runs_at(root: Path, revision: str, *, top: Path) -> frozenset[str] | None:
    """Give the ids of the runs in a folder that the change since a revision did not bring.

    Those are the runs that the revision has, and those that git ignores: they come from elsewhere. None outside of the
    repository whose revision it is.

    Parameters
    ----------
    top : Path
        The top of the working tree that the revision is one of.

    Raises
    ------
    ConfigError
        If there is no such revision.
    """
    if not root.is_dir() or _top_of(root) != top.resolve():
        return None
    git = Git(folder=root)
    there = git.answer("ls-tree", "-r", "-z", "--name-only", f"{revision}^{{tree}}", "--", ".")
    if there is None:
        raise ConfigError(
            f"git knows no revision {revision!r}.",
            why="Without it nobody can tell which increases were accepted before this change.",
            fix="Fetch it: git fetch origin; in a workflow, `fetch-depth: 0`.",
        )
    ignored = git.answer("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", ".") or ""
    names = (*there.split("\0"), *ignored.split("\0"))
    return frozenset(Path(name).stem[-_ID_LENGTH:] for name in names if name.endswith(".json"))


def in_another_repository(root: Path, *, top: Path) -> str | None:
    """Say that the folder of the baselines belongs to a repository of its own, or None where it does not."""
    own = _top_of(root) if root.is_dir() else None
    if own is None or own == top.resolve():
        return None
    return (
        f"baselines: {root} belongs to another repository, {own}, so which runs and acceptances this change "
        "brings is not known: all of them count"
    )


def git_user(folder: Path) -> str | None:
    """Give the name that git puts into commits here, if it is told one."""
    try:
        return Git(folder=folder).ask("config", "--get", "user.name").stdout.strip() or None
    except FileNotFoundError:
        return None


def _top_of(folder: Path) -> Path | None:
    said = Git(folder=folder).answer("rev-parse", "--show-toplevel")
    return Path(said).resolve() if said else None
