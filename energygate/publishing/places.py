"""Where annotations stand: GitHub knows files by their paths from the repository's top."""

import os.path
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from energygate.model import Annotation, GateReport
from energygate.report.annotations import annotations


def annotations_of(report: GateReport, *, top: Path, here: Path, settings: str) -> tuple[Annotation, ...]:
    """Give the annotations of a report, with paths that begin at the repository's top.

    Parameters
    ----------
    here : Path
        Where it was measured, at the top or below it. A benchmark's place is told from there or from a folder above,
        where a configuration file lies.
    settings : str
        The settings file as it is named there, for what has no place of its own.
    """
    found = annotations(report, settings=settings)
    return tuple(replace(each, path=_from_top(each.path, top=top, here=here)) for each in found)


def _from_top(path: str, *, top: Path, here: Path) -> str:
    """Give the path of the file that is meant; where there is none, as it was told."""
    candidates = (Path(os.path.normpath(folder / path)) for folder in _up_to(top, here))
    file = next((each for each in candidates if each.is_relative_to(top) and _is_file(each)), None)
    return path if file is None else str(file.relative_to(top))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as for a name that is longer than any can be
        return False


def _up_to(top: Path, here: Path) -> Iterator[Path]:
    """Give a folder and those above it, the nearest first."""
    yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(top))
