"""Why RAPL cannot be read here, and the exact commands that mend it."""

import errno
from pathlib import Path
from typing import Final

from energygate.errors import MeterUnavailable
from energygate.meters.host import Host
from energygate.meters.rapl.texts import CONTAINER, permission

_UNKNOWN: Final = "Without it package energy is unknown, so this run cannot be gated."
_BARE_METAL: Final = "Use bare metal (EC2: `*.metal`)"
_GONE: Final = frozenset({errno.ENOENT, errno.ENODEV})  # kernfs answers ENODEV once the zone is removed
_NAMES_SHOWN: Final = 16


def no_zones(sysfs: Path, host: Host) -> MeterUnavailable:
    """There is no counter at all."""
    if not sysfs.is_dir():
        return MeterUnavailable(
            f"{sysfs} is not a folder, and sysfs should be mounted there.",
            why=_UNKNOWN,
            fix="Correct --energy-sysfs, or leave it out: it is /sys then.",
        )
    if name := host.virtual_machine:
        return MeterUnavailable(
            f"No RAPL counters in {sysfs}: this is a virtual machine ({name}).",
            why="Virtual machines have no RAPL, so package energy is unknown here.",
            fix=f"{_BARE_METAL}.",
        )
    if sign := _container(host):
        return MeterUnavailable(
            f"No RAPL counters in {sysfs}: this is a container ({sign}).",
            why="Container runtimes put an empty read-only tmpfs over /sys/devices/virtual/powercap, so the counters "
            "are absent even for root.",
            fix=CONTAINER,
        )
    return MeterUnavailable(
        f"No RAPL counters in {sysfs}.",
        why=_UNKNOWN,
        fix="Load the driver: `sudo modprobe intel_rapl_msr` (`intel_rapl` before Linux 5.3). "
        "AMD needs Linux 5.8, family 19h 5.11; ARM has none.",
    )


def _container(host: Host) -> str:
    if mark := host.container_mark:
        return f"{mark} exists"
    return "a tmpfs lies over the counters" if host.masks_counters else ""


def emulated(name: str) -> MeterUnavailable:
    """A virtual machine shows counters."""
    return MeterUnavailable(
        f"This virtual machine ({name}) shows RAPL counters.",
        why="They are emulated or the host's, so they do not count this machine's energy.",
        fix=f"{_BARE_METAL}, or put up with them: `rapl: {{virtual: allow}}` in energygate.yml.",
    )


def filtered() -> MeterUnavailable:
    """The processor randomises its counters."""
    return MeterUnavailable(
        "This processor randomises its RAPL counters: energy filtering is on (bit 0 of MSR 0xBC).",
        why="Readings may be wrong by up to 50 % (INTEL-SA-00389), so a difference may be the filter's.",
        fix="Switch SGX off in the firmware, or put up with it: `rapl: {filtered: allow}` in energygate.yml.",
    )


def no_package(sysfs: Path, names: tuple[str, ...]) -> MeterUnavailable:
    """There are counters, and none may be taken for a package."""
    more = ", …" if len(names) > _NAMES_SHOWN else ""
    return MeterUnavailable(
        f"No package among the RAPL counters in {sysfs}, only {', '.join(names[:_NAMES_SHOWN])}{more}.",
        why="Those hold more or less than the processors' energy, so they are not measured by accident.",
        fix="Use a machine with package counters, or another meter with --energy-meters.",
    )


def ambiguous(domain: str, first: Path, second: Path) -> MeterUnavailable:
    """Two counters say that they are the same one."""
    return MeterUnavailable(
        f"{first} and {second.name} both say that they count {domain}.",
        why="Their sum may count its energy twice, and one of them may miss a part of it.",
        fix="Look at their `name` files, and use another meter with --energy-meters.",
    )


def unreadable(error: OSError, host: Host) -> MeterUnavailable:
    """A file of a counter cannot be read."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        fix = f"Give the runner's group read access (docs/measuring.md#rapl-permission):\n{permission(host.user)}"
        if sign := _container(host):
            fix += f"\nThis is a container ({sign}): do that on its host. {CONTAINER}"
        return MeterUnavailable(f"Cannot read {error.filename}: permission denied.", why=_UNKNOWN, fix=fix)
    if error.errno in _GONE:
        return MeterUnavailable(
            cannot_read(error.filename, error),
            why=_UNKNOWN,
            fix="Try again once drivers have settled, or use another meter with --energy-meters.",
        )
    return not_counting(cannot_read(error.filename, error))


def not_counting(sentence: str) -> MeterUnavailable:
    """A counter exists and gives no number, as in some virtual machines."""
    return MeterUnavailable(sentence, why=_UNKNOWN, fix="Use bare metal, or another meter with --energy-meters.")


def cannot_read(path: Path | str, error: OSError) -> str:
    """What is wrong with a file of a counter, as a sentence."""
    symbol = errno.errorcode.get(error.errno or 0, "no number")
    if error.errno in _GONE:
        return f"{path} is gone, so the kernel has removed this counter ({symbol})."
    return f"{path} exists and cannot be read: {error.strerror} ({symbol})."


def no_number(path: Path) -> str:
    """A file of a counter holds something else, as a sentence."""
    return f"{path} exists and cannot be read: it holds no number."


def out_of_range(path: Path, text: bytes, largest_uj: int) -> str:
    """A counter shows what no counter of its range does, as a sentence."""
    shown = text.decode("ascii", errors="replace").strip()
    return f"{path} exists and cannot be read: it holds {shown}, and it counts from 0 to {largest_uj}."
