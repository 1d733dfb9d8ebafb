"""How the numbers were measured and judged, what is not in them, and how to measure them again."""

from collections.abc import Iterator, Sequence
from typing import Final

from energygate.model import GateReport, MeterInfo, Outcome
from energygate.report import rows
from energygate.report.commands import again
from energygate.report.markdown.details import folded
from energygate.report.markdown.escaping import commands, commit, listed, span
from energygate.report.publication import Publication
from energygate.report.scope import decides, not_seen, tested
from energygate.units import format_percent

_MOST_COMMANDS: Final = 5
_MOST_RUNS: Final = 20
_MOST_METERS: Final = 20
_MOST_NOTES: Final = 10
_LONGEST: Final = 500


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
    yield f"test: {tested(report)}, one-sided, adjusted by {span(policy.adjust)} at {level}"
    yield f"increases below {format_percent(policy.min_effect)} never fail"
    invalid = sum(line.row.trials.invalid for line in rows.lines(report) if line.row.how not in {"limit", "anchor"})
    yield f"invalid trials, replaced and not averaged in: {invalid}"
    yield decides(report)
    yield f"not in the figures, because no meter here covers it: {not_seen(report)}"


def _meter(meter: MeterInfo) -> str:
    return f"{span(meter.name)} ({meter.kind}): {span(', '.join(meter.domains), limit=200)}{rows.fineness(meter)}"


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


def _repeating(report: GateReport) -> Sequence[str]:
    """Give commands that measure the worst rows again; those that pass only where nothing else was measured."""
    lines = list(rows.lines(report))
    found = [line.row for line in lines if line.row.outcome is not Outcome.PASS] or [line.row for line in lines[:1]]
    return list(dict.fromkeys(command for row in found if (command := again(report, row))))[:_MOST_COMMANDS]
