"""Which powercap zones may be added to each other.

Go by the file `name`: numbers may have gaps, ids are hexadecimal, and psys may be a zone beside the packages. Only one
control type is read: `intel-rapl-mmio` repeats package-0 on client processors. AMD's counters are in it too.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from energygate.meters.counters import LARGEST_COUNT, CounterSpec

UPDATE_INTERVAL_S: Final = 0.001
_CONTROL_TYPES: Final = ("devices/virtual/powercap/intel-rapl", "class/powercap/intel-rapl")
_ZONE: Final = re.compile(r"intel-rapl:[0-9a-f]+")
_CHILD: Final = re.compile(r"intel-rapl:[0-9a-f]+:[0-9a-f]+")
_PACKAGE: Final = re.compile(r"package-(\d+)(?:-die-(\d+))?")
_DRAM_BOUND_W: Final = 400.0
_PACKAGE_BOUND_W: Final = 1000.0


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


def zone_names(sysfs: Path) -> tuple[str, ...]:
    """Names of all top zones, whether they may be added or not; none where the kernel has no counters."""
    return tuple(_name(folder) for folder in _folders(sysfs))


def find_zones(sysfs: Path) -> tuple[Zone, ...]:
    """Zones of packages and their memory, sorted by package, cpu before dram, then by die.

    Raises
    ------
    OSError
        Where a name or a range cannot be read.
    """
    zones = [zone for folder in _folders(sysfs) for zone in _package(folder)]
    return tuple(sorted(zones, key=lambda zone: (zone.package, zone.part, zone.die, zone.folder)))


def _folders(sysfs: Path) -> list[Path]:
    control_type = next((path for name in _CONTROL_TYPES if (path := sysfs / name).is_dir()), None)
    return [] if control_type is None else _matching(control_type, _ZONE)


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))


def _package(folder: Path) -> Iterator[Zone]:
    match = _PACKAGE.fullmatch(_name(folder))
    if match is None:
        return
    package, die = int(match[1]), int(match[2] or 0)
    bound_w = max([_PACKAGE_BOUND_W, *(2 * limit_w for limit_w in _limits_w(folder))])
    yield Zone(folder=folder, package=package, die=die, part="cpu", range_uj=_range_uj(folder), bound_w=bound_w)
    for child in _matching(folder, _CHILD):
        if _name(child) == "dram":
            yield Zone(
                folder=child, package=package, die=die, part="dram", range_uj=_range_uj(child), bound_w=_DRAM_BOUND_W
            )


def _name(folder: Path) -> str:
    return (folder / "name").read_text(errors="replace").strip()


def _range_uj(folder: Path) -> int | None:
    path = folder / "max_energy_range_uj"
    if not path.exists():
        return None
    try:
        return int(path.read_bytes())
    except ValueError as error:
        raise OSError(errno.ENODATA, "it holds no number", str(path)) from error


def _limits_w(folder: Path) -> Iterator[float]:
    for what in ("power_limit", "max_power"):
        for path in folder.glob(f"constraint_*_{what}_uw"):
            try:
                yield int(path.read_text()) / 1e6
            except (OSError, ValueError):  # may be hidden or have no data; the bound is then the default
                continue
