"""The report on a terminal: a table, then a sentence for each benchmark that is no proven pass."""

from collections.abc import Iterator
from io import StringIO
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from energygate.model import GateReport, Outcome, Row
from energygate.report import rows

_STYLES: Final = {
    Outcome.OVER_LIMIT: "bold red",
    Outcome.REGRESSED: "bold red",
    Outcome.INVALID: "red",
    Outcome.MISSING: "red",
    Outcome.SUSPECT: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.INCOMPARABLE: "yellow",
    Outcome.NO_BASELINE: "yellow",
    Outcome.IMPROVED: "green",
    Outcome.PASS: "green",
}
VERDICT_STYLES: Final = {"failed": "bold red", "inconclusive": "bold yellow", "passed": "bold green"}


def render_terminal(report: GateReport, *, width: int, color: bool) -> str:
    """Render the report as text of at most `width` columns, ANSI-coloured if `color`; the verdict is the last line."""
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=color, no_color=not color, highlight=False, soft_wrap=True)
    console.print(Text(f"measured by {rows.meters(report)} on {report.machine.label or 'an unknown machine'}"))
    for warning in report.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    if report.comparisons:
        console.print(_table(report), soft_wrap=False)
    for row in report.comparisons:
        for sentence in _sentences(row):
            console.print(sentence)
    console.print(Text(rows.closing_line(report), style=VERDICT_STYLES[report.verdict]))
    return out.getvalue()


def _table(report: GateReport) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("outcome", no_wrap=True)
    table.add_column("benchmark", overflow="fold")
    for name in ("base", "head", "change", "90 % interval", "n", "p (adj.)"):
        table.add_column(name, justify="right", no_wrap=name != "n")
    for line in rows.lines(report):
        _add(table, line.row, Text(rows.WORDS[line.row.outcome], style=_STYLES[line.row.outcome]), line.row.benchmark)
        if line.per_token is not None:
            _add(table, line.per_token, Text(""), "  per output token")
    return table


def _add(table: Table, row: Row, outcome: Text, name: str) -> None:
    table.add_row(
        outcome,
        Text(f"{name} (limit)" if row.how == "limit" else name),
        rows.typical(row.base, row),
        rows.typical(row.head, row),
        rows.change(row),
        rows.interval(row),
        rows.size(row),
        rows.p_adjusted(row),
    )


def _sentences(row: Row) -> Iterator[Text]:
    """Say why a row is no proven pass, and what else is worth knowing; joules per token speak with their benchmark."""
    beside = row.reason.startswith("shown beside")
    if row.outcome is not Outcome.PASS and not beside:
        words = f"{rows.WORDS[row.outcome]}: {row.benchmark}: {row.reason}"
        yield Text(words, style=_STYLES[row.outcome])
    if not beside:
        for note in row.notes:
            yield Text(f"note: {row.benchmark}: {note}", style="dim")
