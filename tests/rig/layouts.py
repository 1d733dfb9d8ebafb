"""Kinds of machines with RAPL counters: their zones, and what a correct reader says of each."""

from collections.abc import Callable

from rig.zone import Zone

POWERCAP = "devices/virtual/powercap"
INTEL = f"{POWERCAP}/intel-rapl"
MMIO = f"{POWERCAP}/intel-rapl-mmio"
DRAM_UNIT_NJ = 15300  # range 65 712 999 613 uJ
AMD_UNIT_NJ = 15258  # range 65 532 610 987 uJ


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

# What a correct reader adds up: psys, core, uncore and what repeats another counter are not added; psys alone is not
# measured.
COUNTED: dict[str, dict[str, tuple[str, ...]]] = {
    "one": {"package-0": ("intel-rapl:0",)},
    "client": {"package-0": ("intel-rapl:0",)},
    "clientdram": {"package-0": ("intel-rapl:0",), "dram-0": ("intel-rapl:0:1",)},
    "server2": {
        "package-0": ("intel-rapl:0",),
        "dram-0": ("intel-rapl:0:0",),
        "package-1": ("intel-rapl:1",),
        "dram-1": ("intel-rapl:1:0",),
    },
    "asymdram": {"package-0": ("intel-rapl:0",), "dram-0": ("intel-rapl:0:0",), "package-1": ("intel-rapl:1",)},
    "amd": {"package-0": ("intel-rapl:0",)},
    "amd-dies": {"package-0": ("intel-rapl:0",)},
    "intel-dies": {"package-0": ("intel-rapl:0", "intel-rapl:1")},
    "hex": {f"package-{i}": (f"intel-rapl:{i:x}",) for i in range(12)},
    "gap": {"package-0": ("intel-rapl:0",), "package-1": ("intel-rapl:2",)},
    "psys-only": {},
}

# The watts that it says of each domain.
POWER_W: dict[str, dict[str, float]] = {
    "one": {"package-0": 50},
    "client": {"package-0": 50},
    "clientdram": {"package-0": 50, "dram-0": 6},
    "server2": {"package-0": 50, "dram-0": 6, "package-1": 40, "dram-1": 5},
    "asymdram": {"package-0": 50, "dram-0": 6, "package-1": 40},
    "amd": {"package-0": 50},
    "amd-dies": {"package-0": 68},
    "intel-dies": {"package-0": 90},
    "hex": {f"package-{i}": 10 for i in range(12)},
    "gap": {"package-0": 50, "package-1": 40},
    "psys-only": {},
}
