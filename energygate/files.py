"""Reading and writing whole files, so that nobody ever sees half of one."""

import os
import tempfile
from pathlib import Path

from energygate.errors import EnergyGateError


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


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
