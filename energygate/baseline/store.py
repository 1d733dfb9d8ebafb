"""Where runs are kept: one immutable file each, `<fingerprint>/<utc>-<commit>-<run id>.json` (ADR 8)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from energygate.baseline.schema import decode_run, encode_run
from energygate.errors import BaselineError, ConfigError
from energygate.files import write_atomically
from energygate.model import Baseline, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run and the file that holds it."""

    path: Path
    run: Run


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Runs in a folder, usually one of the repository."""

    root: Path

    def add(self, run: Run) -> Path:
        """Store a run; a file of that name is never overwritten. Raises BaselineError."""
        path = self.root / run.machine.fingerprint / _file_name(run)
        if path.exists():
            raise BaselineError(
                f"{path} exists already.",
                why="A stored run is never changed.",
                fix="This run is stored: there is nothing to do.",
            )
        write_atomically(path, encode_run(run))
        return path

    def remove(self, stored: StoredRun) -> None:
        """Remove a run; one that has gone already is no fault. Raises BaselineError."""
        try:
            stored.path.unlink(missing_ok=True)
        except OSError as error:
            raise BaselineError(
                f"Cannot remove {stored.path}: {error.strerror}.", fix="Give this user write permission in its folder."
            ) from error

    def load(self, fingerprint: str) -> Baseline:
        """Give the stored runs of that machine, and the newest measured one of every other. Raises BaselineError."""
        others = (_newest_measured(self._files(folder)) for folder in self._folders() if folder.name != fingerprint)
        return Baseline(
            runs=tuple(_read_own(path, fingerprint) for path in self._files(self.root / fingerprint)),
            others=tuple(run for run in others if run is not None),
        )

    def everything(self) -> tuple[StoredRun, ...]:
        """Give every stored run, by machine, newest first. Raises BaselineError."""
        paths = (path for folder in self._folders() for path in self._files(folder))
        return tuple(StoredRun(path=path, run=read_run(path)) for path in paths)

    def find(self, run_id: str) -> StoredRun:
        """Give the run with that id, or the only one whose id starts so. Raises BaselineError."""
        found = [stored for stored in self.everything() if stored.run.run_id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        how_many = f"{len(found)} runs start" if found else "no run starts"
        raise BaselineError(
            f"{self.root}: {how_many} with {run_id!r}.",
            fix="`energygate baseline list` shows the ids; give enough of one to tell it apart.",
        )

    def _folders(self) -> list[Path]:
        return sorted(path for path in _entries(self.root) if path.is_dir())

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        """Newest first: the names begin with the time."""
        found = (path for path in _entries(folder) if path.suffix == ".json" and not path.name.startswith("."))
        return sorted(found, reverse=True)


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


def open_store(uri: str, *, folder: Path) -> FolderStore:
    """Open the store that `baselines:` names; a relative folder is below `folder`. Raises ConfigError."""
    if uri.startswith("git:") or "://" in uri:
        raise ConfigError(
            f"baselines: {uri!r}: this version keeps baselines in a folder only.",
            fix="Give a folder, for example `baselines: baselines`.",
        )
    return FolderStore(folder / uri)


def read_run(path: Path) -> Run:
    """Read one Run file. Raises BaselineError, with the file's name."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BaselineError(
            f"Cannot read {path}: {error.strerror}.",
            fix="Give a file that --energy-save or `energygate run --save` wrote, readable by this user.",
        ) from error
    return decode_run(data, origin=str(path))


def _newest_measured(newest_first: Iterable[Path]) -> Run | None:
    """Give the newest run that holds a benchmark: one that only points at another has none."""
    return next((run for run in map(read_run, newest_first) if run.benchmarks), None)


def _read_own(path: Path, fingerprint: str) -> Run:
    run = read_run(path)
    if run.machine.fingerprint != fingerprint:
        raise BaselineError(
            f"{path}: $.machine.fingerprint: {run.machine.fingerprint}, but it lies in the folder of {fingerprint}.",
            why="Runs of different machines don't compare.",
            fix=f"Move it to {path.parent.parent / run.machine.fingerprint}.",
        )
    return run


def _file_name(run: Run) -> str:
    commit = (run.source.commit or "nocommit")[:12]
    return f"{run.started_at.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{commit}-{run.run_id}.json"
