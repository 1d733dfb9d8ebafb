"""Runs a command where the real /sys shows a simulated tree: for libraries that have the /sys paths written into them.

In a private mount namespace /sys/class/powercap and /sys/devices/virtual/powercap are those of the tree, plain or
mounted; what else is mounted (cgroups) stays. Nothing outside of it changes, and it ends with the command.

    python namespace.py ROOT [--sockets N] [--vendor AuthenticAMD] [--bare-metal] -- COMMAND...

--sockets spreads the processors over that many sockets, which pyRAPL compares with the zones; --vendor and --bare-metal
change /proc/cpuinfo: its vendor_id; no hypervisor flag. It needs root, or a kernel that lets users have namespaces.
"""

import argparse
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_HERE = Path(__file__).resolve()
_INSIDE = "RIG_NAMESPACE_WORK"
_MS_BIND, _MS_REC = 4096, 16384  # mount(2)
_SYS = Path("/sys")
_TREES = ("class/powercap", "devices/virtual/powercap")
_CPUINFO = Path("/proc/cpuinfo")
_CPUS = _SYS / "devices/system/cpu"


def command(root: Path, *words: str, sockets: int = 1, vendor: str | None = None, bare_metal: bool = False) -> list:
    """The words to run a command with: `subprocess.run(command(tree.root, "cat", "/sys/class/powercap/..."))`."""
    options = ["--sockets", str(sockets), *(["--vendor", vendor] if vendor else [])]
    return [sys.executable, _HERE, root, *options, *(["--bare-metal"] if bare_metal else []), "--", *words]


def missing() -> str | None:
    """What this machine lacks for a namespace, or None."""
    if shutil.which("unshare") is None:
        return "unshare"
    probe = subprocess.run(
        [*_unshare(), "mount", "--bind", "/sys", "/sys"], capture_output=True, text=True, check=False
    )
    return None if probe.returncode == 0 else f"mount namespace ({probe.stderr.strip()})"


def _unshare():
    return ["unshare", "-m", "--propagation", "private", *([] if os.geteuid() == 0 else ["-r"])]


def _outside():
    # The folder is mounted on inside the namespace alone: out here it stays empty, but for two small files.
    with tempfile.TemporaryDirectory() as work:
        words = [*_unshare(), sys.executable, _HERE, *sys.argv[1:]]
        return subprocess.run(words, env=os.environ | {_INSIDE: work}, check=False).returncode


def _inside(work, asked):
    root = asked.root.resolve()
    for tree in _TREES:
        if (_SYS / tree).is_dir():
            _bind(root / tree, _SYS / tree)
        else:
            _add(root / tree, _SYS / tree, work / tree.replace("/", "-"))
    _spread(asked.sockets, work)
    if asked.vendor or asked.bare_metal:
        _bind(_write(work / "cpuinfo", _cpuinfo(asked)), _CPUINFO)
    os.execvp(asked.command[0], asked.command)


def _add(source, target, spare):
    """Show a folder that sysfs has no place for: its parent again on tmpfs, with all of its children bound back."""
    spare.mkdir()
    _mount(b"tmpfs", spare, b"tmpfs", 0)
    for entry in target.parent.iterdir():
        again = spare / entry.name
        if entry.is_symlink():
            again.symlink_to(entry.readlink())
            continue
        if entry.is_dir():
            again.mkdir()
        else:
            again.touch()
        _bind(entry, again)
    (spare / target.name).mkdir()
    _bind(source, spare / target.name)
    _bind(spare, target.parent)


def _spread(sockets, work):
    cpus = sorted(_CPUS.glob("cpu[0-9]*/topology/physical_package_id"), key=lambda path: int(path.parts[-3][3:]))
    if sockets > max(len(cpus), 1):
        raise SystemExit(f"{sockets} sockets need as many processors, and there are {len(cpus)}")
    for i, path in enumerate(cpus if sockets > 1 else []):
        socket = i * sockets // len(cpus)
        _bind(_write(work / f"socket-{socket}", f"{socket}\n"), path)


def _cpuinfo(asked):
    text = _CPUINFO.read_text()
    if asked.vendor:
        text = re.sub(r"(?m)^(vendor_id\s*: ).*$", rf"\g<1>{asked.vendor}", text)
    return re.sub(r"(?m)^(flags\s*:.*) hypervisor\b", r"\1", text) if asked.bare_metal else text


def _write(path, text):
    path.write_text(text)
    return path


def _bind(source, target):
    _mount(os.fsencode(source), target, None, _MS_BIND | _MS_REC)


def _mount(source, target, kind, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(source, os.fsencode(target), kind, ctypes.c_ulong(flags), None):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--sockets", type=int, default=1)
    parser.add_argument("--vendor")
    parser.add_argument("--bare-metal", action="store_true")
    parser.add_argument("command", nargs="+")
    asked = parser.parse_args()
    work = os.environ.pop(_INSIDE, None)
    if work is None:
        sys.exit(_outside())
    _inside(Path(work), asked)


if __name__ == "__main__":
    main()
