"""One benchmark as a test case.

A dashboard knows three states. What fails the build is a failure; a test case is plain, and so passed, only where every
comparison of its benchmark is a proven pass; all else is skipped, with its outcome and its reason.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from energygate.model import GateReport, Outcome, Row
from energygate.report.annotations import found, own_place
from energygate.report.commands import again
from energygate.report.failing import PROVEN
from energygate.report.junit.parts import legal, not_passed, properties, time
from energygate.report.rows import WORDS

CLASS: Final = "energygate"  # not the file's: the tests' own report has a test case of that class and name already
FAILURE: Final = "failure"
SKIPPED: Final = "skipped"
_FIGURES: Final = ("base", "head", "ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted", "detectable")


def a_case(
    report: GateReport, rows: Sequence[Row], fails: frozenset[Outcome], *, name: str, seconds: float | None
) -> ET.Element:
    """Give the test case of one benchmark, whose worst comparison decides.

    Parameters
    ----------
    rows : sequence of Row
        Its comparisons, at least one.
    fails : frozenset of Outcome
        What fails the build.
    name : str
        What no other test case is called.
    seconds : float or None
        How long its trials took.
    """
    case = ET.Element("testcase", {"classname": CLASS, "name": name} | _place(rows[0]) | time(seconds))
    case.append(properties(figure for row in rows for figure in _figures(row)))
    said = [legal(found(row)) for row in rows]
    state, worst = _state(rows, fails)
    if worst is None:
        ET.SubElement(case, "system-out").text = "\n".join(said)
    else:
        message = f"{WORDS[worst.outcome]}: {worst.reason}"
        text = "\n".join([*said, *_again(report, worst)])
        not_passed(case, state, kind=worst.outcome.value, message=message, text=text)
    return case


def _state(rows: Sequence[Row], fails: frozenset[Outcome]) -> tuple[str, Row | None]:
    """Give the state, and the comparison that is the reason; none for a pass."""
    if (row := next((row for row in rows if row.outcome in fails), None)) is not None:
        return FAILURE, row
    return SKIPPED, next((row for row in rows if row.outcome not in PROVEN), None)


def _again(report: GateReport, row: Row) -> Iterator[str]:
    if command := again(report, row):
        yield f"See it again: {legal(command)}"


def _place(row: Row) -> dict[str, str]:
    place = own_place(row)
    return {"file": legal(place.file), "line": str(place.line)} if place else {}


def _figures(row: Row) -> Iterator[tuple[str, str]]:
    """Give the figures of one comparison in full, named by its metric, whose name has the unit."""
    kind = {"limit": ".limit", "anchor": f".anchor {row.anchor}"}.get(row.how, "")
    yield f"{row.metric}{kind}.outcome", row.outcome.value
    for name in _FIGURES:
        if (value := getattr(row, name)) is not None:
            yield f"{row.metric}{kind}.{name}", repr(value)
    if row.estimated:
        yield f"{row.metric}{kind}.label", row.label or "estimate"
