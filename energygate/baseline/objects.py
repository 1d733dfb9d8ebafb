"""Runs in object storage, `baselines: s3://BUCKET/FOLDER`, or at any other URL that fsspec can write to.

The only module that imports fsspec. Credentials are the backend's business: it finds them where it always does.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from energygate.baseline.base import Contents, Store, StoredRun, file_name, is_run_file, stored_already
from energygate.baseline.schema import encode_run
from energygate.baseline.unspoken import unspoken
from energygate.errors import BaselineError, ConfigError, EnergyGateError, NotStored
from energygate.model import Run

# What backends raise beside OSError, by the module that defines it: whichever of these is in use is loaded.
_FAULTS: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
)
_WITHOUT_BUCKETS: Final = {"file", "local", "memory"}
_EXTRAS: Final = {"s3": "energygate[s3]", "s3a": "energygate[s3]"}


@dataclass(frozen=True, slots=True)
class ObjectStore(Store):
    """Runs below a URL."""

    uri: str

    @property
    def where(self) -> str:
        """The URL, without a login in it."""
        return unspoken(self.uri, {})

    def contents(self) -> Contents:
        """List what there is now. Raises BaselineError, ConfigError."""
        files, root = self._opened()
        with self._faults():
            folders = [name for name, kind in _listed(files, root, is_root=True) if kind == "directory"]
            found = (f"{folder}/{name}" for folder in folders for name, _ in _listed(files, f"{root}/{folder}"))
            names = tuple(filter(is_run_file, found))
        return Contents(
            names=names,
            read=lambda wanted: self._read(files, root, wanted),
            shown=self._shown,
            absent="nothing is stored there",
        )

    def require_writable(self, fingerprint: str) -> None:
        """Refuse where there is nothing to write to; nothing is written. Raises BaselineError, ConfigError."""
        del fingerprint
        self.contents()

    def add(self, run: Run) -> str:
        """Store a run. Raises BaselineError, ConfigError, NotStored."""
        files, root = self._opened()
        name, data = file_name(run), encode_run(run)
        path = f"{root}/{name}"
        with self._faults(writing=name):
            if files.exists(path):
                raise stored_already(self._shown(name))
            if not _created(files, path, data):
                raise stored_already(self._shown(name))
        return self._shown(name)

    def remove(self, *stored: StoredRun) -> None:
        """Remove runs; one that has gone already is no fault. Raises ConfigError, NotStored."""
        files, root = self._opened()
        for name in (str(each.path).removeprefix(f"{self.where}/") for each in stored):
            with self._faults(writing=name):
                if files.exists(f"{root}/{name}"):
                    files.rm_file(f"{root}/{name}")

    def _read(self, files: Any, root: str, names: Sequence[str]) -> list[bytes]:
        if not names:
            return []
        paths = [f"{root}/{name}" for name in names]
        with self._faults():
            found = files.cat(paths)  # at once, and takes a name with `*` in it for a pattern
            return [found[path] if path in found else files.cat_file(path) for path in paths]

    def _shown(self, name: str) -> str:
        return f"{self.where.rstrip('/')}/{name}"

    def _opened(self) -> tuple[Any, str]:
        """The backend, and what the store is called there. Raises ConfigError."""
        scheme = self.uri.partition("://")[0]
        try:
            from fsspec.core import url_to_fs  # noqa: PLC0415  an extra

            # A listing that is kept would hide what others store meanwhile.
            with self._faults():
                files, root = url_to_fs(self.uri, use_listings_cache=False, **_more(scheme))
        except (ImportError, ValueError) as error:
            package = _EXTRAS.get(scheme, "fsspec, and its package for that storage")
            raise ConfigError(
                f"baselines: {self.where}: {unspoken(str(error), os.environ)}.",
                fix=f"Install what reads {scheme}:// URLs: "
                + (f"python -m pip install '{package}'." if scheme in _EXTRAS else f"{package}."),
            ) from error
        return files, root.rstrip("/")

    @contextmanager
    def _faults(self, *, writing: str = "") -> Iterator[None]:
        """Say what the storage refuses, and how to mend it, without the credentials."""
        try:
            yield
        except EnergyGateError:
            raise
        except _faults_in_use() as error:
            if isinstance(error, ValueError) and not writing:
                raise
            said = unspoken(f"{type(error).__name__}: {error}", os.environ).rstrip(".")
            if writing:
                raise NotStored(f"Cannot write {self._shown(writing)}: {said}.", fix=_FIX) from error
            raise BaselineError(
                f"Cannot read the baselines in {self.where}: {said}.",
                why="Unread baselines must not look like none.",
                fix=_FIX,
            ) from error


_FIX: Final = (
    "The bucket must exist, and this job needs credentials that may list, read and write there "
    "(docs/baselines.md#object-storage)."
)


def open_objects(uri: str) -> ObjectStore:
    """Open a URL; nothing is asked yet. Raises ConfigError where it names no place."""
    scheme, _, place = uri.partition("://")
    if not (place.strip("/") if scheme in _WITHOUT_BUCKETS else place.partition("/")[0]):
        raise ConfigError(
            f"baselines: {uri!r}: it names no {'folder' if scheme in _WITHOUT_BUCKETS else 'bucket'}.",
            why="Nothing would be stored there, and nothing found.",
            fix="Give the whole URL, for example `baselines: s3://BUCKET/FOLDER`.",
        )
    return ObjectStore(uri.rstrip("/"))


def _more(scheme: str) -> dict[str, Any]:
    """What to tell a backend. `makedirs` instead would make a bucket where the URL misspells its name."""
    return {"auto_mkdir": True} if scheme in {"file", "local"} else {}


def _faults_in_use() -> tuple[type[Exception], ...]:
    found = ((sys.modules.get(module), name) for module, name in _FAULTS)
    return (
        OSError,
        ValueError,
        NotImplementedError,
        *(getattr(module, name) for module, name in found if module is not None),
    )


def _listed(files: Any, path: str, *, is_root: bool = False) -> list[tuple[str, str]]:
    """Give name and kind of what is in a folder. A folder that is not there has nothing in it; a bucket must be there.

    `find` and `walk` of fsspec would take what they may not read for what is not there.
    """
    try:
        found = files.ls(path, detail=True)
    except FileNotFoundError:
        if is_root:
            _require_container(files, path)
        return []
    return [(each["name"].rstrip("/").rpartition("/")[2], each["type"]) for each in found]


def _require_container(files: Any, path: str) -> None:
    """Ask for the bucket itself. One whose listing is refused is there: a storage says so of none that is not."""
    container = path.partition("/")[0]
    if container and container != path:
        try:
            files.ls(container, detail=False)
        except PermissionError:
            return
    elif container:
        raise FileNotFoundError(f"there is no {container}")


def _created(files: Any, path: str, data: bytes) -> bool:
    """Write a new file, where the backend can so that it replaces none; give whether it is ours that is there."""
    try:
        files.pipe_file(path, data, mode="create")
    except FileExistsError:
        return bool(files.cat_file(path) == data)  # the answer to a first try was lost on the way
    return True
