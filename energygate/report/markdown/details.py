"""The folded parts below the table."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from energygate.model import GateReport, Outcome, Row
from energygate.report import rows, terms
from energygate.report.commands import accepting, is_shared, option, own_budget
from energygate.report.history import sparkline
from energygate.report.markdown.escaping import block, code, commands, element, link, span
from energygate.report.markdown.table import ABSENT, comparison_table, figure, joined, reasons_of, two_columns
from energygate.report.publication import Publication
from energygate.report.rows import Line
from energygate.units import format_change

_MOVED: Final = frozenset({Outcome.REGRESSED, Outcome.SUSPECT, Outcome.IMPROVED})
_PARTS: Final = {"package": "CPU ", "dram": "DRAM ", "gpu": "GPU "}
_COUNTS: Final = frozenset({"input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "requests"})
_BARS: Final = "▁▂▃▅▇"
_FEWEST: Final = 2  # fewer sessions are no history, and one part explains nothing
_MOST_ACCEPTED: Final = 10
_LONGEST: Final = 500


def folded(title: str, body: str) -> str:
    """Fold a part below its title; without the blank line a table is not parsed."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def passing(lines: Sequence[Line]) -> str:
    """Give the rows that pass; nothing where there is none."""
    title = f"{len(lines)} {'row passes' if len(lines) == 1 else 'rows pass'}"
    reasons = "\n".join(reasons_of(line) for line in lines if rows.reason(line.row))  # those whose work changed
    parts = [comparison_table(lines), *([reasons] if reasons else [])]
    return folded(title, "\n\n".join(parts)) if lines else ""


def where(report: GateReport, row: Row) -> str:
    """Say which part of the machine a change comes from; nothing where nothing moved, or where there is one part."""
    if row.outcome not in _MOVED or len(row.domains) + len(row.work) < _FEWEST:
        return ""
    parts = [(_part(name), figure(format_change(ratio))) for name, ratio in row.domains.items()]
    if not any(name.startswith("dram") for meter in report.meters for name in meter.domains):
        parts.append(("DRAM", "not available on this machine"))
    parts += [(f"{_count(name)} per request", figure(format_change(ratio))) for name, ratio in row.work.items()]
    if (took := row.times.get("request_s")) is not None and took.base:
        parts.append(("time per request", figure(format_change(took.head / took.base))))
    title = f"Where the joules went: {element(row.benchmark)}"
    return folded(title, "\n".join(two_columns(("part", "change"), parts)))


def acceptance(report: GateReport, lines: Sequence[Line], publication: Publication | None) -> str:
    """Say how to accept the increases that were found; nothing where there is none."""
    wanted = [line.row for line in lines if accepting(report, line.row)]
    if not wanted:
        return ""
    shown, more = wanted[:_MOST_ACCEPTED], len(wanted) - _MOST_ACCEPTED
    typed = [commands(accepting(report, row) for row in shown)]
    if more > 0:
        typed.append(f"The other {more} are accepted in the same way.")
    said = _merged_first(report, shown, typed) if is_shared(report) else _with_the_change(typed, publication)
    return folded("If an increase is wanted: how to accept it", "\n\n".join(said))


def _with_the_change(typed: Sequence[str], publication: Publication | None) -> Iterator[str]:
    """Say how to accept in a folder, of which each branch has its own."""
    yield "Say why, and commit the file that this stores with the change: later runs are compared with the new level."
    yield from typed
    yield f"`RUN.json` is the run of this gate: {_where_kept(publication)}."


def _merged_first(report: GateReport, shown: Sequence[Row], typed: Sequence[str]) -> Iterator[str]:
    """Say how to accept where all branches share the store: an acceptance would hold for those without the change."""
    store = report.baseline.store
    name = "" if store is None else span(store.name, limit=200)
    yield (
        f"All branches share {name}, so it is accepted after the merge. Until then a budget of its own lets this "
        "change pass, in `energygate.yml`, where the reviewer sees it (or in the marker or suite that sets one):"
    )
    yield block(["overrides:", *(own_budget(report, row) for row in shown if own_budget(report, row))], language="yaml")
    yield "When the merged state is recorded, say why, and take that budget out again:"
    yield from typed
    yield f"`RUN_ID` is that record: {code(f'energygate baseline list{option(report)}', limit=_LONGEST)} shows it."


def _where_kept(publication: Publication | None) -> str:
    if publication is None:
        return "what `--save` (pytest: `--energy-save`) wrote"
    run = link(f"run {publication.run_id}", publication.run_url)
    return f"`run.json` in an artefact of {run}, where the workflow uploads the action's output `run-file`"


def history(lines: Sequence[Line]) -> str:
    """Give what is stored of each benchmark as a line of bars, this run last; nothing where too little is stored."""
    heads = ("benchmark", "stored sessions, then this run", "oldest", "newest", "this run")
    found = []
    for row in (line.row for line in lines):
        if len(row.history) >= _FEWEST and row.head is not None:
            figures = (figure(rows.typical(value, row)) for value in (row.history[0], row.history[-1], row.head))
            found.append(joined([code(row.benchmark), sparkline([*row.history, row.head], bars=_BARS), *figures]))
    return folded("History", "\n".join([joined(heads), "|:--|:--|--:|--:|--:|", *found])) if found else ""


def paces(lines: Sequence[Line]) -> str:
    """Give the times of a server's answers, which decide nothing; nothing where there are none."""
    served = [line.row for line in lines if line.row.times]
    names = [name for name in rows.TIMES if any(name in row.times for row in served)]
    table = [joined(["benchmark", *(rows.TIMES[name] for name in names)]), joined([":--", *["--:"] * len(names)])]
    for row in served:
        cells = [figure(rows.pace(row.times[name], name)) if name in row.times else ABSENT for name in names]
        table.append(joined([code(row.benchmark), *cells]))
    return folded("How fast the server answered (time, not energy)", "\n".join(table)) if served else ""


def net_of_idle(lines: Sequence[Line]) -> str:
    """Give the values without idle power, which decide nothing; nothing where it was not measured."""
    found = [
        f"- {span(row.benchmark)}: {span(rows.net(row), limit=200) if row.net.refused else rows.net(row)}"
        for line in lines
        for row in (line.row, line.per_token)
        if row is not None and row.net is not None
    ]
    return folded("Net of idle power", "\n".join(found)) if found else ""


def in_other_terms(report: GateReport) -> str:
    """Give kilowatt-hours, cost and carbon with what they rest on; nothing where the configuration asks for none."""
    found = terms.in_terms(report)
    if not found:
        return ""
    optional = [("cost", [each.money for each in found]), ("carbon", [each.carbon for each in found])]
    columns = [("energy", [each.energy for each in found]), *((head, cells) for head, cells in optional if any(cells))]
    table = [
        joined(["benchmark", "per", *(head for head, _ in columns)]),
        joined([":--", ":--", *["--:"] * len(columns)]),
    ]
    for place, each in enumerate(found):
        cells = [figure(column[place] or ABSENT) for _, column in columns]
        table.append(joined([code(each.row.benchmark), each.per, *cells]))
    said = [f"- {sentence}" for sentence in terms.assumptions(report, quote=partial(span, limit=_LONGEST))]
    return folded("Kilowatt-hours, cost and carbon (no part of the verdict)", "\n".join([*table, "", *said]))


def _part(name: str) -> str:
    return f"{_PARTS.get(name.partition('-')[0], '')}{code(name)}"


def _count(name: str) -> str:
    return name.replace("_", " ") if name in _COUNTS else code(name)
