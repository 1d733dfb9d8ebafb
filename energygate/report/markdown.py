"""The pull request comment, and the same text as a file or step summary.

Every string that is not ours (benchmark, reason, label) is escaped: `code` in cells, `span` in text, `_plain` in HTML.
"""

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Final

from energygate.model import GateReport, MeterInfo, Outcome, Row
from energygate.report import rows
from energygate.report.rows import Line
from energygate.units import format_change, format_percent, format_quantity

MARKER: Final = "<!-- energygate:v1:default -->"
_MOST_BYTES: Final = 60_000  # GitHub takes 65,536 characters
_MOST_ROWS_BYTES: Final = 45_000
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
_COLUMNS: Final = ("", "benchmark", "base", "head", "change (90 % interval)", "n", "p (adjusted)", "outcome")
_ALIGNED: Final = (":-:", ":--", "--:", "--:", "--:", "--:", "--:", ":--")
_PER_TOKEN_AT: Final = 5  # the column is there only where tokens are counted
_MOVED: Final = {Outcome.REGRESSED, Outcome.SUSPECT, Outcome.IMPROVED}


def render_markdown(report: GateReport) -> str:
    """Render the comment: at most 60,000 bytes; whole parts are left out from the end, and that is said."""
    parts = list(_parts(report))
    hidden = 0
    while len(_join(parts, hidden).encode()) > _MOST_BYTES and len(parts) > 2:
        parts.pop(-2)
        hidden += 1
    return _join(parts, hidden)


def code(text: str, limit: int = 80) -> str:
    """Show foreign text as code in one table cell: no markup, no line break, no invisible character."""
    return span(text, limit).replace("|", "\\|")


