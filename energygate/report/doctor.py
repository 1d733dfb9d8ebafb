"""What can be measured here, as text."""

from collections.abc import Iterator, Sequence

from energygate.meters.select import Probe
from energygate.model import Machine
from energygate.units import format_quantity


def render_doctor(probes: Sequence[Probe], machine: Machine) -> str:
    """Render each hardware counter: usable with a live reading, or the reason and the fix."""
    return "\n".join(_lines(probes, machine)) + "\n"


def _lines(probes: Sequence[Probe], machine: Machine) -> Iterator[str]:
    virtual = {"none": "no", "unknown": "yes, of unknown make"}.get(machine.hard["virtual"], machine.hard["virtual"])
    yield f"machine: {machine.label}, virtual: {virtual}"
    for probe in probes:
        yield ""
        if probe.usable:
            yield f"{probe.name}: usable"
            yield from _readings(probe)
        else:
            yield f"{probe.name}: not usable. {probe.what} {probe.why}"
            yield from (f"    {line}" for line in probe.fix.splitlines())
    yield ""
    yield _conclusion(probes)


def _readings(probe: Probe) -> Iterator[str]:
    for info in probe.infos:
        refreshed = format_quantity(info.update_interval_s, "s")
        yield f"    refreshed every {refreshed}, in steps of {format_quantity(info.resolution_j, 'J')}"
    for domain, power_w in probe.power_w.items():
        yield f"    {domain}: {format_quantity(power_w, 'W')} now"


def _conclusion(probes: Sequence[Probe]) -> str:
    usable = [probe.name for probe in probes if probe.usable]
    if usable:
        return f"Energy can be measured here by {', '.join(usable)}."
    return (
        "No hardware counter can be read here, so nothing can be measured. An estimate from CPU seconds is offered as "
        "--energy-meters=estimate; it is labelled everywhere and decides only with --energy-allow-estimates."
    )
