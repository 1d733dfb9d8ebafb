"""Which store a report was made with, as users name it, and what lies where nobody looks for it."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from energygate.baseline.base import Store
from energygate.baseline.store import FolderStore
from energygate.errors import BaselineError
from energygate.history.window import said_of
from energygate.model import DEFAULT_BASELINES, Baseline, StoreName
from energygate.workloads.text import printable

_MOST_READ: Final = 20
_MOST_NAMED: Final = 3
_LONGEST: Final = 200


def store_name(store: Store, folder: Path) -> StoreName:
    """Give a store as a command names it in the folder of the settings file."""
    name = store.where if store.folder is None else _way_to(store.folder, folder)
    return StoreName(name=printable(name, limit=_LONGEST), is_shared=store.folder is None)


def beside_the_store(baseline: Baseline, name: StoreName, folder: Path, fingerprint: str) -> Iterator[str]:
    """Warn of a store that is not there, and of acceptances that lie in the usual folder and not in the store.

    Parameters
    ----------
    folder : Path
        That of the settings file.
    """
    if name.name == DEFAULT_BASELINES:
        return
    if baseline.absent:
        yield (
            f"baselines: {name.name}: {baseline.absent}, so there is nothing to compare with. If the name is right, "
            "the first recorded run makes it."
        )
    try:
        yield from _unread(baseline, name, FolderStore(folder / DEFAULT_BASELINES), fingerprint)
    except BaselineError as error:
        yield f"baselines are read from {name.name}; what lies in the folder {DEFAULT_BASELINES} is unfit: {error.what}"


def _unread(baseline: Baseline, name: StoreName, usual: FolderStore, fingerprint: str) -> Iterator[str]:
    """Say which acceptances decide nothing: those of this machine, in the newest files of the folder."""
    known = {each for run in baseline.runs for each in run.accepts}
    contents = usual.contents()
    files = contents.of(fingerprint)[:_MOST_READ]
    found = [
        (f"{DEFAULT_BASELINES}/{file}", each)
        for file, run in zip(files, contents.read_runs(files), strict=True)
        for each in run.accepts
        if each not in known
    ]
    for path, each in found[:_MOST_NAMED]:
        store_it = f"energygate baseline record {shlex.quote(path)} --baselines={shlex.quote(name.name)}"
        yield (
            f"{path} accepts a new level of {printable(each.benchmark)} {said_of(each)}. That decides nothing, since "
            f"baselines are read from {name.name}: `{store_it}` puts it there."
        )
    if len(found) > _MOST_NAMED:
        yield f"{len(found) - _MOST_NAMED} more acceptances in the folder {DEFAULT_BASELINES} decide nothing"


def _way_to(path: Path, folder: Path) -> str:
    full, home = path.resolve(), folder.resolve()
    return full.relative_to(home).as_posix() if full.is_relative_to(home) else str(full)
