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
_PATH: Final = 4096  # what Linux takes


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
            message=explanation(report, line.row),
        )
        for line in rows.lines(report)
        if line.row.outcome in _LEVELS
        for place in (place_of(line.row, settings=settings),)
    )


def place_of(row: Row, *, settings: str = _SETTINGS) -> Location:
    """Where a row is defined; the first line of the settings file where that is unknown or not in the repository."""
    return own_place(row) or Location(file=settings, line=1)


def own_place(row: Row) -> Location | None:
    """Where a row is defined, if that is in the repository and can be written as it is."""
    place = row.location
    if place is None or place.file != printable(place.file, limit=_PATH):
        return None
    is_outside = place.file.startswith("/") or ".." in place.file.split("/")
    return None if is_outside else place


def _title(row: Row) -> str:
    """Say it in one line: `regressed: bench.py::test_it +12.5 %`."""
    change = "" if row.ratio is None else f" {rows.change(row)}"
    return printable(f"{rows.WORDS[row.outcome]}: {_name(row)}{change}", limit=_TITLE)


def explanation(report: GateReport, row: Row) -> str:
    """Give the ratio with its interval, both sides, the reason, and what to run to see it again."""
    command = again(report, row)
    return printable(f"{found(row)} See it again: {command}" if command else found(row), limit=_MESSAGE)


def found(row: Row) -> str:
    """Give the ratio with its interval, both sides, the evidence, and the reason."""
    figures = [rows.change_with_interval(row), rows.sides(row), rows.evidence(row)]
    reason = printable(row.reason, limit=_REASON)
    figured = f"{_name(row)}: {'; '.join(figure for figure in figures if figure)}."
    return f"{figured} {ended(f'{reason[:1].upper()}{reason[1:]}')}"


def _name(row: Row) -> str:
    return printable(f"{row.benchmark}{rows.kind(row)}", limit=_NAME)
