"""What this process is the parent of: its own children, and orphans that it adopts (Linux)."""

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SET_SUBREAPER: Final = 36  # prctl(2)
_GET_SUBREAPER: Final = 37
_ALL_CHILDREN: Final = 0x40000000  # __WALL of waitpid(2): also those that end without SIGCHLD


@contextmanager
def adopted_orphans() -> Iterator[None]:
    """While it lasts, orphaned descendants become children of this process, so that they stay in its tree."""
    before = adopts_orphans()
    _libc().prctl(_SET_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        _libc().prctl(_SET_SUBREAPER, int(before), 0, 0, 0)


def adopts_orphans() -> bool:
    """Whether orphaned descendants become children of this process."""
    found = ctypes.c_int()
    _libc().prctl(_GET_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    return bool(found.value)


def has_children() -> bool:
    """Whether there is a child, whichever thread started it and however: one call, where /proc takes one a process."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | _ALL_CHILDREN)
    except ChildProcessError:
        return False
    return True


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
