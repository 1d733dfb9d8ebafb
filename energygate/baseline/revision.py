"""What git knows beside the baselines: whose repository they are in, and who the user is."""

from pathlib import Path

from energygate.git import Git


def in_another_repository(root: Path, *, top: Path) -> str | None:
    """Say that the folder of the baselines belongs to a repository of its own, or None where it does not."""
    own = top_of(root) if root.is_dir() else None
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


def top_of(folder: Path) -> Path | None:
    """Give the top of the working tree that a folder is in, or None."""
    said = Git(folder=folder).answer("rev-parse", "--show-toplevel")
    return Path(said).resolve() if said else None
