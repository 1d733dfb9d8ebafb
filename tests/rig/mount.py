"""Mounts a powercap tree for a while: fuse.py as a child process."""

import ctypes.util
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import debian

_SERVER = Path(__file__).with_name("fuse.py")


def missing() -> str | None:
    """What this machine lacks for a mount, or None."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "access to /dev/fuse"
    if debian.program("fusermount3") is None:
        return "fusermount3"
    if _unpacked_library() is None and ctypes.util.find_library("fuse3") is None:
        return "libfuse3"
    return None if importlib.util.find_spec("mfusepy") else "mfusepy"


class FuseTree:
    """A tree whose counters are computed at the moment they are read."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def command(self, line: str) -> None:
        """Tell the machine: `power intel-rapl:0 120`; it has acted when this returns. Raises OSError (EINVAL)."""
        (self.root / "control").write_text(f"{line}\n")

    def truth(self) -> dict:
        """Joules used until now: `{"at_s":, "busy_s":, "used_j": {"intel-rapl:0":}}`."""
        return json.loads((self.root / "truth").read_text())


@contextmanager
def mounted(layout: str, *options: str) -> Iterator[FuseTree]:
    """Mount a tree in a temporary folder, with the options of fuse.py."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, _SERVER, folder, layout, "--while-stdin", *options]
        with subprocess.Popen(
            words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        ) as server:
            try:
                if server.stdout.readline() != "ready\n":
                    raise RuntimeError(f"the tree was not mounted: fuse.py ended with status {server.wait()}")
                yield FuseTree(Path(folder))
            finally:
                server.stdin.close()


def _unpacked_library() -> Path | None:
    return next(debian.FOLDER.glob("**/libfuse3.so.3"), None)


def _environment() -> dict[str, str]:
    """What the server needs to use FUSE where it is unpacked and not installed."""
    tool, library = debian.program("fusermount3"), _unpacked_library()
    path = os.environ["PATH"] if tool is None else f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path} | ({} if library is None else {"FUSE_LIBRARY_PATH": str(library)})
