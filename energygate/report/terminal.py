"""The report on a terminal: per benchmark its outcome, its figures and, where they do not say it all, the reason.

Lines instead of a table: node ids are long, terminals narrow, and a log is searched line by line.
"""

import unicodedata
from collections.abc import Iterator
from io import StringIO
from typing import Final, Literal

from rich.console import Console
from rich.text import Text

from energygate.model import GateReport, Outcome
from energygate.report import rows
from energygate.report.rows import Line

_STYLES: Final = {
    Outcome.OVER_LIMIT: "bold red",
    Outcome.REGRESSED: "bold red",
    Outcome.INVALID: "bold red",
    Outcome.MISSING: "bold red",
    Outcome.SUSPECT: "bold yellow",
    Outcome.INCONCLUSIVE: "bold yellow",
    Outcome.INCOMPARABLE: "bold yellow",
    Outcome.NO_BASELINE: "bold yellow",
    Outcome.IMPROVED: "bold green",
    Outcome.PASS: "green",
}
_VERDICT_STYLES: Final = {"failed": "bold red", "inconclusive": "bold yellow", "passed": "bold green"}
_INDENT: Final = " " * (max(len(words) for words in rows.WORDS.values()) + 2)


def render_terminal(report: GateReport, *, color: bool) -> str:
    """Render the report as text, ANSI-coloured if `color`. The last line is the verdict."""
    return to_text(_lines(report), color=color)


def to_text(lines: Iterator[Text], *, color: bool) -> str:
    """Join styled lines."""
    out = StringIO()
    system: Literal["standard"] | None = "standard" if color else None  # said here, not guessed from the environment
    console = Console(file=out, width=10_000, force_terminal=color, color_system=system, highlight=False)
    for line in lines:
        console.print(Text(_shown(line.plain), style=line.style), soft_wrap=True)
    return out.getvalue()


def _shown(text: str) -> str:
    """Keep a name or reason from a file from steering the terminal: no control or invisible characters."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    return "".join(char for char in spaced if unicodedata.category(char) not in {"Cc", "Cf", "Cs"})


def _lines(report: GateReport) -> Iterator[Text]:
    yield Text(f"{rows.provenance(report.meters)} on {report.machine.label}")
    for label in rows.labels(report):
        yield Text(rows.doubt(label), style="bold yellow")
    for warning in report.warnings:
        yield Text(f"warning: {warning}", style="yellow")
    for note in report.notes:
        yield Text(f"note: {note}", style="dim")
    for line in rows.lines(report):
        yield from _benchmark(line)
    yield Text(rows.closing_line(report), style=_VERDICT_STYLES[report.verdict])


def _benchmark(line: Line) -> Iterator[Text]:
    row = line.row
    words = f"{rows.WORDS[row.outcome]:{len(_INDENT)}}{row.benchmark}{rows.kind(row)}  {rows.change_with_interval(row)}"
    yield Text(words.rstrip(), style=_STYLES[row.outcome])
    if sides := rows.sides(row):
        yield Text(f"{_INDENT}{sides}; {rows.evidence(row)}")
    if line.per_token is not None and (sides := rows.sides(line.per_token)):
        yield Text(f"{_INDENT}{sides}  {rows.change_with_interval(line.per_token)}".rstrip())
    if times := rows.times(row):
        yield Text(f"{_INDENT}{times}")
    for shown in (row, line.per_token):
        if shown is not None and (net := rows.net(shown)):
            yield Text(f"{_INDENT}{net}")
    if reason := rows.reason(row):
        yield Text(f"{_INDENT}{reason}")
    for note in row.notes:
        yield Text(f"{_INDENT}note: {note}", style="dim")
