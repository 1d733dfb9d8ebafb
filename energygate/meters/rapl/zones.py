"""Which powercap zones may be added to each other.

Go by the file `name`: numbers may have gaps, ids are hexadecimal, and psys may be a zone beside the packages. Only one
control type is read: `intel-rapl-mmio` repeats package-0 on client processors. AMD's counters are in it too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from energygate.meters.counters import LARGEST_COUNT, CounterSpec
from energygate.meters.kernel_files import read_head, read_label, read_number
from energygate.meters.rapl import faults

UPDATE_INTERVAL_S: Final = 0.001
_CONTROL_TYPES: Final = ("devices/virtual/powercap/intel-rapl", "class/powercap/intel-rapl")
_ZONE: Final = re.compile(r"intel-rapl:[0-9a-f]+")
_CHILD: Final = re.compile(r"intel-rapl:[0-9a-f]+:[0-9a-f]+")
_PACKAGE: Final = re.compile(r"package-([0-9]{1,6})(?:-die-([0-9]{1,6}))?")
_DRAM_BOUND_W: Final = 400.0
_PACKAGE_BOUND_W: Final = 1000.0
_LARGEST_RANGE_UJ: Final = 1 << 63  # a file of the kernel holds 64 bits
_LARGEST_LIMIT_W: Final = 4096.0  # the field has 15 bits of 1/8 W (Intel SDM vol. 3, 15.10.3); more is no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A zone of a package or of its memory.

    Attributes
    ----------
    package, die : int
        Socket, and the die in it (0 where a socket has one counter).
    range_uj : int or None
        `max_energy_range_uj`, None where the kernel gives none.
    bound_w : float
        Power in watts that only a broken counter exceeds.
    """

    folder: Path
    package: int
    die: int
    part: Literal["cpu", "dram"]
    range_uj: int | None
    bound_w: float

    @property
    def domain(self) -> str:
        """The domain that the zone's energy belongs to."""
        return f"{'package' if self.part == 'cpu' else 'dram'}-{self.package}"

    @property
    def place(self) -> tuple[int, str, int]:
        """What tells zones apart, and the order in which they are read: package, cpu before dram, die."""
        return self.package, self.part, self.die

    @property
    def resolution_j(self) -> float:
        """One step of the counter, in joules; 0 where the range is unknown."""
        return (self.range_uj or 0) / LARGEST_COUNT / 1e6

    @property
    def spec(self) -> CounterSpec:
        """The zone as a counter."""
        return CounterSpec(
            domain=self.domain,
            source=str(self.folder / "energy_uj"),
            bound_w=self.bound_w,
            update_interval_s=UPDATE_INTERVAL_S,
            range_uj=self.range_uj,
        )


def control_type(sysfs: Path) -> Path | None:
    """The one folder whose zones are read, or None where the kernel has none."""
    return next((path for name in _CONTROL_TYPES if (path := sysfs / name).is_dir()), None)


def top_zones(sysfs: Path) -> tuple[Path, ...]:
    """Folders of all zones that are in no other; none where the kernel has no counters.

    Raises
    ------
    OSError
        Where they may not be listed.
    """
    folder = control_type(sysfs)
    return () if folder is None else tuple(_matching(folder, _ZONE))


def zone_names(sysfs: Path) -> tuple[str, ...]:
    """Names of all top zones, whether they may be added or not; none where the kernel has no counters.

    Raises
    ------
    OSError
        Where a name cannot be read.
    """
    return tuple(read_label(folder / "name") for folder in top_zones(sysfs))


def find_zones(sysfs: Path) -> tuple[Zone, ...]:
    """Zones of packages and their memory, sorted by package, cpu before dram, then by die.

    Raises
    ------
    OSError
        Where a name or a range cannot be read.
    MeterUnavailable
        Where a range is no number, or two zones say that they are the same.
    """
    found = [zone for folder in top_zones(sysfs) for zone in _package(folder)]
    zones = sorted(found, key=lambda zone: (*zone.place, zone.folder))
    for first, second in pairwise(zones):
        if first.place == second.place:
            raise faults.ambiguous(first.domain, first.folder, second.folder)
    return tuple(zones)


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def _package(folder: Path) -> Iterator[Zone]:
    match = _PACKAGE.fullmatch(read_label(folder / "name"))
    if match is None:
        return
    package, die = int(match[1]), int(match[2] or 0)
    bound_w = max([_PACKAGE_BOUND_W, *(2 * limit_w for limit_w in _limits_w(folder))])
    yield Zone(folder=folder, package=package, die=die, part="cpu", range_uj=_range_uj(folder), bound_w=bound_w)
    for child in _matching(folder, _CHILD):
        if read_label(child / "name") == "dram":
            yield Zone(
                folder=child, package=package, die=die, part="dram", range_uj=_range_uj(child), bound_w=_DRAM_BOUND_W
            )


def _range_uj(folder: Path) -> int | None:
    path = folder / "max_energy_range_uj"
    if not path.exists():
        return None
    text = read_head(path)
    range_uj = int(text) if text.strip().isdigit() else 0
    if not 0 < range_uj < _LARGEST_RANGE_UJ:
        raise faults.not_counting(faults.no_number(path))
    return range_uj


def _limits_w(folder: Path) -> Iterator[float]:
    """Power limits of the package that say something; those that are hidden, have no data or are none say nothing."""
    for what in ("power_limit", "max_power"):
        for path in folder.glob(f"constraint_*_{what}_uw"):
            limit_uw = read_number(path)
            if limit_uw is not None and limit_uw / 1e6 <= _LARGEST_LIMIT_W:
                yield limit_uw / 1e6
