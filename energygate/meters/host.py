"""What this machine says of itself, as far as it explains why a counter is missing or wrong."""

import os
import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from energygate.meters.kernel_files import read_head, read_label

# Bare-metal instances of EC2 have the same vendor, so "Amazon EC2" is not in this list; the flag finds the others.
_VM_NAMES: Final = re.compile(r"QEMU|KVM|VMware|VirtualBox|Xen|Virtual Machine|Google Compute Engine")
_MIRRORED_DIES: Final = {"AuthenticAMD", "HygonGenuine"}
_CPUINFO_BYTES: Final = 8192  # the first processor's entry; those of a large server are long to make
_COUNTERS: Final = "/devices/virtual/powercap"
# Fields of proc_pid_mountinfo(5): id, parent, device, root, mount point, options, …, a dash, type.
_MOUNT: Final = re.compile(r"^\d+ \d+ (?P<device>\d+:\d+) \S+ (?P<point>\S+) .*? - (?P<type>\S+)", re.MULTILINE)
_DRIVER_FILES: Final = ("nvidia*", "nvhost*")  # nvhost: a Tegra's GPU, which is on no bus
_NVIDIA: Final = "0x10de"
_DISPLAY: Final = "0x03"  # NVIDIA made other chips for mainboards
_MSR_MISC_PACKAGE_CTLS: Final = 0xBC  # bit 0: energy filtering (Intel SDM vol. 4; INTEL-SA-00389)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # containers run under ids without a name
        return str(os.geteuid())


def _label(path: Path) -> str:
    """The file's text, or nothing where this machine has no such file or hides it."""
    try:
        return read_label(path)
    except OSError:
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
    mountinfo : Path
        The kernel's list of mounts: another path may show its sysfs too, in a container for one.
    msr : Path
        The first processor's model-specific registers.
    devices : Path
        The folder of device files.
    container_marks : tuple of Path
        Files that a container runtime leaves in the root folder.
    user : str
        Whom a permission must be given to.
    """

    cpuinfo: Path = Path("/proc/cpuinfo")
    sysfs: Path = Path("/sys")
    mountinfo: Path = Path("/proc/self/mountinfo")
    msr: Path = Path("/dev/cpu/0/msr")
    devices: Path = Path("/dev")
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
        product = f"{_label(dmi / 'sys_vendor')} {_label(dmi / 'product_name')}".strip()
        if "hypervisor" in self._cpu("flags").split():
            return product or "hypervisor flag in /proc/cpuinfo"
        return product if _VM_NAMES.search(product) else None

    @property
    def container_mark(self) -> Path | None:
        """The file that shows that this is a container, or None outside of one."""
        return next((mark for mark in self.container_marks if mark.exists()), None)

    @property
    def has_nvidia_gpu(self) -> bool:
        """Whether anything shows one: a display device of NVIDIA's on the PCI bus, or a file of its driver."""
        if any(True for pattern in _DRIVER_FILES for _ in self.devices.glob(pattern)):
            return True
        devices = (vendor.parent for vendor in (self.sysfs / "bus/pci/devices").glob("*/vendor"))
        return any(
            _label(device / "vendor") == _NVIDIA and _label(device / "class").startswith(_DISPLAY) for device in devices
        )

    @property
    def masks_counters(self) -> bool:
        """Whether an empty file system lies over the counters, as every container runtime puts one there."""
        return any(mount["type"] == "tmpfs" and mount["point"].endswith(_COUNTERS) for mount in self._mounts())

    @property
    def energy_filter(self) -> Literal["on", "off", "possible"]:
        """Whether the processor randomises its energy counters; possible where only SGX hints at it."""
        if self._cpu("vendor_id") != "GenuineIntel":
            return "off"
        controls = self._package_controls()
        if controls is None:
            return "possible" if "sgx" in self._cpu("flags").split() else "off"
        return "on" if controls & 1 else "off"

    def owns(self, folder: Path) -> bool:
        """Whether this kernel fills the folder: it is below its own sysfs, or in a sysfs mounted elsewhere.

        A simulated tree and one that a network brings are not this machine's, unless they lie over its own /sys.
        """
        return folder.resolve().is_relative_to(self.sysfs.resolve()) or self._mount_type(folder) == "sysfs"

    def _mount_type(self, folder: Path) -> str:
        """The type of the file system that holds it; nothing where the kernel does not list it."""
        device = folder.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        return next((mount["type"] for mount in self._mounts() if mount["device"] == number), "")

    def _mounts(self) -> Iterator[re.Match[str]]:
        try:
            text = self.mountinfo.read_bytes().decode(errors="replace")
        except OSError:
            return iter(())
        return _MOUNT.finditer(text)

    def _package_controls(self) -> int | None:
        """The register that switches filtering on; None where it may not be read or the processor has none."""
        try:
            descriptor = os.open(self.msr, os.O_RDONLY)
        except OSError:
            return None
        try:
            register = os.pread(descriptor, 8, _MSR_MISC_PACKAGE_CTLS)
        except OSError:  # EIO: it has none
            return None
        finally:
            os.close(descriptor)
        return int.from_bytes(register, "little") if len(register) == 8 else None

    def _cpu(self, key: str) -> str:
        try:
            text = read_head(self.cpuinfo, limit=_CPUINFO_BYTES).decode(errors="replace")
        except OSError:
            return ""
        match = re.search(rf"^{key}\s*:\s*(.*)$", text, re.MULTILINE)
        return match[1] if match else ""
