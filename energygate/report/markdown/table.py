"""The table of comparisons, and below it why each of them came out as it did."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from energygate.model import Outcome, Row
from energygate.report import rows
from energygate.report.markdown.escaping import code, span
from energygate.report.rows import Line
from energygate.units import format_change

ABSENT: Final = "\N{EN DASH}"
ARROW: Final = "\N{RIGHTWARDS ARROW}"
# Few, because GitHub shows a comment 780 pixels wide; what matters most stands first, as the rest is scrolled to.
_COLUMNS: Final = ("outcome", "benchmark", f"base {ARROW} head", "change (90 % interval)", "n, p (adjusted)")
_ALIGNED: Final = (":--", ":--", "--:", "--:", "--:")
_PER_TOKEN_AT: Final = 4  # the column is there only where tokens are counted
_ABOVE: Final = frozenset({Outcome.OVER_LIMIT, Outcome.REGRESSED})
_UNPROVEN: Final = frozenset({Outcome.INCONCLUSIVE, Outcome.SUSPECT})
# A number and its unit, or the sign before it: a narrow cell may break elsewhere.
_BOUND: Final = re.compile(r"(?<=\d) (?=[%\w])|(?<=[<>=\u00d7]) (?=\d)|(?<=\bp) (?=[<=])")
_LONGEST: Final = 500
_MOST_NOTES: Final = 10


def comparison_table(lines: Sequence[Line]) -> str:
    """Give a row for each line; joules per output token stand beside what decides, where any line has them."""
    tokens = counts_tokens(lines)
    return "\n".join([header(tokens=tokens), *(table_row(line, tokens=tokens) for line in lines)])


def counts_tokens(lines: Iterable[Line]) -> bool:
    """Whether any line has joules per output token."""
    return any(line.per_token for line in lines)


def header(*, tokens: bool) -> str:
    """Give the first two lines of the table."""
    columns, aligned = list(_COLUMNS), list(_ALIGNED)
    if tokens:
        columns.insert(_PER_TOKEN_AT, "per output token")
        aligned.insert(_PER_TOKEN_AT, "--:")
    return f"{joined(columns)}\n{joined(aligned)}"


def table_row(line: Line, *, tokens: bool) -> str:
    """Give one line as the table has it."""
    row = line.row
    cells = [
        f"{rows.SIGNS[row.outcome]}\N{NO-BREAK SPACE}**{rows.WORDS[row.outcome]}**{figure(_could_detect(row))}",
        f"{code(row.benchmark)}{_kind(row)}",
        figure(_sides(row)),
        figure(_change(row)),
        figure(_evidence(row)),
    ]
    if tokens:
        cells.insert(_PER_TOKEN_AT, figure(_per_token(line.per_token)))
    return joined(cells)


def reasons_of(line: Line) -> str:
    """Say why, and what belongs beside it."""
    row, words = line.row, rows.cheaper_tokens(line)
    more = [f"{len(row.notes) - _MOST_NOTES} more notes"] if len(row.notes) > _MOST_NOTES else []
    notes = [words] if words else []
    notes += [*(span(note, _LONGEST) for note in row.notes[:_MOST_NOTES]), *more]
    return "\n".join(
        [f"- {span(row.benchmark)}{_kind(row)}: {span(row.reason, _LONGEST)}", *(f"  - {note}" for note in notes)]
    )


def figure(text: str) -> str:
    """Keep numbers and their units on one line of a cell; the text is our own, for that of others stays as it is."""
    return _BOUND.sub("\N{NO-BREAK SPACE}", text)


def joined(cells: Iterable[str]) -> str:
    """Give one row of a table."""
    return f"| {' | '.join(cells)} |"


def two_columns(heads: tuple[str, str], found: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Give a table of names and figures."""
    yield joined(heads)
    yield "|:--|--:|"
    for pair in found:
        yield joined(pair)


def _kind(row: Row) -> str:
    return f" anchor {code(row.anchor)}" if row.how == "anchor" else " limit" if row.how == "limit" else ""


def _sides(row: Row) -> str:
    """Give both typical values, the unit beside the last one that there is."""
    if row.head is None:
        return ABSENT if row.base is None else f"{rows.typical(row.base, row)} {ARROW} {ABSENT}"
    base, head = rows.figures(row)
    return f"{base} {ARROW} {head}"


def _evidence(row: Row) -> str:
    if row.p_adjusted is None:
        return rows.size(row)
    p = rows.p_adjusted(row)
    return f"{rows.size(row)}, p {p}" if p.startswith("<") else f"{rows.size(row)}, p = {p}"


def _change(row: Row) -> str:
    if row.ratio is None:
        return ABSENT
    shown = f"**{rows.change(row)}**" if row.outcome in _ABOVE else rows.change(row)
    return f"{shown}{_ends(row)}"


def _per_token(row: Row | None) -> str:
    """Give the head's joules per output token and by how much they changed: short, for it stands beside."""
    if row is None or row.head is None:
        return ABSENT
    head = rows.typical(row.head, row)
    return head if row.ratio is None else f"{head}, {rows.change(row)}{_ends(row)}"


def _ends(row: Row) -> str:
    ends = rows.interval(row)
    return f" ({ends})" if ends else ""


def _could_detect(row: Row) -> str:
    if row.accepted is not None:
        return f": {rows.accepted(row.accepted)}"
    if row.outcome not in _UNPROVEN or row.detectable is None:
        return ""
    return f": could detect about {format_change(row.detectable)}"
