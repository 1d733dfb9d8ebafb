"""What is said of one benchmark when its section is opened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from energygate.history.window import said_of
from energygate.model import Evidence, GateReport, Level, Point, Row
from energygate.report import rows
from energygate.report.commands import accepting, again, is_shared
from energygate.report.html.figures import said_of_change
from energygate.report.html.table import per_token
from energygate.report.rows import Line
from energygate.report.terms import InTerms
from energygate.units import format_change, format_percent

_SHORT: Final = 12
_HOW: Final = {
    "stored": "with stored sessions",
    "interleaved": "with the base, measured in turns",
    "limit": "with a fixed limit",
    "anchor": "with a pinned commit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The words of a benchmark's section.

    Attributes
    ----------
    facts : tuple of (str, str)
        Names and values, in the order of reading.
    invalid : tuple of (str, int)
        Why trials don't count, and how many.
    happened : tuple of str
        What the stored sessions show: changes of level, and who accepted what.
    again, accept : str
        Commands to type; empty where there is none.
    is_merged_first : bool
        Whether it is accepted after the merge, because all branches share the store.
    """

    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    invalid: tuple[tuple[str, int], ...]
    happened: tuple[str, ...]
    again: str
    accept: str
    is_merged_first: bool
    has_figures: bool


def section(
    report: GateReport, lines: Sequence[Line], evidence: Evidence | None, terms: InTerms | None = None
) -> Section:
    """Give what is said of a benchmark.

    Parameters
    ----------
    terms : InTerms or None
        What it takes in other terms than joules, where the configuration asks for that.
    """
    found = [line.row for line in lines]
    return Section(
        facts=(*_facts(lines, evidence, report), *(() if terms is None else [("in other terms", terms.sentence)])),
        notes=tuple(dict.fromkeys(note for row in found for note in row.notes)),
        invalid=tuple(_reasons(evidence)),
        happened=tuple(_happened(evidence)),
        again=again(report, found[0]),
        accept=next((command for row in found if (command := accepting(report, row))), ""),
        is_merged_first=is_shared(report),
        has_figures=evidence is not None or any(row.ratio is not None or row.history for row in found),
    )


def _facts(lines: Sequence[Line], evidence: Evidence | None, report: GateReport) -> Iterator[tuple[str, str]]:
    for line in lines:
        yield from _of_line(line)
    budget = report.policy.budget if evidence is None else evidence.budget
    least = report.policy.min_effect if evidence is None else evidence.min_effect
    yield "budget", f"{format_percent(budget)}; increases below {format_percent(least)} never fail"
    if evidence is not None and evidence.labels:
        yield "labels", ", ".join(f"{name}: {value}" for name, value in sorted(evidence.labels.items()))
    if (place := lines[0].row.location) is not None:
        yield "defined in", f"{place.file}:{place.line}"


def _of_line(line: Line) -> Iterator[tuple[str, str]]:
    row = line.row
    yield f"verdict{rows.kind(row)}", f"{rows.WORDS[row.outcome]}: {row.reason}"
    if shown := rows.sides(row):
        yield "base and head" if row.base is not None and row.how != "limit" else "head", shown
    if changed := rows.change_with_interval(row):
        yield "change", changed
    yield "compared", f"{_HOW[row.how]}: {rows.evidence(row)}"
    if token := per_token(line.per_token):
        yield "per output token", token
    yield from _beside(row)


def _beside(row: Row) -> Iterator[tuple[str, str]]:
    """Give what decides nothing."""
    if row.domains:
        yield "by domain", ", ".join(f"{name} {format_change(ratio)}" for name, ratio in row.domains.items())
    if row.work:
        yield "work", ", ".join(f"{name.replace('_', ' ')} {format_change(ratio)}" for name, ratio in row.work.items())
    if took := rows.times(row):
        yield "times", took
    if net := rows.net(row):
        yield "idle power", net


def _reasons(evidence: Evidence | None) -> Iterator[tuple[str, int]]:
    """Give each reason for which trials don't count, by its code, commonest first."""
    sentences: dict[str, list[str]] = {}
    for point in _points(evidence):
        if point.invalid is not None:
            sentences.setdefault(point.invalid.partition(":")[0], []).append(point.invalid)
    for alike in sorted(sentences.values(), key=len, reverse=True):
        yield alike[0], len(alike)


def _points(evidence: Evidence | None) -> Iterator[Point]:
    """Give the trials that are drawn: those of both sides in turns, or else the head's."""
    if evidence is None:
        return
    for side in evidence.turns or (evidence.head,):
        yield from () if side is None else side.points


def _happened(evidence: Evidence | None) -> Iterator[str]:
    for level in () if evidence is None else evidence.history:
        if level.change is not None:
            yield f"{_when(level)}: {said_of_change(level.change, is_certain=level.is_certain)} since here"
        if level.is_shifted:
            yield f"{_when(level)}: left out: the machine differs, not the code"
        yield from (f"{_when(level)}: accepted {said_of(acceptance)}" for acceptance in level.accepted)


def _when(level: Level) -> str:
    return f"{level.at:%Y-%m-%d} ({'no commit' if level.commit is None else level.commit[:_SHORT]})"
