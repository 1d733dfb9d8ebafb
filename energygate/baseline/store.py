"""Which store `baselines:` names, and the one that is a folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energygate.baseline.base import Contents, Store, StoredRun, file_name, is_run_file, stored_already
from energygate.baseline.schema import decode_run, encode_run
from energygate.errors import BaselineError
from energygate.files import require_writable, write_atomically
from energygate.model import Run


@dataclass(frozen=True, slots=True)
class FolderStore(Store):
    """Runs in a folder, usually one of the repository."""

    root: Path

    @property
    def where(self) -> str:
        """The folder."""
        return str(self.root)

    @property
    def folder(self) -> Path:
        """The folder."""
        return self.root

    def contents(self) -> Contents:
        """Look at what there is now. Raises BaselineError."""
        folders = [path for path in _entries(self.root) if path.is_dir()]
        names = (f"{folder.name}/{path.name}" for folder in folders for path in _entries(folder))
        absent = "" if self.root.is_dir() else "there is no such folder"
        found = tuple(filter(is_run_file, names))
        return Contents(names=found, read=self._read, shown=self.root.joinpath, absent=absent)

    def require_writable(self, fingerprint: str) -> None:
        """Refuse what could not be written. Raises ConfigError."""
        require_writable(self.root / fingerprint / "run.json")

    def add(self, run: Run) -> Path:
        """Store a run; a file of that name is never overwritten. Raises BaselineError."""
        path = self.root / file_name(run)
        if path.exists():
            raise stored_already(path)
        write_atomically(path, encode_run(run))
        return path

    def remove(self, *stored: StoredRun) -> None:
        """Remove runs, one after the other; one that has gone already is no fault. Raises BaselineError."""
        for path in (Path(each.path) for each in stored):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise BaselineError(
                    f"Cannot remove {path}: {error.strerror}.", fix="Give this user write permission in its folder."
                ) from error

    def _read(self, names: Sequence[str]) -> Iterator[bytes]:
        return (_bytes_of(self.root / name) for name in names)


def open_store(uri: str, *, folder: Path, environ: Mapping[str, str] | None = None, at: str | None = None) -> Store:
    """Open the store that `baselines:` names: a folder, `git:BRANCH`, or a URL of object storage.

    Parameters
    ----------
    folder : Path
        Which folder a relative one is below, and in whose repository a branch is.
    environ : mapping, optional
        What git is told, credentials above all; this process's own environment where it is not given.
    at : str, optional
        What `BranchStore.fetched` gave: where that was the same branch, it is read as it was then.

    Raises
    ------
    ConfigError
        There can be no such store.
    """
    if uri.startswith("git:"):
        from energygate.baseline.branch import open_branch  # noqa: PLC0415  pytest without it pays nothing

        return open_branch(uri, folder=folder, environ=environ, at=at)
    if "://" in uri:
        from energygate.baseline.objects import open_objects  # noqa: PLC0415

        return open_objects(uri)
    return FolderStore(folder / uri)


def read_run(path: Path) -> Run:
    """Read one Run file. Raises BaselineError, with the file's name."""
    return decode_run(_bytes_of(path), origin=str(path))


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BaselineError(
            f"Cannot read {path}: {error.strerror}.",
            fix="Give a file that --energy-save or `energygate run --save` wrote, readable by this user.",
        ) from error


def _entries(folder: Path) -> list[Path]:
    """Give what is in a folder; nothing if it is not there. One that can't be read is no empty one: BaselineError."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BaselineError(
            f"Cannot read the baselines in {folder}: {error.strerror}.",
            why="Unread baselines must not look like none.",
            fix="Give this user read permission, or another folder with --energy-baselines.",
        ) from error