def span(text: str, limit: int = 80) -> str:
    """Show foreign text as code outside of tables, where a backslash before `|` would be shown too."""
    spaced = "".join(" " if char.isspace() or unicodedata.category(char) in {"Zl", "Zp"} else char for char in text)
    shown = "".join(char for char in spaced if unicodedata.category(char) not in _INVISIBLE)
    shown = " ".join(shown.split()) or "(empty)"
    if len(shown) > limit:
        shown = shown[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"
    fence = "`" * (max((len(list(run)) for char, run in groupby(shown) if char == "`"), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _join(parts: Sequence[str], hidden: int) -> str:
    note = [f"_{hidden} more part{'s' if hidden > 1 else ''} left out for length; the JSON report has all._"]
    body = [*parts[:-1], *(note if hidden else []), parts[-1]]
    return "\n\n".join(body) + "\n"


def _parts(report: GateReport) -> Iterator[str]:
    """Give the comment's parts, the dispensable ones last but for the footer."""
    yield f"{MARKER}\n{_title(report)}"
    yield _summary(report)
    lines = list(rows.lines(report))
    shown = [line for line in lines if line.row.outcome is not Outcome.PASS]
    passing = [line for line in lines if line.row.outcome is Outcome.PASS]
    kept = list(_worst(shown))
    if kept:
        yield _table(kept)
        yield "\n".join(_reasons(kept))
    if unseen := len(shown) - len(kept):
        yield f"_{unseen} more row{'s' if unseen > 1 else ''} left out for length; the JSON report has all._"
    for line in kept:
        parts = len(line.row.domains) + len(line.row.work)
        if line.row.outcome in _MOVED and parts > 1:
            yield _details(f"Where the joules went: {_plain(line.row.benchmark)}", _where(report, line.row))
    if passing:
        title = f"{len(passing)} {'row passes' if len(passing) == 1 else 'rows pass'}"
        yield _details(title, _table(passing))
    if served := [line.row for line in lines if line.row.times]:
        yield _details("How fast the server answered (time, not energy)", _paces(served))
    if net := list(_net(lines)):
        yield _details("Net of idle power", "\n".join(net))
    yield _details("How this was measured", _how(report))
    tool = span(report.tool.get("energygate", "?"))
    yield f"<sub>energygate {tool} \N{MIDDLE DOT} run {span(report.head.run_id)}</sub>"


def _worst(lines: Iterable[Line]) -> Iterator[Line]:
    """Give rows, worst first, as long as they and their reasons leave room for the rest."""
    room = _MOST_ROWS_BYTES
    for line in lines:
        room -= len("\n".join([_joined(_cells(line, tokens=True)), *_reasons([line])]).encode())
        if room < 0:
            return
        yield line


def _title(report: GateReport) -> str:
    worst = report.comparisons[0].benchmark if report.comparisons else ""
    return f"## Energy: {rows.headline(report).replace('{}', span(worst))}"


def _summary(report: GateReport) -> str:
    how = rows.provenance(report.meters, quote=partial(span, limit=200))
    head = span((report.head.commit or "no commit")[:12])
    text = [
        f"{rows.tally(report) or 'No benchmark'}. Budget {format_change(1 + report.policy.budget)}.",
        f"{how[0].upper()}{how[1:]} on {span(report.machine.label)}."
        + "".join(f" **These figures are {rows.DOUBTFUL[label]}.**" for label in rows.labels(report)),
        f"Head {head} against {_bases(report)}.",
    ]
    warnings = [f"> [!WARNING]\n> {span(warning, limit=500)}" for warning in report.warnings]
    return "\n\n".join([" ".join(text), *warnings])


def _bases(report: GateReport) -> str:
    """What the head was compared with: the base of its blocks where there is one, or stored runs."""
    runs = _stored_runs(report)
    if report.base is not None:
        return f"{span((report.base.commit or 'no commit')[:12])}{f', screened by {runs}' if runs else ''}"
    commits = ", ".join(span(commit[:12]) for commit in dict.fromkeys(report.baseline.commits))
    return commits or (f"{runs} without a commit" if runs else "no stored session")


def _stored_runs(report: GateReport) -> str:
    runs = len(report.baseline.runs)
    return f"{runs} stored run{'' if runs == 1 else 's'}" if runs else ""


def _table(lines: Sequence[Line]) -> str:
    tokens = any(line.per_token for line in lines)
    columns, aligned = list(_COLUMNS), list(_ALIGNED)
    if tokens:
        columns.insert(_PER_TOKEN_AT, "per output token")
        aligned.insert(_PER_TOKEN_AT, "--:")
    return "\n".join([_joined(columns), _joined(aligned), *(_joined(_cells(line, tokens=tokens)) for line in lines)])


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(line: Line, *, tokens: bool) -> list[str]:
    row = line.row
    ends = rows.interval(row)
    cells = [
        rows.SIGNS[row.outcome],
        f"{code(row.benchmark)}{_kind(row)}",
        rows.typical(row.base, row),
        rows.typical(row.head, row),
        f"**{rows.change(row)}**{f' ({ends})' if ends else ''}",
        rows.size(row),
        rows.p_adjusted(row),
        f"**{rows.WORDS[row.outcome]}**{_could_detect(row)}",
    ]
    if tokens:
        cells.insert(_PER_TOKEN_AT, rows.change(line.per_token) if line.per_token else "\N{EN DASH}")
    return cells


def _kind(row: Row) -> str:
    return f" anchor {span(row.anchor)}" if row.how == "anchor" else " limit" if row.how == "limit" else ""


def _could_detect(row: Row) -> str:
    unsure = row.outcome in {Outcome.INCONCLUSIVE, Outcome.SUSPECT} and row.detectable is not None
    return f": could detect about {format_change(row.detectable)}" if unsure and row.detectable else ""


def _reasons(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        yield f"- {span(line.row.benchmark)}: {span(line.row.reason, limit=500)}"
        for note in line.row.notes:
            yield f"  - {span(note, limit=500)}"


def _paces(served: Sequence[Row]) -> str:
    """A table of the times of answers, which decide nothing."""
    names = [name for name in rows.TIMES if any(name in row.times for row in served)]
    table = [_joined(["benchmark", *(rows.TIMES[name] for name in names)]), _joined([":--", *["--:"] * len(names)])]
    for row in served:
        cells = [rows.pace(row.times[name], name) if name in row.times else "\N{EN DASH}" for name in names]
        table.append(_joined([code(row.benchmark), *cells]))
    return "\n".join(table)


def _net(lines: Iterable[Line]) -> Iterator[str]:
    """Give the values without idle power of each benchmark, which decide nothing."""
    for line in lines:
        for row in (line.row, line.per_token):
            if row is not None and row.net is not None:
                yield f"- {span(row.benchmark)}: {span(rows.net(row), limit=200) if row.net.refused else rows.net(row)}"


def _where(report: GateReport, row: Row) -> str:
    parts = [f"| {code(name)} | {format_change(ratio)} |" for name, ratio in row.domains.items()]
    if not any(name.startswith("dram") for meter in report.meters for name in meter.domains):
        parts.append("| DRAM | not available on this machine |")
    parts += [f"| {_count(name)} per request | {format_change(ratio)} |" for name, ratio in row.work.items()]
    return "\n".join(["| part | change |", "|:--|--:|", *parts])


def _count(name: str) -> str:
    return name.replace("_", " ") if name.isidentifier() else code(name)


def _how(report: GateReport) -> str:
    meters = [
        f"- {span(meter.name)} ({meter.kind}): {span(', '.join(meter.domains))}{_fineness(meter)}"
        for meter in report.meters
    ]
    policy = report.policy
    level = format_percent(policy.false_alarms)
    invalid = sum(row.trials.invalid for row in report.comparisons if row.how not in {"limit", "anchor"})
    rest = [
        f"- machine fingerprint {span(report.machine.fingerprint)}",
        *_compared_with(report),
        f"- test: {_units(report)}, one-sided, adjusted by {span(policy.adjust)} at {level}",
        f"- increases below {format_percent(policy.min_effect)} never fail",
        f"- invalid trials, replaced and not averaged in: {invalid}",
        f"- {_decides(report)}",
    ]
    return "\n".join([*meters, *rest])


def _compared_with(report: GateReport) -> Iterator[str]:
    runs = ", ".join(span(run) for run in report.baseline.runs) or "none"
    if report.base is not None:
        yield f"- compared with a base measured in turns: {span(report.base.run_id)}"
        yield f"- screened by stored runs: {runs}"
        return
    against = "a base measured in turns" if report.baseline.how == "interleaved" else "stored runs"
    yield f"- compared with {against}: {runs}"


def _decides(report: GateReport) -> str:
    """Which energy the verdict rests on: an estimate knows nothing of the rest of the machine."""
    if report.meters and all(meter.kind == "estimate" for meter in report.meters):
        return "what decides is estimated from the CPU seconds of the workload's own processes"
    return "what decides is all the energy of the measured parts, whoever used it; idle power is not subtracted"


def _units(report: GateReport) -> str:
    """What one piece of evidence is, in each of the stages."""
    found = {row.how for row in report.comparisons}
    both = {"stored": "stored sessions", "interleaved": "blocks of base and head"}
    return " and ".join(said for how, said in both.items() if how in found) or both["stored"]


def _fineness(meter: MeterInfo) -> str:
    """How finely it measures; nothing where each reading is exact."""
    every = f", refreshed every {format_quantity(meter.update_interval_s, 's')}" if meter.update_interval_s else ""
    steps = f", steps of {format_quantity(meter.resolution_j, 'J')}" if meter.resolution_j else ""
    return f"{every}{steps}"


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _plain(text: str) -> str:
    """Escape text for an HTML element, where Markdown is not parsed."""
    cleaned = "".join(char for char in " ".join(text.split()) if unicodedata.category(char) not in _INVISIBLE)
    return html.escape(cleaned[:80]) or "(empty)"
