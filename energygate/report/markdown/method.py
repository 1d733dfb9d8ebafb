"""How the numbers were measured and judged, what is not in them, and how to measure them again."""

from collections.abc import Iterator, Sequence
from typing import Final

from energygate.model import GateReport, MeterInfo, Outcome
from energygate.report import rows
from energygate.report.commands import again
from energygate.report.markdown.details import folded
from energygate.report.markdown.escaping import commands, commit, listed, span
from energygate.report.publication import Publication
from energygate.units import format_percent, format_quantity

_MOST_COMMANDS: Final = 5
_MOST_RUNS: Final = 20
_MOST_METERS: Final = 20
_MOST_NOTES: Final = 10
_LONGEST: Final = 500
_NEVER_SEEN: Final = ("disks", "network", "fans", "power supply")
_UNITS: Final = {"stored": "stored sessions", "interleaved": "blocks of base and head"}


def how_measured(report: GateReport, publication: Publication | None) -> str:
    """Give it as a folded part; what a fork's own run reports is no command to type."""
    typed = [] if publication is not None and publication.relayed else _repeating(report)
    again_here = ["To see it again:", commands(typed)] if typed else []
    body = "\n".join(f"- {sentence}" for sentence in _sentences(report, publication))
    return folded("How this was measured", "\n\n".join([body, *again_here]))


def _sentences(report: GateReport, publication: Publication | None) -> Iterator[str]:
    policy = report.policy
    yield from (_meter(meter) for meter in report.meters[:_MOST_METERS])
    yield f"machine fingerprint {span(report.machine.fingerprint)}"
    if publication is not None and report.head.commit not in {None, publication.head}:
        yield f"measured as checked out: {commit(report.head.commit, publication.repository_url)}"
    yield from _compared_with(report)
    yield from _notes(report)
    level = format_percent(policy.false_alarms)
    yield f"test: {_evidence(report)}, one-sided, adjusted by {span(policy.adjust)} at {level}"
    yield f"increases below {format_percent(policy.min_effect)} never fail"
    invalid = sum(line.row.trials.invalid for line in rows.lines(report) if line.row.how not in {"limit", "anchor"})
    yield f"invalid trials, replaced and not averaged in: {invalid}"
    yield _decides(report)
    yield _not_seen(report)


def _meter(meter: MeterInfo) -> str:
    return f"{span(meter.name)} ({meter.kind}): {span(', '.join(meter.domains), limit=200)}{_fineness(meter)}"


def _fineness(meter: MeterInfo) -> str:
    """How finely it measures; nothing where each reading is exact."""
    every = f", refreshed every {format_quantity(meter.update_interval_s, 's')}" if meter.update_interval_s else ""
    steps = f", steps of {format_quantity(meter.resolution_j, 'J')}" if meter.resolution_j else ""
    return f"{every}{steps}"


def _compared_with(report: GateReport) -> Iterator[str]:
    runs = listed([span(run) for run in report.baseline.runs], _MOST_RUNS) or "none"
    if report.base is not None:
        yield f"compared with a base measured in turns: {span(report.base.run_id)}"
        yield f"screened by stored runs: {runs}"
        return
    against = "a base measured in turns" if report.baseline.how == "interleaved" else "stored runs"
    yield f"compared with {against}: {runs}"


def _notes(report: GateReport) -> Iterator[str]:
    yield from (span(note, _LONGEST) for note in report.notes[:_MOST_NOTES])
    if len(report.notes) > _MOST_NOTES:
        yield f"{len(report.notes) - _MOST_NOTES} more notes"


def _evidence(report: GateReport) -> str:
    """What one piece of evidence is, in each of the stages."""
    found = {row.how for row in report.comparisons}
    return " and ".join(said for how, said in _UNITS.items() if how in found) or _UNITS["stored"]


def _decides(report: GateReport) -> str:
    """Which energy the verdict rests on: an estimate knows nothing of the rest of the machine."""
    if report.meters and all(meter.kind == "estimate" for meter in report.meters):
        return "what decides is estimated from the CPU seconds of the workload's own processes"
    return "what decides is all the energy of the measured parts, whoever used it; idle power is not subtracted"


def _not_seen(report: GateReport) -> str:
    """What the figures cannot hold, because nothing measured it."""
    domains = [domain for meter in report.meters for domain in meter.domains]
    parts = {"DRAM": "dram", "GPUs": "gpu"}
    unseen = [words for words, start in parts.items() if not any(domain.startswith(start) for domain in domains)]
    everything = ", ".join([*unseen, *_NEVER_SEEN])
    return f"not in the figures, because no meter here covers it: {everything}"


def _repeating(report: GateReport) -> Sequence[str]:
    """Give commands that measure the worst rows again; those that pass only where nothing else was measured."""
    lines = list(rows.lines(report))
    found = [line.row for line in lines if line.row.outcome is not Outcome.PASS] or [line.row for line in lines[:1]]
    return list(dict.fromkeys(command for row in found if (command := again(report, row))))[:_MOST_COMMANDS]
