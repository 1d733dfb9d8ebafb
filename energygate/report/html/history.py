"""The stored sessions of each benchmark over time, as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass

from energygate.history.trend import Entry, LevelChange, Trend
from energygate.history.window import said_of
from energygate.report.html.drawing import Drawn, Session
from energygate.report.html.figures import said_of_change
from energygate.report.html.opening import commit
from energygate.report.html.page import fill
from energygate.units import format_change, format_p, format_quantity, shown_unit

_WIDTH, _HEIGHT, _MARGIN = 160.0, 28.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One session in words."""

    at: str
    commit: str
    value: str
    trials: int
    counts: bool
    said: str
    accepted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One benchmark on one machine.

    Attributes
    ----------
    newest, change : str
        The newest session's value, and the newest change of level.
    line : str
        The sessions as points of a polyline.
    """

    name: str
    file: str
    machine: str
    newest: str
    counts: str
    change: str
    is_open: bool
    line: str
    sessions: tuple[Told, ...]
    warnings: tuple[str, ...]
    sort: tuple[float | None, int, float | None]


def render_history_html(trends: Sequence[Trend]) -> str:
    """Render each benchmark's sessions as one file: levels, changes, and who accepted what."""
    courses = [_course(trend) for trend in trends]
    changed = sum(bool(course.change) for course in courses)
    open_ = sum(course.is_open for course in courses)
    return fill(
        "history.html",
        [_drawn(trend) for trend in trends],
        title="Energy: stored sessions over time",
        courses=courses,
        headline=f"{len(courses)} benchmark{'' if len(courses) == 1 else 's'}, {changed} with a change of level",
        waiting=f"{open_} increase{'' if open_ == 1 else 's'} accepted by nobody" if open_ else "",
        labels=sorted({trend.label for trend in trends if trend.label}),
    )


def _course(trend: Trend) -> Course:
    head, separator, _ = trend.benchmark.partition("::")
    newest = trend.entries[-1].value if trend.entries else None
    changes = [entry.change for entry in trend.entries if entry.change is not None and entry.change.is_certain]
    counting = sum(entry.counts for entry in trend.entries)
    return Course(
        name=trend.benchmark,
        file=head + separator if separator else "",
        machine=f"{trend.machine} ({trend.fingerprint})",
        newest="" if newest is None else _value(newest, trend),
        counts=f"{len(trend.entries)}, of which {counting} count",
        change=format_change(changes[-1].ratio) if changes else "",
        is_open=any(not change.is_accepted for change in changes),
        line=_polyline([entry.value for entry in trend.entries if not entry.is_shifted]),
        sessions=tuple(_told(entry, trend) for entry in reversed(trend.entries)),
        warnings=tuple(warning.removeprefix(f"{trend.benchmark}: ") for warning in trend.warnings),
        sort=(newest, len(trend.entries), changes[-1].ratio if changes else None),
    )


def _told(entry: Entry, trend: Trend) -> Told:
    return Told(
        at=f"{entry.at:%Y-%m-%d %H:%M}",
        commit=commit(entry.commit),
        value=_value(entry.value, trend),
        trials=entry.trials,
        counts=entry.counts,
        said="left out: the machine differs, not the code" if entry.is_shifted else _changed(entry.change),
        accepted=tuple(f"accepted {said_of(each)}" for each in entry.accepted),
    )


def _changed(change: LevelChange | None) -> str:
    if change is None:
        return ""
    nobody = "" if change.is_accepted else ", accepted by nobody"
    since = f"{said_of_change(change.ratio, is_certain=change.is_certain)} since here"
    return f"{since}, p {format_p(change.p_value)}{nobody}"


def _value(value: float, trend: Trend) -> str:
    label = f" ({trend.label})" if trend.label else ""
    return f"{format_quantity(value, trend.metric.unit, like=trend.entries[0].value)}{label}"


def _polyline(values: Sequence[float]) -> str:
    """Give points from left to right; values that hardly differ make a flat line."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = max(high - low, 0.02 * high) or 1.0
    step = (_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    middle = (span - (high - low)) / 2
    heights = [_HEIGHT - _MARGIN - (value - low + middle) / span * (_HEIGHT - 2 * _MARGIN) for value in values]
    return " ".join(f"{_MARGIN + position * step:.1f},{height:.1f}" for position, height in enumerate(heights))


def _drawn(trend: Trend) -> Drawn:
    unit, factor = shown_unit(trend.entries[0].value if trend.entries else 1.0, trend.metric.unit)
    return Drawn(
        unit=unit,
        factor=factor,
        label=trend.label,
        budget=0.0,
        sessions=tuple(_session(entry) for entry in trend.entries),
    )


def _session(entry: Entry) -> Session:
    change = entry.change
    return Session(
        value=entry.value,
        at=f"{entry.at:%Y-%m-%d}",
        commit=commit(entry.commit),
        is_shifted=entry.is_shifted,
        change="" if change is None else said_of_change(change.ratio, is_certain=change.is_certain),
        is_certain=change is not None and change.is_certain,
        accepted=tuple(said_of(each) for each in entry.accepted),
    )
