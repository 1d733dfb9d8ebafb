"""Small files of /proc and sysfs. On a large machine hundreds are read at both ends of every trial."""

import os
import re
from pathlib import Path
from typing import Final

_MOST: Final = 1 << 18  # /proc/stat of 4096 processors has its first lines within
_PAGE: Final = 4096  # an attribute of sysfs is never longer
_SHOWN_CHARS: Final = 64
_NUMBER: Final = re.compile(r"-?[0-9]{1,20}")
_ODD: Final = re.compile(r"[^ -~]")  # the kernel writes printable ASCII


def read_head(path: Path, *, limit: int = _PAGE) -> bytes:
    """The first bytes of a file. Raises OSError that names the file, also where opening it worked."""
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(limit)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_label(path: Path) -> str:
    """A name: at most 64 printable characters, each other one a question mark. Raises OSError."""
    text = read_head(path).decode("ascii", errors="replace").strip()
    return _ODD.sub("?", text[:_SHOWN_CHARS])


def read_text(path: Path) -> str | None:
    """The file's content without blanks around it, or None where this kernel or user has no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(descriptor, _MOST).decode(errors="replace").strip()
    except OSError:  # a sensor that sleeps, pressure that is switched off
        return None
    finally:
        os.close(descriptor)


def read_number(path: Path) -> int | None:
    """The whole number that the file holds, or None."""
    text = read_text(path) or ""
    return int(text) if _NUMBER.fullmatch(text) else None
