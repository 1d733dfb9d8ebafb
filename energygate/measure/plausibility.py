"""Whether live readings are what such hardware draws. A reading that is not is shown with its figure, never mended."""

from collections.abc import Iterator
from typing import Final

from energygate.meters.base import Domain
from energygate.meters.diagnosis import Finding, Probe
from energygate.units import format_quantity

_PLAUSIBLE_W: Final = {"cpu": (1.0, 1000.0), "dram": (0.1, 400.0)}
_LEAST_GPU_W: Final = 5.0
_MOST_GPU_W: Final = 2000.0  # where the limit is unknown
_ABOVE_LIMIT: Final = 1.05
_APART: Final = 5.0  # Granite Rapids showed 200 J/s beside 6 J/s (github.com/icl-utk-edu/papi issue 635)
_WHY: Final = "Such hardware does not draw that, so the counter is broken, or its unit is read wrong."
_COMPARE: Final = {
    "cpu": "sudo turbostat --quiet --Summary --show PkgWatt,RAMWatt --interval 5 --num_iterations 1",
    "dram": "sudo turbostat --quiet --Summary --show PkgWatt,RAMWatt --interval 5 --num_iterations 1",
    "gpu": "nvidia-smi --query-gpu=index,pci.bus_id,power.draw,enforced.power.limit --format=csv",
}


def doubtful_readings(probe: Probe) -> tuple[Finding, ...]:
    """What in a meter's live reading cannot be true."""
    return *_out_of_bounds(probe), *_memory_apart(probe)


def _out_of_bounds(probe: Probe) -> Iterator[Finding]:
    for domain in probe.domains:
        power_w = probe.power_w.get(domain.name)
        if power_w is None:
            continue
        least_w, most_w = _bounds_w(domain, probe)
        if not least_w <= power_w <= most_w:
            yield Finding(
                what=f"{domain.name} shows {power_w:.4g} W, which is not between {least_w:g} and {most_w:g} W.",
                why=_WHY,
                fix=f"Compare, and don't gate on it where they differ:\n{_COMPARE[domain.part]}",
            )


def _bounds_w(domain: Domain, probe: Probe) -> tuple[float, float]:
    if domain.part != "gpu":
        return _PLAUSIBLE_W[domain.part]
    limit_w = probe.conditions.get(domain.name, {}).get("power_limit_w")
    return _LEAST_GPU_W, _MOST_GPU_W if limit_w is None else _ABOVE_LIMIT * limit_w


def _memory_apart(probe: Probe) -> Iterator[Finding]:
    """Two sockets' memory draws about the same when nothing runs."""
    memory_w = {d.name: probe.power_w[d.name] for d in probe.domains if d.part == "dram" and d.name in probe.power_w}
    if len(memory_w) < 2:
        return
    low, high = min(memory_w, key=memory_w.__getitem__), max(memory_w, key=memory_w.__getitem__)
    if memory_w[high] > _APART * memory_w[low]:
        high_w, low_w = format_quantity(memory_w[high], "W"), format_quantity(memory_w[low], "W")
        yield Finding(
            what=f"{high} shows {high_w} and {low} {low_w}.",
            why="Memory of one machine does not draw 5 times as much on one socket as on another when nothing runs; on "
            "some processors the counter of one socket is nonsense.",
            fix=f"Compare, and leave `dram` out of what you trust where they differ:\n{_COMPARE['dram']}",
        )
