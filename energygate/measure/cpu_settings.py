"""What the processors are set to: governor, energy preference, turbo and power limits.

Runs compare only where these agree (`measure.machine`), and a trial counts only while they stay (`measure.watch`): both
read them here. The files are looked up once: only their content changes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from energygate.meters.kernel_files import read_number, read_text
from energygate.meters.rapl.zones import top_zones

_CPU: Final = "devices/system/cpu"
_ON: Final = {"0": False, "1": True}


class CpuSettings:
    """The settings below one sysfs root."""

    def __init__(self, sysfs: Path) -> None:
        cpus = sysfs / _CPU
        self._governors = sorted(cpus.glob("cpufreq/policy*/scaling_governor"))
        self._preferences = sorted(cpus.glob("cpufreq/policy*/energy_performance_preference"))
        self._no_turbo, self._boost = cpus / "intel_pstate/no_turbo", cpus / "cpufreq/boost"
        self._packages = {name: zone for zone in _zones(sysfs) if (name := _name(zone)).startswith("package")}

    def read(self) -> dict[str, Any]:
        """Give `governor`, `epp`, `turbo` and `power_limits_w`; None is what the kernel does not say."""
        return {
            "governor": distinct(self._governors),
            "epp": distinct(self._preferences),
            "turbo": self._turbo(),
            "power_limits_w": dict(self._power_limits_w()) or None,
        }

    def _turbo(self) -> bool | None:
        no_turbo, boost = (_ON.get(read_text(path) or "") for path in (self._no_turbo, self._boost))
        return boost if no_turbo is None else not no_turbo

    def _power_limits_w(self) -> Iterator[tuple[str, list[int | None]]]:
        """Long and short power limit of each package in whole watts."""
        for name, zone in sorted(self._packages.items()):
            pair = [_watts(read_number(zone / f"constraint_{i}_power_limit_uw")) for i in (0, 1)]
            if pair != [None, None]:
                yield name, pair


def distinct(paths: Iterable[Path]) -> list[str] | None:
    """What files say, each text once; None where they say nothing."""
    return sorted({text for path in paths if (text := read_text(path))}) or None


def _zones(sysfs: Path) -> tuple[Path, ...]:
    try:
        return top_zones(sysfs)
    except OSError:  # hidden from this user
        return ()


def _name(zone: Path) -> str:
    return read_text(zone / "name") or ""


def _watts(limit_uw: int | None) -> int | None:
    return None if limit_uw is None else round(limit_uw / 1e6)
