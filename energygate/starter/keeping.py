"""Writes first files, and never replaces one."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.starter.choice import StarterFile

_UNTOUCHED: Final = "Nothing was written."


class Fate(StrEnum):
    """What became of a file."""

    WRITTEN = "written"
    KEPT = "kept"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A first file, its path as it is shown, and what became of it."""

    file: StarterFile
    shown: str
    fate: Fate


def place(file: StarterFile, path: Path, *, shown: str) -> Placed:
    """Write a file unless something of that name is there. Raises ConfigError; no part of a file is left then."""
    if plan(file, path, shown=shown).fate is Fate.KEPT:
        return plan(file, path, shown=shown)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(path, file.text.encode())
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}.",
            why="Nothing that was there has been changed.",
            fix="Work in a folder that this user may write, or see with --dry-run what would be written.",
        ) from error
    return Placed(file=file, shown=shown, fate=Fate.WRITTEN)


def require_room(path: Path, *, within: Path) -> None:
    """Refuse, before the first file is written, a place that has no folder and can have none.

    Raises
    ------
    ConfigError
        A file stands where a folder has to be, or a link leads out of `within`.
    """
    if os.path.lexists(path):
        return  # it is kept
    nearest = next(each for each in path.parents if os.path.lexists(each))
    if not nearest.is_dir():
        raise ConfigError(
            f"Cannot write {path}: {nearest} is no folder.", why=_UNTOUCHED, fix=f"Rename {nearest.name}, or remove it."
        )
    if not nearest.resolve().is_relative_to(within.resolve()):
        raise ConfigError(
            f"Cannot write {path}: {nearest} leads out of the repository, to {nearest.resolve()}.",
            why=_UNTOUCHED,
            fix="Put a folder in the place of the link.",
        )


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as new:  # the system itself refuses to replace what somebody else writes at this moment
        try:
            new.write(data)
            new.flush()
        except OSError:
            path.unlink()
            raise


def plan(file: StarterFile, path: Path, *, shown: str) -> Placed:
    """Say what would become of a file."""
    there = path.exists() or path.is_symlink()
    return Placed(file=file, shown=shown, fate=Fate.KEPT if there else Fate.PLANNED)
