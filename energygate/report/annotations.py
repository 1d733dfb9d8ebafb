"""What a report says beside the code: one annotation for each row that is no plain pass, as plain text."""

from typing import Final, Literal

from energygate.model import Annotation, GateReport, Location, Outcome, Row
from energygate.report import rows
from energygate.report.commands import again
from energygate.workloads.text import ended, printable

_SETTINGS: Final = "energygate.yml"
_LEVELS: Final[dict[Outcome, Literal["failure", "warning", "notice"]]] = {
    Outcome.OVER_LIMIT: "failure",
    Outcome.REGRESSED: "failure",
    Outcome.INVALID: "failure",
    Outcome.MISSING: "failure",
    Outcome.SUSPECT: "warning",
    Outcome.INCONCLUSIVE: "warning",
    Outcome.INCOMPARABLE: "warning",
    Outcome.NO_BASELINE: "warning",
    Outcome.IMPROVED: "notice",
}
_TITLE: Final = 255  # what a check run takes
_MESSAGE: Final = 4000  # the runner cuts what a command says at 4,096
_REASON: Final = 1000
_NAME: Final = 200


def annotations(report: GateReport, *, settings: str = _SETTINGS) -> tuple[Annotation, ...]:
    """Give the annotations, worst first.

    Parameters
    ----------
    settings : str
        The file, relative to the repository, beside whose first line stands what has no place of its own.
    """
    return tuple(
        Annotation(
            path=place.file,
            line=place.line,
            level=_LEVELS[line.row.outcome],
            title=_title(line.row),
            message=_message(report, line.row),
        )
        for line in rows.lines(report)
        if line.row.outcome in _LEVELS
        for place in (_place(line.row, settings),)
    )


def _place(row: Row, settings: str) -> Location:
    """Where a row is defined, if that is in the repository."""
    found = row.location
    if found is None or found.file.startswith("/") or ".." in found.file.split("/"):
        return Location(file=settings, line=1)
    return found


def _title(row: Row) -> str:
    """Say it in one line: `regressed: bench.py::test_it +12.5 %`."""
    change = "" if row.ratio is None else f" {rows.change(row)}"
    return printable(f"{rows.WORDS[row.outcome]}: {_name(row)}{change}", limit=_TITLE)


def _message(report: GateReport, row: Row) -> str:
    """Give the ratio with its interval, both sides, the reason, and what to run to see it again."""
    figures = [rows.change_with_interval(row), rows.sides(row), rows.evidence(row)]
    reason = printable(row.reason, limit=_REASON)
    said = [
        f"{_name(row)}: {'; '.join(figure for figure in figures if figure)}.",
        ended(f"{reason[:1].upper()}{reason[1:]}"),
    ]
    if command := again(report, row):
        said.append(f"See it again: {command}")
    return printable(" ".join(said), limit=_MESSAGE)


def _name(row: Row) -> str:
    return printable(f"{row.benchmark}{rows.kind(row)}", limit=_NAME)
