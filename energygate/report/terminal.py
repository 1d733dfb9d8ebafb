"""The report on a terminal: a table of benchmarks, worst first, and in the last line the verdict.

At 80 columns most node ids stand above their figures, in a wider window beside them (`energygate.report.table`). What
passes is summed up where it is much, unless details are asked for; what does not pass is always there, with its reason.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Final, Literal

from rich.console import Console
from rich.text import Text

from energygate.model import GateReport, Outcome, Row
from energygate.report import rows, terms
from energygate.report.background import background
from energygate.report.rows import Line
from energygate.report.table import Column, Entry, harmless, sentence, table
from energygate.units import format_change

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
_SEVERITY: Final = {outcome: place for place, outcome in enumerate(Outcome)}
_VERDICT_STYLES: Final = {"failed": "bold red", "inconclusive": "bold yellow", "passed": "bold green"}
_COLUMNS: Final = (
    Column(head="base"),
    Column(head="head"),
    Column(head="", justify="left", gap=1),
    Column(head="change"),
    Column(head="90 % CI"),
)
_MOST_PASSES: Final = 20  # a screenful


def render_terminal(report: GateReport, *, color: bool, width: int | None = None, verbose: bool = False) -> str:
    """Render the report as text, ANSI-coloured if `color`. The last line is the verdict.

    Parameters
    ----------
    width : int or None
        Of the window. None where nobody knows it: the table is made for 80 columns, and sentences are not broken.
    verbose : bool
        Also what passes, what each verdict rests on, and how it was measured.
    """
    return to_text(_lines(report, width=width, verbose=verbose), color=color)


def to_text(lines: Iterable[Text], *, color: bool) -> str:
    """Join styled lines; what is in them cannot steer the terminal."""
    out = StringIO()
    system: Literal["standard"] | None = "standard" if color else None  # said here, not guessed from the environment
    console = Console(file=out, width=10_000, force_terminal=color, color_system=system, highlight=False)
    for line in lines:
        for part in line.split("\n", allow_blank=True):
            console.print(_harmless(part, console), soft_wrap=True)
    return out.getvalue()


def _harmless(line: Text, console: Console) -> Text:
    spans = [(harmless(each.text), each.style or "") for each in line.render(console)]
    # A CI runner reads its log for commands: a line is one that begins with colons, however far in.
    fence = "|" if "".join(text for text, _ in spans).lstrip().startswith("::") else ""
    return Text.assemble(fence, *spans, style=line.style)


def _lines(report: GateReport, *, width: int | None, verbose: bool) -> Iterator[Text]:
    yield sentence(f"{rows.provenance(report.meters)} on {report.machine.label}", width=width)
    for label in rows.labels(report):
        yield sentence(rows.doubt(label), width=width, style="bold yellow")
    for warning in report.warnings:
        yield sentence(f"warning: {warning}", width=width, style="yellow")
    for note in report.notes:
        yield sentence(f"note: {note}", width=width, style="dim")
    for line in background(report) if verbose else ():
        yield sentence(line, width=width, style="dim")
    yield from _benchmarks(report, width=width, verbose=verbose)
    yield from _in_other_terms(report, width=width, verbose=verbose)
    yield Text(rows.closing_line(report), style=_VERDICT_STYLES[report.verdict])


def _benchmarks(report: GateReport, *, width: int | None, verbose: bool) -> Iterator[Text]:
    lines = sorted(rows.lines(report), key=_worst_first)
    hidden = [] if verbose else _summed_up(lines)
    if not lines:
        return
    yield Text()
    shown = lines[: len(lines) - len(hidden)]
    yield from table("verdict", _COLUMNS, [_entry(line, verbose=verbose) for line in shown], width=width)
    if hidden:
        passed = len({line.row.benchmark for line in hidden})
        yield Text(f"{passed} passed, not shown: -v", style=_STYLES[Outcome.PASS])
    yield Text()


def _in_other_terms(report: GateReport, *, width: int | None, verbose: bool) -> Iterator[Text]:
    """Give kilowatt-hours, cost and carbon among the details; that a source failed is said always."""
    found = terms.in_terms(report) if verbose else ()
    for each in found:
        yield sentence(f"{each.row.benchmark}, {each.sentence}", width=width)
    said = terms.assumptions(report)
    for line in said if verbose else (each for each in said if each.startswith(terms.UNKNOWN)):
        yield sentence(line, width=width, style="dim")
    if found:
        yield Text()


def _worst_first(line: Line) -> tuple[int, bool]:
    return _SEVERITY[line.row.outcome], _says_nothing(line)


def _says_nothing(line: Line) -> bool:
    return line.row.outcome is Outcome.PASS and not rows.reason(line.row)


def _summed_up(lines: Sequence[Line]) -> list[Line]:
    """Give the passes of which the figures say it all, where they are many: the last of the lines."""
    silent = [line for line in lines if _says_nothing(line)]
    return silent if len(silent) > _MOST_PASSES else []


def _entry(line: Line, *, verbose: bool) -> Entry:
    row, style = line.row, _STYLES[line.row.outcome]
    return Entry(
        word=Text(rows.WORDS[row.outcome], style=style),
        name=f"{row.benchmark}{rows.kind(row)}",
        figures=tuple(_figures(line, style)),
        below=tuple(_below(line, verbose=verbose)),
    )


def _figures(line: Line, style: str) -> Iterator[tuple[Text, ...]]:
    """Give what decides in the colour of its verdict, and joules per token beside it in none."""
    for row, colour in ((line.row, style), (line.per_token, "")):
        if row is not None and row.head is not None:
            base, head = rows.figures(row)
            number, _, unit = head.partition(" ")
            change, ends = ("", "") if row.ratio is None else (rows.change(row), rows.interval(row))
            yield Text(base), Text(number), Text(unit), Text(change, style=colour), Text(ends)


def _below(line: Line, *, verbose: bool) -> Iterator[Text]:
    row = line.row
    if reason := rows.reason(row):
        yield Text(reason)
    if verbose:
        yield from (Text(detail) for detail in _details(line))
    yield from (Text(f"note: {note}", style="dim") for note in row.notes)


def _details(line: Line) -> Iterator[str]:
    row = line.row
    if row.head is not None:
        yield f"{(said := rows.evidence(row))}{_detectable(row, said)}"
    for what, ratios in (("by domain", row.domains), ("work", row.work)):
        if ratios:
            yield f"{what}: {_changes(ratios.items())}"
    if times := rows.times(row):
        yield times
    for each in (row, line.per_token):
        if each is not None and (net := rows.net(each)):
            yield net


def _detectable(row: Row, said: str) -> str:
    known = row.detectable is not None and "could detect" not in said
    return f", could detect about {format_change(row.detectable)}" if known and row.detectable else ""


def _changes(ratios: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {format_change(ratio)}" for name, ratio in ratios)
