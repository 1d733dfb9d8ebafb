"""A badge for a README: JSON as shields.io reads it from an address (https://shields.io/badges/endpoint-badge).

It shows words and numbers of our own alone, never a name from a report.
"""

from typing import Final

import msgspec

from energygate.model import GateReport, Outcome, Row, count_outcomes
from energygate.report import rows
from energygate.report.failing import PROVEN, failing

_COLOURS: Final = {"passed": "brightgreen", "inconclusive": "yellow", "failed": "red"}


def render_badge(report: GateReport) -> bytes:
    """Render what one benchmark changed by, or of several how many failed, are not proven, or passed."""
    badge = {
        "schemaVersion": 1,
        "label": _label(report),
        "message": _message(report),
        "color": _COLOURS[report.verdict],
        "isError": report.verdict == "failed",  # then no address can give it another colour
    }
    return msgspec.json.format(msgspec.json.encode(badge), indent=2) + b"\n"


def _label(report: GateReport) -> str:
    """Say beside every number what it is if it is no measurement."""
    doubtful = " and ".join(rows.labels(report))
    return f"energy ({doubtful})" if doubtful else "energy"


def _message(report: GateReport) -> str:
    total = rows.benchmarks(report)
    if total == 0:
        return "nothing measured"
    fails = failing(report)
    if total == 1:
        return _change(next((row for row in report.comparisons if row.outcome in fails), report.comparisons[0]))
    counts = {Outcome(name): n for name, n in count_outcomes(report.comparisons).items()}
    if report.verdict == "passed":
        return f"{total} of {total} within budget"
    shown = fails or counts.keys() - PROVEN
    said = [f"{n} of {total} {rows.WORDS[outcome]}" for outcome, n in counts.items() if outcome in shown]
    return ", ".join(said) or report.verdict


def _change(row: Row) -> str:
    """Say by how much, and the outcome unless that is a plain pass: a colour alone is not seen by everybody."""
    word = "" if row.outcome is Outcome.PASS else rows.WORDS[row.outcome]
    shown = "" if row.ratio is None else f"{rows.change(row)} {row.metric.unit}{_against(row)}"
    return ", ".join(part for part in (shown, word) if part) or rows.WORDS[row.outcome]


def _against(row: Row) -> str:
    return {"limit": " against the limit", "anchor": " since the anchor"}.get(row.how, "")
