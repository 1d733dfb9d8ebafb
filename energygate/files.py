"""Reading and writing whole files, so that nobody ever sees half of one."""

import os
import tempfile
from pathlib import Path

from energygate.errors import ConfigError, EnergyGateError


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path`: afterwards the file holds all of it, or what it held before.

    Raises
    ------
    EnergyGateError
        If the folder cannot be made or written to, or the disk is full; nothing is left behind.
    """
    path = resolved(path)  # what a link points to is replaced, not the link
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(data)  # a device or a pipe is written to, never replaced
            return
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnergyGateError(
            f"Cannot write {path}: {error.strerror or error}.",
            fix="Give another path, or make room and give this user write permission there.",
        ) from error


def resolved(path: Path) -> Path:
    """Follow links. Raises ConfigError where they lead in a circle."""
    found = Path(os.path.realpath(path))  # which some versions of `Path.resolve` would leave with a RuntimeError
    if found.is_symlink():
        raise ConfigError(f"{path} is a link that leads in a circle.", fix="Give the path of a file.")
    return found


def require_writable(path: Path) -> None:
    """Refuse what could not be written after hours of measuring; makes nothing. Raises ConfigError."""
    folder = next((candidate for candidate in resolved(path).parents if candidate.exists()), path)
    if not folder.is_dir():
        raise ConfigError(f"Cannot make the folder of {path}: {folder} is a file.", fix="Give another path.")
    if path.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"Cannot write {path}.", fix="Give the path of a file in a folder that this user may write.")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
