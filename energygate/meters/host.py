"""What this machine says of itself, as far as it explains why a counter is missing."""

import os
import pwd
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Bare-metal instances of EC2 have the same vendor, so "Amazon EC2" is not in this list; the flag finds the others.
_VM_NAMES: Final = re.compile(r"QEMU|KVM|VMware|VirtualBox|Xen|Virtual Machine|Google Compute Engine")
_MIRRORED_DIES: Final = {"AuthenticAMD", "HygonGenuine"}


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # containers run under ids without a name
        return str(os.geteuid())


def _text(path: Path) -> str:
    """The file's text, or nothing where this machine has no such file or hides it."""
    try:
        return path.read_text(errors="replace").strip()
    except (FileNotFoundError, PermissionError):
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Where to look for facts about the machine.

    Attributes
    ----------
    cpuinfo : Path
        The kernel's list of processors.
    sysfs : Path
        This kernel's own sysfs, whichever tree the counters are read from.
    container_marks : tuple of Path
        Files that a container runtime leaves in the root folder.
    user : str
        Whom a permission must be given to.
    """

    cpuinfo: Path = Path("/proc/cpuinfo")
    sysfs: Path = Path("/sys")
    container_marks: tuple[Path, ...] = (Path("/.dockerenv"), Path("/run/.containerenv"))
    user: str = field(default_factory=_user_name)

    @property
    def mirrors_dies(self) -> bool:
        """Whether each die's counter shows the whole package (AMD, Hygon) instead of the die (Intel)."""
        return self._cpu("vendor_id") in _MIRRORED_DIES

    @property
    def virtual_machine(self) -> str | None:
        """The hypervisor's name for this machine, or None on bare metal."""
        dmi = self.sysfs / "class/dmi/id"
        product = f"{_text(dmi / 'sys_vendor')} {_text(dmi / 'product_name')}".strip()
        if "hypervisor" in self._cpu("flags").split():
            return product or "hypervisor flag in /proc/cpuinfo"
        return product if _VM_NAMES.search(product) else None

    @property
    def container_mark(self) -> Path | None:
        """The file that shows that this is a container, or None outside of one."""
        return next((mark for mark in self.container_marks if mark.exists()), None)

    def _cpu(self, key: str) -> str:
        match = re.search(rf"^{key}\s*:\s*(.*)$", _text(self.cpuinfo), re.MULTILINE)
        return match[1] if match else ""
