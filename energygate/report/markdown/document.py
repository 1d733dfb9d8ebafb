"""The whole text, cut to what the server takes: parts go whole, the least needed first, and the text says which.

What stays longest: the worst rows, the other rows, the improved ones, how to accept an increase, where the joules
went, the rows that pass, how it was measured, what decides nothing, the history.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from energygate.model import GateReport, Outcome
from energygate.report import rows
from energygate.report.markdown import details
from energygate.report.markdown.escaping import link, span
from energygate.report.markdown.method import how_measured
from energygate.report.markdown.opening import headline, opening
from energygate.report.markdown.table import comparison_table, counts_tokens, header, reasons_of, table_row
from energygate.report.publication import Publication
from energygate.report.rows import Line

MARKER: Final = "<!-- energygate:v1:default -->"
_COMMENT_BYTES: Final = 60_000  # GitHub takes 65,536 characters
_SHORT_BYTES: Final = 30_000
_SUMMARY_BYTES: Final = 900_000  # above 1,048,576 the runner drops all of a summary
_LEFT_OUT_BYTES: Final = 1_500  # for the sentence that says what is left out
_GAP: Final = "\n\n"


def render_markdown(report: GateReport, publication: Publication | None = None) -> str:
    """Render the comment: at most 60,000 bytes.

    Without a publication it is a file, which begins with the marker; with one, whoever posts it puts the marker before.
    """
    if publication is not None:
        return _whole(report, publication, most_bytes=_COMMENT_BYTES)
    return f"{MARKER}\n{_whole(report, None, most_bytes=_COMMENT_BYTES - len(MARKER) - 1)}"


def render_summary(report: GateReport, publication: Publication | None = None) -> str:
    """Render the summary of a step: at most 900,000 bytes."""
    return _whole(report, publication, most_bytes=_SUMMARY_BYTES)


def render_headline(report: GateReport, publication: Publication) -> str:
    """Render the heading and the table alone, in at most 30,000 bytes: for a server that takes no longer text."""
    lines = _by_outcome(report)[0]
    foot = _foot(report, publication)
    room = _Room(left=_SHORT_BYTES - _size(headline(report), foot) - _LEFT_OUT_BYTES)
    kept = _worst(lines, room, reasons=False)
    table = [comparison_table(kept)] if kept else []
    note = _note([*_hidden_rows(lines, kept), "everything but the table"], publication)
    return _GAP.join([headline(report), *table, note, foot]) + "\n"


@dataclass(slots=True, kw_only=True)
class _Room:
    """How many bytes are left, and what found no place."""

    left: int
    hidden: list[str] = field(default_factory=list)

    def take(self, text: str) -> bool:
        """Take a text if it fits."""
        size = _size(text)
        if size > self.left:
            return False
        self.left -= size
        return True

    def part(self, text: str, called: str) -> Iterator[str]:
        """Give a part if it fits; if it does not, remember what it is called."""
        if text and self.take(text):
            yield text
        elif text:
            self.hidden.append(called)


def _whole(report: GateReport, publication: Publication | None, *, most_bytes: int) -> str:
    head, foot = list(opening(report, publication)), _foot(report, publication)
    room = _Room(left=most_bytes - _size(*head, foot) - _LEFT_OUT_BYTES)
    body = list(_body(report, publication, room))
    note = [_note(room.hidden, publication)] if room.hidden else []
    return _GAP.join([*head, *body, *note, foot]) + "\n"


def _body(report: GateReport, publication: Publication | None, room: _Room) -> Iterator[str]:
    """Give the parts that fit in the order of reading; they are taken in the order in which they matter."""
    lines = list(rows.lines(report))
    shown, passing = _by_outcome(report)
    kept = _worst(shown, room)
    room.hidden += _hidden_rows(shown, kept)
    relayed = publication is not None and publication.relayed
    accept = list(
        room.part("" if relayed else details.acceptance(report, kept, publication), "how to accept an increase")
    )
    where = _where(report, kept, room)
    passed = list(room.part(details.passing(passing), f"the {len(passing)} rows that pass"))
    how = list(room.part(how_measured(report, publication), "how this was measured"))
    paces = list(room.part(details.paces(lines), "how fast the server answered"))
    net = list(room.part(details.net_of_idle(lines), "the values net of idle power"))
    other = list(room.part(details.in_other_terms(report), "kilowatt-hours, cost and carbon"))
    past = list(room.part(details.history(lines), "the history"))
    if kept:
        yield comparison_table(kept)
        yield "\n".join(reasons_of(line) for line in kept)
    yield from (*passed, *where, *accept, *past, *paces, *net, *other, *how)


def _by_outcome(report: GateReport) -> tuple[list[Line], list[Line]]:
    """Give the lines of the table, worst first, and those that pass."""
    lines = list(rows.lines(report))
    return (
        [line for line in lines if line.row.outcome is not Outcome.PASS],
        [line for line in lines if line.row.outcome is Outcome.PASS],
    )


def _worst(lines: Sequence[Line], room: _Room, *, reasons: bool = True) -> list[Line]:
    """Give the rows that fit, from the first on, each with its reason."""
    tokens = counts_tokens(lines)
    room.take(header(tokens=tokens))
    kept: list[Line] = []
    for line in lines:
        if not room.take(table_row(line, tokens=tokens) + (reasons_of(line) if reasons else "")):
            break
        kept.append(line)
    return kept


def _hidden_rows(lines: Sequence[Line], kept: Sequence[Line]) -> list[str]:
    return [f"{len(lines) - len(kept)} of {len(lines)} rows of the table"] if len(kept) < len(lines) else []


def _where(report: GateReport, lines: Sequence[Line], room: _Room) -> list[str]:
    """Give where the joules went for as many rows as fit, worst first."""
    parts = [part for line in lines if (part := details.where(report, line.row))]
    kept = list(takewhile(room.take, parts))
    if len(kept) < len(parts):
        room.hidden.append(f"where the joules went in {len(parts) - len(kept)} rows")
    return kept


def _note(hidden: Sequence[str], publication: Publication | None) -> str:
    """Say what is left out, and where it stands."""
    missing = f"_Left out for length: {'; '.join(hidden)}._"
    if publication is None:
        return f"{missing} The JSON report has everything."
    summary = link(f"The summary of run {publication.run_id}", publication.run_url)
    return f"{missing} {summary} has more, the JSON report everything."


def _foot(report: GateReport, publication: Publication | None) -> str:
    dot = " \N{MIDDLE DOT} "
    said = [f"energygate {span(report.tool.get('energygate', '?'))}", f"measured as {span(report.head.run_id)}"]
    if publication is not None:
        said.append(f"{link(f'run {publication.run_id}', publication.run_url)}, attempt {publication.attempt}")
    return f"<sub>{dot.join(said)}</sub>"


def _size(*texts: str) -> int:
    """Bytes of parts in UTF-8, each with the gap after it."""
    return sum(len(text.encode()) + len(_GAP) for text in texts)
