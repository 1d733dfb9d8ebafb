"""What every store of runs can do. It keeps one file each, never changed: `<machine>/<utc>-<commit>-<id>.json`."""

import datetime as dt
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energygate.baseline.schema import decode_run
from energygate.errors import BaselineError
from energygate.model import Baseline, Run

Shown = Path | str
"""A file of a store, as users are told where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run and the file that holds it."""

    path: Shown
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The files of a store at one moment.

    Attributes
    ----------
    names : tuple of str
        `<fingerprint>/<file>`, in any order.
    read : callable
        Gives the bytes of each file that is named, in that order. Raises BaselineError.
    shown : callable
        Where a file is, for users.
    absent : str
        Why there can be no file, in words; empty where the store is there.
    """

    names: tuple[str, ...]
    read: Callable[[Sequence[str]], Iterable[bytes]]
    shown: Callable[[str], Shown]
    absent: str = ""

    def of(self, fingerprint: str) -> tuple[str, ...]:
        """Give the files of one machine, newest first."""
        return self._by_machine().get(fingerprint, ())

    def load(self, fingerprint: str) -> Baseline:
        """Give the runs of that machine, and the newest measured one of every other. Raises BaselineError."""
        others = (self._newest_measured(names) for each, names in self._by_machine().items() if each != fingerprint)
        return Baseline(
            runs=tuple(self._own(stored, fingerprint) for stored in self._runs(self.of(fingerprint))),
            others=tuple(run for run in others if run is not None),
            absent="" if self.names else self.absent,
        )

    def everything(self) -> tuple[StoredRun, ...]:
        """Give every run, by machine, newest first. Raises BaselineError."""
        return tuple(self._runs([name for names in self._by_machine().values() for name in names]))

    def read_runs(self, names: Sequence[str]) -> Iterator[Run]:
        """Read some of its files. Raises BaselineError."""
        return (stored.run for stored in self._runs(names))

    def _by_machine(self) -> Mapping[str, tuple[str, ...]]:
        """The files of each machine, newest first: their names begin with the time."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            found[name.partition("/")[0]].append(name)
        return {machine: tuple(sorted(names, reverse=True)) for machine, names in sorted(found.items())}

    def _runs(self, names: Sequence[str]) -> Iterator[StoredRun]:
        for name, data in zip(names, self.read(names), strict=True):
            path = self.shown(name)
            yield StoredRun(path=path, run=decode_run(data, origin=str(path)))

    def _newest_measured(self, newest_first: Iterable[str]) -> Run | None:
        """Give the newest run that holds a benchmark: one that only points at another has none."""
        runs = (stored.run for name in newest_first for stored in self._runs([name]))
        return next((run for run in runs if run.benchmarks), None)

    def _own(self, stored: StoredRun, fingerprint: str) -> Run:
        if stored.run.machine.fingerprint != fingerprint:
            raise BaselineError(
                f"{stored.path}: $.machine.fingerprint: {stored.run.machine.fingerprint}, but it lies in the folder of "
                f"{fingerprint}.",
                why="Runs of different machines don't compare.",
                fix=f"Move it to {self.shown(stored.run.machine.fingerprint)}.",
            )
        return stored.run


class Store(ABC):
    """Where runs are kept."""

    __slots__ = ()

    @property
    @abstractmethod
    def where(self) -> str:
        """What messages call it."""

    @property
    def folder(self) -> Path | None:
        """The folder that it is, if it is one."""
        return None

    @abstractmethod
    def contents(self) -> Contents:
        """Look at what there is now. Raises BaselineError: unread baselines must not look like none."""

    @abstractmethod
    def require_writable(self, fingerprint: str) -> None:
        """Refuse where a run of that machine could not be stored after hours of measuring. Raises EnergyGateError."""

    @abstractmethod
    def add(self, run: Run) -> Shown:
        """Store a run, and say where; a file of that name is never overwritten.

        Raises
        ------
        BaselineError
            It is stored already.
        EnergyGateError
            It could not be written; nothing of it is left in the store.
        """

    @abstractmethod
    def remove(self, *stored: StoredRun) -> None:
        """Remove runs; one that has gone already is no fault. Raises EnergyGateError."""

    def remarks(self) -> tuple[str, ...]:
        """Say what is wrong with the store as a whole, as it was last looked at."""
        return ()

    def load(self, fingerprint: str) -> Baseline:
        """Give the stored runs of that machine, and the newest measured one of every other. Raises BaselineError."""
        return self.contents().load(fingerprint)

    def everything(self) -> tuple[StoredRun, ...]:
        """Give every stored run, by machine, newest first. Raises BaselineError."""
        return self.contents().everything()

    def find(self, run_id: str) -> StoredRun:
        """Give the run with that id, or the only one whose id starts so. Raises BaselineError."""
        found = [stored for stored in self.everything() if stored.run.run_id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        how_many = f"{len(found)} runs start" if found else "no run starts"
        raise BaselineError(
            f"{self.where}: {how_many} with {run_id!r}.",
            fix="`energygate baseline list` shows the ids; give enough of one to tell it apart.",
        )


def file_name(run: Run) -> str:
    """Give the name under which a run is stored, below its machine's fingerprint."""
    commit = (run.source.commit or "nocommit")[:12]
    file = f"{run.started_at.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{commit}-{run.run_id}.json"
    return f"{run.machine.fingerprint}/{file}"


def is_run_file(name: str) -> bool:
    """Whether a path below a store is that of a run: `<fingerprint>/<file>.json`, and not hidden."""
    folder, _, file = name.partition("/")
    return bool(folder) and file.endswith(".json") and "/" not in file and not file.startswith(".")


def stored_already(path: Shown) -> BaselineError:
    """Say that a file of that name is there."""
    return BaselineError(
        f"{path} exists already.",
        why="A stored run is never changed.",
        fix="This run is stored: there is nothing to do.",
    )
