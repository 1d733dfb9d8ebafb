"""What sysfs says of the processors: throttling, what they are set to, and how hot they are.

The files are looked up once: only their content changes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from energygate.measure.cpu_settings import CpuSettings
from energygate.meters.kernel_files import read_number, read_text

_HWMON: Final = frozenset({"coretemp", "k10temp", "zenpower"})
# Of these drivers only the whole package: to read a core's sensor wakes that core.
_WHOLE: Final = re.compile(r"Package id \d+|Physical id \d+|Tctl|Tdie")
_ZONES: Final = re.compile(r"x86_pkg_temp|cpu[-_]?thermal.*|soc[-_]?thermal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """One look at the sensors; what the machine doesn't have is absent.

    Attributes
    ----------
    throttles : mapping of file to count
        How often a core or a package was slowed down since the machine started.
    settings : mapping
        `governor`, `epp`, `turbo`, `power_limits_w`: what changes the machine itself when it changes.
    temperature_c : float or None
        Of the hottest processor, in degrees Celsius.
    """

    throttles: Mapping[Path, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    temperature_c: float | None = None


class Sensors:
    """The processors' sensors below one sysfs root."""

    def __init__(self, sysfs: Path) -> None:
        cpus = sysfs / "devices/system/cpu"
        self._throttles = tuple(_throttle_counts(cpus))
        self._settings = CpuSettings(sysfs)
        self._temperatures = tuple(_hwmon(sysfs)) or tuple(_thermal_zones(sysfs))

    def look(self) -> Sensed:
        """Read them all."""
        counts = {path: count for path in self._throttles if (count := read_number(path)) is not None}
        degrees = [milli / 1000 for path in self._temperatures if (milli := read_number(path)) is not None]
        return Sensed(
            throttles=counts,
            settings={name: value for name, value in self._settings.read().items() if value is not None},
            temperature_c=max(degrees) if degrees else None,
        )


def throttled_between(before: Sensed, after: Sensed) -> int | None:
    """How often the processors were slowed down between two looks, or None where they don't count that."""
    both = before.throttles.keys() & after.throttles.keys()
    return sum(max(after.throttles[path] - before.throttles[path], 0) for path in both) if both else None


def settings_changed(before: Sensed, after: Sensed) -> tuple[str, ...]:
    """Name the settings that differ, with both values: `governor: performance -> powersave`."""
    was, now = dict(_each(before.settings)), dict(_each(after.settings))
    return tuple(
        f"{name}: {_shown(was.get(name))} \N{RIGHTWARDS ARROW} {_shown(now.get(name))}"
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    )


def _each(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the settings by name: the power limits of each package on their own."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", one) for key, one in value.items())
        else:
            yield name, value


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)


def _throttle_counts(cpus: Path) -> Iterator[Path]:
    """One file for each core and one for each package: their threads are told of the same events."""
    seen: set[object] = set()
    for cpu in sorted(cpus.glob("cpu[0-9]*")):
        package = read_text(cpu / "topology/physical_package_id")
        core = read_text(cpu / "topology/core_id")
        places = {
            "core_throttle_count": (package, core) if core is not None else cpu,
            "package_throttle_count": package if package is not None else cpu,
        }
        for name, place in places.items():
            path = cpu / "thermal_throttle" / name
            if (name, place) not in seen and path.exists():
                seen.add((name, place))
                yield path


def _hwmon(sysfs: Path) -> Iterator[Path]:
    for device in sorted((sysfs / "class/hwmon").glob("hwmon*")):
        if read_text(device / "name") in _HWMON:
            for label in sorted(device.glob("temp*_label")):
                if _WHOLE.fullmatch(read_text(label) or ""):
                    yield label.with_name(label.name.replace("_label", "_input"))


def _thermal_zones(sysfs: Path) -> Iterator[Path]:
    for zone in sorted((sysfs / "class/thermal").glob("thermal_zone*")):
        if _ZONES.fullmatch(read_text(zone / "type") or ""):
            yield zone / "temp"
