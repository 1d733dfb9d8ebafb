"""A mounted powercap tree whose counters are computed at the moment they are read.

As the kernel's own files (kernfs): the text is made when offset 0 is read and kept for that open file, so a held
descriptor shows a new value with each pread and never a torn one. Beside the tree lie

    truth       the machine's true energy, as JSON
    control     takes the machine's commands (machine.py): echo 'power intel-rapl:0 120' > DIR/control

    python fuse.py DIR LAYOUT [--mode 0400] [--cgroup FOLDER] [--cache-s 3600] [--while-stdin]

It needs /dev/fuse and fusermount3, and stays in the foreground until it is terminated or DIR is unmounted, with
--while-stdin also until its standard input ends. --cgroup: whose CPU time costs energy, where a zone has watts per
core. The kernel caches names and modes, without which an open takes ten times longer: a `mode` that is commanded later
is seen with --cache-s 0 alone.
"""

import argparse
import errno
import json
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path, PurePath

import mfusepy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rig.busy import busy_cores
from rig.layouts import LAYOUTS
from rig.machine import Machine
from rig.tree import Energy, Folder, Link, Range, Text, nodes

TRUTH, CONTROL = "/truth", "/control"
ENDED_BY_SIGNAL = 8  # fuse_main(3)


class PowercapFiles(mfusepy.Operations):
    """What the kernel asks for, answered from a machine."""

    use_ns = True

    def __init__(self, machine):
        self._machine = machine
        self._nodes = {f"/{path}": node for path, node in nodes(machine.zones).items()} | {"/": Folder()}
        self._nodes |= {TRUTH: Text("", 0o444), CONTROL: Text("", 0o666)}
        self._names = {path: [] for path in self._nodes}
        for path in self._nodes.keys() - {"/"}:
            self._names[str(PurePath(path).parent)].append(PurePath(path).name)
        self._born_ns = time.time_ns()
        self._texts = {}  # of each open file
        self._opened = 0

    def init(self, path):
        print("ready", flush=True)  # noqa: T201  a program's answer

    def getattr(self, path, fh=None):
        node = self._node(path)
        made = dict.fromkeys(("st_ctime", "st_mtime", "st_atime"), self._born_ns)
        owner = {"st_uid": os.geteuid(), "st_gid": os.getegid(), "st_nlink": 1}
        size = 0 if isinstance(node, Folder | Link) else 4096
        return {"st_mode": _mode(node), "st_size": size, **owner, **made}

    def readdir(self, path, fh):
        return [".", "..", *self._names[path]]

    def readlink(self, path):
        return self._node(path).target

    def open(self, path, flags):
        self._node(path)
        self._opened += 1
        return self._opened

    def release(self, path, fh):
        self._texts.pop(fh, None)
        return 0

    def truncate(self, path, length, fh=None):
        return 0  # a shell's `>` asks for it

    def read(self, path, size, offset, fh):
        if offset == 0 or fh not in self._texts:
            self._texts[fh] = self._show(path).encode()
        return self._texts[fh][offset : offset + size]

    def write(self, path, data, offset, fh):
        if path != CONTROL:
            raise mfusepy.FuseOSError(errno.EACCES)
        try:
            for line in data.decode().splitlines():
                self._machine.obey(line)
        except (ValueError, TypeError) as wrong:
            raise mfusepy.FuseOSError(errno.EINVAL) from wrong
        return len(data)

    def _node(self, path):
        if path not in self._nodes:
            raise mfusepy.FuseOSError(errno.ENOENT)
        return self._nodes[path]

    def _show(self, path):
        node = self._node(path)
        if path == TRUTH:
            return json.dumps(self._machine.truth()) + "\n"
        if isinstance(node, Text):
            return node.text
        energy = isinstance(node, Energy)
        if error := node.zone.error if energy else node.zone.range_error:
            raise mfusepy.FuseOSError(error)
        return f"{(self._machine.raw_uj if energy else self._machine.range_uj)(node.zone)}\n"


def _mode(node):
    match node:
        case Folder():
            return stat.S_IFDIR | 0o755
        case Link():
            return stat.S_IFLNK | 0o777
        case Text():
            return stat.S_IFREG | node.mode
        case Energy():
            return stat.S_IFREG | node.zone.mode
        case Range():
            return stat.S_IFREG | 0o444


def _end_with_stdin():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("layout", choices=LAYOUTS)
    parser.add_argument("--mode", default="0400")
    parser.add_argument("--cgroup", type=Path)
    parser.add_argument("--cache-s", type=float, default=3600.0)
    parser.add_argument("--while-stdin", action="store_true")
    asked = parser.parse_args()
    machine = Machine(asked.layout, busy=busy_cores(asked.cgroup))
    machine.obey(f"mode all {asked.mode}")
    if asked.while_stdin:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        mfusepy.FUSE(
            PowercapFiles(machine),
            asked.root,
            foreground=True,
            nothreads=True,
            direct_io=True,  # no reading is answered from a cache
            allow_other=os.geteuid() == 0,  # others need user_allow_other in fuse.conf
            default_permissions=True,
            attr_timeout=asked.cache_s,
            entry_timeout=asked.cache_s,
            fsname="powercap-rig",
        )
    except RuntimeError as ended:
        if ended.args != (ENDED_BY_SIGNAL,):
            raise


if __name__ == "__main__":
    main()
