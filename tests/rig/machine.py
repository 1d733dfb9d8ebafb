"""A machine with RAPL counters whose true energy is known.

What a reader sees is quantised and wrapped as the kernel does it: the hardware counts to 2**bits in units of `unit_nj`
nanojoules, refreshed every `period_s`; `energy_uj` is count * unit_nj // 1000 and `max_energy_range_uj` is
(2**bits - 1) * unit_nj // 1000.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

POWERCAP = "devices/virtual/powercap"
INTEL = f"{POWERCAP}/intel-rapl"
MMIO = f"{POWERCAP}/intel-rapl-mmio"
DRAM_UNIT_NJ = 15300  # range 65 712 999 613 uJ
AMD_UNIT_NJ = 15258  # range 65 532 610 987 uJ


@dataclass(kw_only=True)
class Zone:
    """One counter, at constant power. `mirrors` is the path of the zone whose counter it repeats."""

    path: str
    name: str
    power_w: float
    unit_nj: int = 61035
    bits: int = 32
    period_s: float = 0.000976
    offset_j: float = 1000.0
    since_s: float = 0.0
    mirrors: str | None = None

    @property
    def range_uj(self) -> int:
        return (2**self.bits - 1) * self.unit_nj // 1000

    @property
    def modulus_j(self) -> float:
        return 2**self.bits * self.unit_nj / 1e9

    def true_j(self, at_s: float) -> float:
        return self.offset_j + self.power_w * (at_s - self.since_s)

    def raw_uj(self, at_s: float) -> int:
        """What `energy_uj` shows: the energy at the last refresh, in units."""
        refreshed_s = at_s - at_s % self.period_s if self.period_s else at_s
        count = int(self.true_j(max(refreshed_s, self.since_s)) * 1e9 / self.unit_nj)
        return count % 2**self.bits * self.unit_nj // 1000

    def run_at(self, power_w: float, at_s: float) -> None:
        self.offset_j, self.since_s, self.power_w = self.true_j(at_s), at_s, power_w

    def wrap_in(self, seconds: float, at_s: float) -> None:
        """Put the counter where it wraps in that time at the present power."""
        self.offset_j, self.since_s = self.modulus_j - self.power_w * seconds, at_s


class Machine:
    """The zones of one layout, on one clock."""

    def __init__(self, layout: str, *, clock: Callable[[], float] = time.monotonic, period_s: float = 0.000976) -> None:
        self.zones = LAYOUTS[layout]()
        self.clock = clock
        for i, zone in enumerate(self.zones):
            zone.offset_j += 137.0 * i  # separate counters stand at separate values
            zone.since_s = clock()
            zone.period_s = period_s
        self._by_path = {zone.path: zone for zone in self.zones}

    def raw_uj(self, zone: Zone) -> int:
        return self.source(zone).raw_uj(self.clock())

    def source(self, zone: Zone) -> Zone:
        """The zone whose counter it shows: itself, unless it mirrors another."""
        return self._by_path[zone.mirrors or zone.path]

    def zone(self, key: str) -> Zone:
        """By the last part of its path: `intel-rapl:0`."""
        return next(zone for zone in self.zones if zone.path.rpartition("/")[2] == key)


def _top(i: int, power_w: float, name: str | None = None, **more) -> Zone:
    return Zone(path=f"{INTEL}/intel-rapl:{i:x}", name=name or f"package-{i}", power_w=power_w, **more)


def _sub(i: int, k: int, name: str, power_w: float, **more) -> Zone:
    return Zone(path=f"{INTEL}/intel-rapl:{i:x}/intel-rapl:{i:x}:{k:x}", name=name, power_w=power_w, **more)


def _dram(i: int, power_w: float, k: int = 0) -> Zone:
    return _sub(i, k, "dram", power_w, unit_nj=DRAM_UNIT_NJ)


def _client() -> list[Zone]:
    twin = Zone(path=f"{MMIO}/intel-rapl-mmio:0", name="package-0", power_w=50, mirrors=f"{INTEL}/intel-rapl:0")
    return [_top(0, 50), _sub(0, 0, "core", 30), _sub(0, 1, "uncore", 8), _top(1, 70, "psys"), twin]


def _amd_dies() -> list[Zone]:
    first = _top(0, 68, "package-0-die-0", unit_nj=AMD_UNIT_NJ)
    return [first, _top(1, 68, "package-0-die-1", unit_nj=AMD_UNIT_NJ, mirrors=first.path)]


LAYOUTS: dict[str, Callable[[], list[Zone]]] = {
    "one": lambda: [_top(0, 50)],
    "client": _client,
    "clientdram": lambda: [_top(0, 50), _sub(0, 0, "core", 30), _dram(0, 6, k=1)],
    "server2": lambda: [_top(0, 50), _dram(0, 6), _top(1, 40), _dram(1, 5)],
    "asymdram": lambda: [_top(0, 50), _dram(0, 6), _top(1, 40)],
    "amd": lambda: [_top(0, 50, unit_nj=AMD_UNIT_NJ), _sub(0, 0, "core", 3, unit_nj=AMD_UNIT_NJ)],
    "amd-dies": _amd_dies,
    "intel-dies": lambda: [_top(0, 50, "package-0-die-0"), _top(1, 40, "package-0-die-1")],
    "hex": lambda: [_top(i, 10) for i in range(12)],
    "gap": lambda: [_top(0, 50), _top(2, 40, "package-1")],
    "psys-only": lambda: [_top(0, 70, "psys")],
}
