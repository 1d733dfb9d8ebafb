"""What the numbers of a report cover, and what they rest on, in plain words for every format."""

from typing import Final

from energygate.model import GateReport

_NEVER_SEEN: Final = ("disks", "network", "fans", "power supply")
_UNITS: Final = {"stored": "stored sessions", "interleaved": "blocks of base and head"}


def tested(report: GateReport) -> str:
    """What one piece of evidence is, in each of the stages."""
    found = {row.how for row in report.comparisons}
    return " and ".join(said for how, said in _UNITS.items() if how in found) or _UNITS["stored"]


def decides(report: GateReport) -> str:
    """Which energy the verdict rests on: an estimate knows nothing of the rest of the machine."""
    if report.meters and all(meter.kind == "estimate" for meter in report.meters):
        return "what decides is estimated from the CPU seconds of the workload's own processes"
    return "what decides is all the energy of the measured parts, whoever used it; idle power is not subtracted"


def not_seen(report: GateReport) -> str:
    """What the figures cannot hold, because nothing measured it."""
    domains = [domain for meter in report.meters for domain in meter.domains]
    parts = {"DRAM": "dram", "GPUs": "gpu"}
    unseen = [words for words, start in parts.items() if not any(domain.startswith(start) for domain in domains)]
    return ", ".join([*unseen, *_NEVER_SEEN])
