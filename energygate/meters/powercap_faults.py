"""Why RAPL cannot be read here, and the exact commands that mend it."""

import errno
from pathlib import Path
from typing import Final

from energygate.errors import MeterUnavailable
from energygate.meters.host import Host

_UNKNOWN: Final = "Without it package energy is unknown, so this run cannot be gated."

# The group gets access, not everyone: the counter is a side channel (CVE-2020-8694). udevadm's default is "change".
_PERMISSION: Final = """\
sudo groupadd -f energygate && sudo usermod -aG energygate USER
sudo tee /etc/udev/rules.d/60-energygate.rules <<'EOF'
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chgrp energygate /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod g+r /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod a+r /sys%p/max_energy_range_uj"
EOF
sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=powercap --action=add
# then restart the runner's service, so that it has the new group
Without udev rules, the same with tmpfiles:
sudo tee /etc/tmpfiles.d/energygate.conf <<'EOF'
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
EOF
sudo systemd-tmpfiles --create /etc/tmpfiles.d/energygate.conf"""

_CONTAINER: Final = (
    "Docker: `-v /sys:/host/sys:ro` with `--energy-sysfs=/host/sys`, as root in the container or with "
    "`--group-add GID` of the host's group. Podman: `--security-opt unmask=/sys/devices/virtual/powercap`. "
    "Best: run the job on the host."
)


def no_zones(sysfs: Path, host: Host) -> MeterUnavailable:
    """There is no counter at all."""
    if name := host.virtual_machine:
        return MeterUnavailable(
            f"No RAPL counters in {sysfs}: this is a virtual machine ({name}).",
            why="There is no RAPL inside one, so package energy is unknown here.",
            fix="Use bare metal (EC2: `*.metal`).",
        )
    if mark := host.container_mark:
        return MeterUnavailable(
            f"No RAPL counters in {sysfs}: this is a container ({mark} exists).",
            why="Container runtimes put an empty read-only tmpfs over /sys/devices/virtual/powercap, so the counters "
            "are absent even for root.",
            fix=_CONTAINER,
        )
    return MeterUnavailable(
        f"No RAPL counters in {sysfs}.",
        why=_UNKNOWN,
        fix="Load the driver: `sudo modprobe intel_rapl_msr` (`intel_rapl` before Linux 5.3). "
        "AMD needs Linux 5.8, family 19h 5.11; ARM has none.",
    )


def emulated(name: str) -> MeterUnavailable:
    """A virtual machine shows counters."""
    return MeterUnavailable(
        f"This virtual machine ({name}) shows RAPL counters.",
        why="They are emulated or the host's, so they do not count this machine's energy.",
        fix="Use bare metal (EC2: `*.metal`).",
    )


def no_package(sysfs: Path, names: tuple[str, ...]) -> MeterUnavailable:
    """There are counters, and none may be taken for a package."""
    return MeterUnavailable(
        f"No package among the RAPL counters in {sysfs}, only {', '.join(names)}.",
        why="Those hold more or less than the processors' energy, so they are not measured by accident.",
        fix="Use a machine with package counters, or another meter with --energy-meters.",
    )


def unreadable(error: OSError, host: Host) -> MeterUnavailable:
    """A file of a counter cannot be read."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return MeterUnavailable(
            f"Cannot read {error.filename}: permission denied.",
            why=_UNKNOWN,
            fix=f"Give the runner's group read access (docs/measuring.md#rapl-permission):\n"
            f"{_PERMISSION.replace('USER', host.user)}",
        )
    return not_counting(f"{error.filename} exists and cannot be read: {error.strerror}.")


def not_counting(sentence: str) -> MeterUnavailable:
    """A counter exists and gives no number, as in some virtual machines."""
    return MeterUnavailable(sentence, why=_UNKNOWN, fix="Use bare metal, or another meter with --energy-meters.")
