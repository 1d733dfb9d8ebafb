"""The stored sessions of each benchmark over time, on a terminal and as one JSON document."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from rich.cells import cell_len
from rich.text import Text

from energygate.history.trend import Entry, LevelChange, Trend
from energygate.history.window import said_of
from energygate.report.table import harmless, sentence
from energygate.report.terminal import to_text
from energygate.units import format_change, format_p, format_quantity

_BARS: Final = "▁▂▃▄▅▆▇█"
_INDENT: Final = 4
_BELOW_DAY: Final = _INDENT + len("* 2026-11-22  ")
_SHIFTED: Final = "left out: the machine differs, not the code"


def render_history(trends: Sequence[Trend], *, color: bool, width: int | None = None) -> str:
    """Render each benchmark's sessions, oldest first, as text, ANSI-coloured if `color`.

    Parameters
    ----------
    width : int or None
        As in `render_terminal`.
    """
    return to_text(_lines(trends, width), color=color)


def history_document(trends: Sequence[Trend]) -> dict[str, Any]:
    """Give the trends as one JSON document's value."""
    return {"schema": "energygate.history/1", "benchmarks": msgspec.to_builtins(list(trends))}


def sparkline(values: Sequence[float], *, bars: str = _BARS) -> str:
    """One bar for each value, from the smallest to the largest; values that hardly differ are all low."""
    low, high = min(values), max(values)
    span = max(high - low, 0.01 * high) or 1.0  # the noise of a quiet machine must not look like a mountain range
    return "".join(bars[int((value - low) / span * (len(bars) - 1))] for value in values)


def _lines(trends: Sequence[Trend], width: int | None) -> Iterator[Text]:
    for trend in trends:
        yield from _heading(trend, width)
        for warning in trend.warnings:
            said = warning.removeprefix(f"{trend.benchmark}: ")
            yield sentence(f"warning: {said}", width=width, style="yellow", indent=_INDENT)
        bars = f"{sparkline([entry.value for entry in trend.entries])}  " if trend.entries else ""
        yield sentence(f"{bars}{_counts(trend)}", width=width, indent=_INDENT, hanging=0)
        for entry in trend.entries:
            yield from _session(entry, trend, width)


def _heading(trend: Trend, width: int | None) -> Iterator[Text]:
    """Give the name, which is never broken, and the machine beside or below it."""
    machine = f"on {trend.machine} ({trend.fingerprint})"
    whole = f"{trend.benchmark} {machine}"
    if width is None or cell_len(harmless(whole)) <= width:
        yield Text(whole, style="bold")
    else:
        yield Text(trend.benchmark, style="bold")
        yield sentence(machine, width=width, style="bold", indent=_INDENT, hanging=0)


def _counts(trend: Trend) -> str:
    found, counting = len(trend.entries), sum(entry.counts for entry in trend.entries)
    are = "run is" if trend.others == 1 else "runs are"
    others = f", {trend.others} more stored {are} no session" if trend.others else ""
    return f"{found} session{'' if found == 1 else 's'}, the next run is compared with {counting} of them (*){others}"


def _session(entry: Entry, trend: Trend, width: int | None) -> Iterator[Text]:
    commit = "no commit" if entry.commit is None else entry.commit[:12]
    label = f" ({trend.label})" if trend.label else ""
    value = _value(entry, trend)
    widest = max(len(_value(each, trend)) for each in trend.entries)
    mark = "*" if entry.counts else " "
    said = _SHIFTED if entry.is_shifted else _said(entry.change)
    line = f"{mark} {entry.at:%Y-%m-%d}  {commit:12}  {value:>{widest}}{label}  {said}".rstrip()
    style = "dim" if entry.is_shifted else _style(entry.change)
    yield sentence(line, width=width, style=style, indent=_INDENT, hanging=_BELOW_DAY - _INDENT)
    for acceptance in entry.accepted:
        yield sentence(f"accepted {said_of(acceptance)}", width=width, style="dim", indent=_BELOW_DAY, hanging=0)


def _value(entry: Entry, trend: Trend) -> str:
    return format_quantity(entry.value, trend.metric.unit, like=trend.entries[0].value)


def _said(change: LevelChange | None) -> str:
    if change is None:
        return ""
    what = f"{format_change(change.ratio)} since here, p {format_p(change.p_value)}"
    if not change.is_certain:
        return f"possible: {what}"
    return what if change.is_accepted else f"{what}, accepted by nobody"


def _style(change: LevelChange | None) -> str:
    if change is None or not change.is_certain:
        return ""
    return "green" if change.ratio < 1 else "" if change.is_accepted else "bold red"
