"""The table: one group of lines for each benchmark, in the order of the report, worst first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energygate.model import GateReport, Outcome, Row
from energygate.report import rows
from energygate.report.html.intervals import Interval, Scale, interval_of
from energygate.report.rows import Line
from energygate.units import format_change
from energygate.workloads.text import ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Joules per output token, which stand beside what decides."""

    base: str
    head: str
    change: str
    ends: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One line as the table shows it: words and numbers are those of every other format.

    Attributes
    ----------
    sort : tuple
        Base, head and change as numbers, for sorting; None where unknown.
    """

    outcome: Outcome
    sign: str
    words: str
    kind: str
    base: str
    head: str
    change: str
    ends: str
    token: Beside | None
    size: str
    p: str
    reason: str
    interval: Interval | None
    sort: tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All lines of one benchmark, the worst first."""

    name: str
    lines: tuple[Line, ...]
    cells: tuple[Cells, ...]

    @property
    def file(self) -> str:
        """The part of its name that says where it is: `bench.py::`."""
        head, separator, _ = self.name.partition("::")
        return head + separator if separator else ""


def by_benchmark(report: GateReport) -> dict[str, tuple[Line, ...]]:
    """Put together what is said of each benchmark."""
    found: dict[str, list[Line]] = {}
    for line in rows.lines(report):
        found.setdefault(line.row.benchmark, []).append(line)
    return {name: tuple(lines) for name, lines in found.items()}


def group(name: str, lines: Sequence[Line], scale: Scale, budget: float) -> Group:
    """Give a benchmark's part of the table."""
    return Group(name=name, lines=tuple(lines), cells=tuple(_cells(line, scale, budget) for line in lines))


def per_token(row: Row | None) -> str:
    """Give the head's joules per output token and their change; empty where no tokens are counted."""
    if row is None or row.head is None:
        return ""
    return " ".join(part for part in (rows.typical(row.head, row), rows.change_with_interval(row)) if part)


def said_below(line: Line) -> Iterator[str]:
    """Give what has to be read beside the figures."""
    if reason := rows.reason(line.row):
        yield reason
    if words := rows.cheaper_tokens(line):
        yield words
    if line.row.outcome in {Outcome.INCONCLUSIVE, Outcome.SUSPECT} and line.row.detectable is not None:
        yield f"It could detect about {format_change(line.row.detectable)}"


def _cells(line: Line, scale: Scale, budget: float) -> Cells:
    row = line.row
    return Cells(
        outcome=row.outcome,
        sign=rows.SIGNS[row.outcome],
        words=rows.WORDS[row.outcome],
        kind=rows.kind(row),
        base=rows.typical(row.base, row),
        head=rows.typical(row.head, row),
        change=rows.change(row),
        ends=rows.interval(row),
        token=None if line.per_token is None else _beside(line.per_token),
        size=rows.size(row),
        p=rows.p_adjusted(row),
        reason=" ".join(map(ended, said_below(line))),
        interval=interval_of(row, scale, budget),
        sort=(row.base, row.head, row.ratio),
    )


def _beside(row: Row) -> Beside:
    return Beside(
        base=rows.typical(row.base, row),
        head=rows.typical(row.head, row),
        change=rows.change(row),
        ends=rows.interval(row),
    )
