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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
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


def require_writable(path: Path) -> None:
    """Make the folder of `path`, and refuse what could not be written after hours of measuring. Raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"Cannot make the folder of {path}: {error.strerror}.", fix="Give another path.") from error
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise ConfigError(f"Cannot write {path}.", fix="Give the path of a file in a folder that this user may write.")


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
