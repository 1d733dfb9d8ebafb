"""From what is known of a benchmark to what its figures are drawn from."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from energygate.model import Evidence, Level, Metric, Point, Row, Side
from energygate.report import rows
from energygate.report.html.drawing import Drawn, Numbers, Part, Session, Trials
from energygate.report.rows import Line
from energygate.units import format_change, shown_unit
from energygate.workloads.text import printable

# More digits are noise, and cost bytes: those of what is compared, and of what stands beside it.
DIGITS: Final = 5
_FEWER_DIGITS: Final = 4
_LONGEST: Final = 200
_SHORT: Final = 12
_COUNTS: Final = ("requests", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")


def drawn(lines: Sequence[Line], evidence: Evidence | None, *, budget: float) -> Drawn:
    """Give what is drawn of one benchmark.

    Parameters
    ----------
    lines : sequence of Line
        All that a report says of it, the deciding one first.
    evidence : Evidence or None
        None where a report was written without it: then only ratios and typical values are drawn.
    budget : float
        Of the whole report, for that case.
    """
    row = lines[0].row
    metric = row.metric if evidence is None else evidence.metric
    deciding = next((line.row for line in lines if line.row.how != "limit" and line.row.metric is metric), None)
    base, head = _measured(evidence)
    unit, factor = shown_unit(_size(deciding, head), metric.unit)
    return Drawn(
        unit=unit,
        factor=factor,
        label=(row.label or "estimate") if row.estimated else "",
        budget=budget if evidence is None else evidence.budget,
        base=base,
        head=head,
        head_value=None if deciding is None else _rounded(deciding.head),
        base_value=None if deciding is None else _rounded(deciding.base),
        parts=tuple(part for line in lines for part in _parts(line)),
        sessions=_stored(row) if evidence is None else tuple(map(session, evidence.history)),
    )


def session(level: Level) -> Session:
    """Give a stored session as it is drawn."""
    return Session(
        value=_known(level.value),
        at=f"{level.at:%Y-%m-%d}",
        commit="" if level.commit is None else level.commit[:_SHORT],
        values=tuple(_rounded(value, _FEWER_DIGITS) for value in level.values),
        is_shifted=level.is_shifted,
        change="" if level.change is None else said_of_change(level.change, is_certain=level.is_certain),
        is_certain=level.is_certain,
        accepted=tuple(f"by {_fit(each.by)} on {each.at:%Y-%m-%d}: {_fit(each.reason)}" for each in level.accepted),
    )


def said_of_change(ratio: float, *, is_certain: bool) -> str:
    """Say which change of level begins with a session: `+8.2 %`, or `possible: +3.0 %`."""
    return format_change(ratio) if is_certain else f"possible: {format_change(ratio)}"


def _size(row: Row | None, head: Trials | None) -> float:
    """A value by which to choose the unit: as in the table, that of the base where there is one."""
    typical = () if row is None else (row.base, row.head)
    measured = () if head is None else head.values
    return next((value for value in (*typical, *measured) if value), 1.0)


def _measured(evidence: Evidence | None) -> tuple[Trials | None, Trials | None]:
    """Give base and head; the base only where both were measured in turns."""
    if evidence is None or (evidence.turns is None and evidence.head is None):
        return None, None
    if evidence.turns is not None:
        base, head = evidence.turns
        return _trials(base), _trials(head)
    return None, None if evidence.head is None else _trials(evidence.head)


def _trials(side: Side) -> Trials:
    points = side.points
    return Trials(
        values=tuple(_rounded(point.value) for point in points),
        started_s=tuple(_rounded(point.started_s, DIGITS) for point in points),
        duration_s=tuple(_rounded(point.duration_s, _FEWER_DIGITS) for point in points),
        energy_j=_columns(points, lambda point: point.energy_j),
        temperature_c=_columns(points, lambda point: point.temperature_c),
        work=_work(points),
        blocks=tuple(point.block for point in points) if any(point.block is not None for point in points) else (),
        throttled={i: _fit(", ".join(point.throttled)) for i, point in enumerate(points) if point.throttled},
        invalid={i: _fit(point.invalid) for i, point in enumerate(points) if point.invalid is not None},
    )


def _work(points: Sequence[Point]) -> dict[str, tuple[int | None, ...]]:
    """Give what was counted, exactly; once where it is the same in all trials, as it should be."""
    found = {name: tuple(getattr(point.work, name) for point in points) for name in _COUNTS}
    return {
        name.replace("_", " "): counts[:1] if len(set(counts)) == 1 else counts
        for name, counts in found.items()
        if set(counts) - {None}
    }


def _columns(points: Sequence[Point], of: Callable[[Point], dict[str, float]]) -> dict[str, Numbers]:
    found = [of(point) for point in points]
    names = dict.fromkeys(name for each in found for name in each)
    return {_fit(name): tuple(_rounded(each.get(name), _FEWER_DIGITS) for each in found) for name in names}


def _parts(line: Line) -> Iterator[Part]:
    """Give what decides with its interval, then where the change comes from."""
    for row in (line.row, line.per_token):
        if row is not None and row.ratio is not None:
            yield Part(
                name=f"{row.metric.unit}{_fit(rows.kind(row))}",
                said=rows.change_with_interval(row),
                ratio=_known(row.ratio),
                low=_rounded(row.ratio_low),
                high=_rounded(row.ratio_high),
            )
    if line.row.how in {"limit", "anchor"}:
        return
    yield from (_part(_fit(name), ratio) for name, ratio in line.row.domains.items())
    per = " per request" if line.row.metric is Metric.J_PER_REQUEST else ""
    for name, ratio in line.row.work.items():
        yield _part(f"{_fit(name.replace('_', ' '))}{per}", ratio)
    yield from _paces(line.row)


def _paces(row: Row) -> Iterator[Part]:
    for name, words in rows.TIMES.items():
        if (took := row.times.get(name)) is not None and took.base:
            per = " per second" if name.endswith("_per_s") else ""
            yield _part(f"{words}{per}", took.head / took.base)


def _part(name: str, ratio: float) -> Part:
    return Part(name=name, said=format_change(ratio), ratio=_known(ratio))


def _stored(row: Row) -> tuple[Session, ...]:
    """Give the sessions of a report without evidence: their typical values alone."""
    return tuple(Session(value=_known(value)) for value in row.history)


def _fit(text: str) -> str:
    return f"{' ' if text.startswith(' ') else ''}{printable(text, limit=_LONGEST)}"


def _known(value: float, digits: int = DIGITS) -> float:
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded  # JSON without `.0`


def _rounded(value: float | None, digits: int = DIGITS) -> float | None:
    return None if value is None else _known(value, digits)
