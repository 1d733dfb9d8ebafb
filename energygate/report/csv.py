"""Comparisons as a table for spreadsheets and notebooks: RFC 4180, one row for each comparison (docs/exports.md#csv).

Numbers are written so that reading them gives the same number again; what is unknown is an empty cell. A cell of text
that a spreadsheet would take for a formula begins with an apostrophe, and so does one that began with an apostrophe
itself: to have the text back, remove one. A name that is not visible as it is stands as a JSON string.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from energygate.model import GateReport, Net, Row
from energygate.report.annotations import own_place
from energygate.report.failing import failing
from energygate.report.rows import TIMES
from energygate.workloads.text import printable

Cell = str | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the table: a comparison in its report.

    Attributes
    ----------
    fails : bool
        Whether the build fails for it.
    """

    report: GateReport
    row: Row
    fails: bool


Column = Callable[[Entry], Cell]

# https://owasp.org/www-community/attacks/CSV_Injection; that a cell begins with a blank is not possible here.
_FORMULA: Final = ("=", "+", "-", "@", *map(chr, (0xFF1D, 0xFF0B, 0xFF0D, 0xFF20)))  # and their full-width forms
_SHIELD: Final = "'"
_LONGEST: Final = 32_000  # a spreadsheet's cell takes 32,767 characters
_NO_NET: Final = Net()


def render_csv(report: GateReport) -> bytes:
    """Render the table: UTF-8 without a byte order mark, commas, CR LF, and a first line of names."""
    written = io.StringIO()
    table = csv.writer(written)  # its defaults are RFC 4180
    table.writerow(_COLUMNS)
    fails = failing(report)
    for row in report.comparisons:
        entry = Entry(report=report, row=row, fails=row.outcome in fails)
        table.writerow([_shown(column(entry)) for column in _COLUMNS.values()])
    return written.getvalue().encode()


def _shown(cell: Cell) -> str:
    """Write a cell so that a spreadsheet computes nothing of it and a program can read it back."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case str():
            text = printable(cell, limit=_LONGEST)
            return f"{_SHIELD}{text}" if text.startswith((*_FORMULA, _SHIELD)) else text
        case _:
            return repr(cell)


def _name(text: str) -> str:
    """Write a name so that no other is written alike: as JSON, where it would not be shown as it is."""
    if text == printable(text, limit=_LONGEST) and not text.startswith('"'):
        return text
    return json.dumps(text).replace("\x7f", "\\u007f").replace("  ", " \\u0020")


def _object(found: Mapping[str, float]) -> str:
    """Write what has no column of its own as JSON; nothing where there is none."""
    return json.dumps(dict(found), ensure_ascii=False) if found else ""


def _time(name: str) -> dict[str, Column]:
    """Give the columns of one time or rate of a server's answers, which decides nothing."""
    return {
        f"base_{name}": lambda entry: entry.row.times[name].base if name in entry.row.times else None,
        f"head_{name}": lambda entry: entry.row.times[name].head if name in entry.row.times else None,
    }


_COLUMNS: Final[Mapping[str, Column]] = {
    "benchmark": lambda entry: _name(entry.row.benchmark),
    "metric": lambda entry: entry.row.metric.value,
    "how": lambda entry: entry.row.how,
    "anchor": lambda entry: _name(entry.row.anchor),
    "outcome": lambda entry: entry.row.outcome.value,
    "fails": lambda entry: entry.fails,
    "reason": lambda entry: entry.row.reason,
    "unit": lambda entry: entry.row.metric.unit,
    "base": lambda entry: entry.row.base,
    "head": lambda entry: entry.row.head,
    "label": lambda entry: (entry.row.label or "estimate") if entry.row.estimated else "",
    "ratio": lambda entry: entry.row.ratio,
    "ratio_low": lambda entry: entry.row.ratio_low,
    "ratio_high": lambda entry: entry.row.ratio_high,
    "p_value": lambda entry: entry.row.p_value,
    "p_adjusted": lambda entry: entry.row.p_adjusted,
    "detectable_ratio": lambda entry: entry.row.detectable,
    "base_trials": lambda entry: entry.row.trials.base,
    "head_trials": lambda entry: entry.row.trials.head,
    "invalid_trials": lambda entry: entry.row.trials.invalid,
    "sessions": lambda entry: entry.row.sessions,
    "blocks": lambda entry: entry.row.blocks,
    "domain_ratios": lambda entry: _object(entry.row.domains),
    "work_ratios": lambda entry: _object(entry.row.work),
    "idle_w": lambda entry: (entry.row.net or _NO_NET).idle_w,
    "net_base": lambda entry: (entry.row.net or _NO_NET).base,
    "net_head": lambda entry: (entry.row.net or _NO_NET).head,
    "net_uncertainty": lambda entry: (entry.row.net or _NO_NET).uncertainty,
    **{name: column for time in TIMES for name, column in _time(time).items()},
    "file": lambda entry: place.file if (place := own_place(entry.row)) else "",
    "line": lambda entry: place.line if (place := own_place(entry.row)) else None,
    "notes": lambda entry: "; ".join(entry.row.notes),
    "run_id": lambda entry: entry.report.head.run_id,
    "commit": lambda entry: entry.report.head.commit,
    "machine": lambda entry: entry.report.machine.fingerprint,
}
