"""The change of each row with its interval against its budget, on one scale for the whole table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from energygate.model import Row
from energygate.report import rows
from energygate.units import format_change, format_percent

WIDTH: Final = 120
_MARGIN: Final = 6
_LEAST_BUDGETS: Final = 2.0  # so that the budget never stands at the edge
_MOST_BUDGETS: Final = 6.0  # so that one row of +300 % does not make all others one point


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear scale of changes, from `-reach` to `reach`, as fractions."""

    reach: float

    def x(self, ratio: float) -> float:
        """Where a ratio stands; at the edge where it lies beyond."""
        inside = min(max((ratio - 1) / self.reach, -1.0), 1.0)
        return round(WIDTH / 2 + inside * (WIDTH / 2 - _MARGIN), 1)

    def is_beyond(self, ratio: float) -> bool:
        """Whether a ratio lies beyond an edge."""
        return abs(ratio - 1) > self.reach * (1 + 1e-9)

    @property
    def ends(self) -> tuple[str, str]:
        """What stands at both edges."""
        return format_change(1 - self.reach), format_change(1 + self.reach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One row's drawing, in units of `WIDTH`.

    Attributes
    ----------
    low, high : float or None
        Ends of the interval; None where it has none.
    words : str
        What it shows, for those who do not see it.
    """

    zero: float
    budget: float
    at: float
    low: float | None
    high: float | None
    beyond_low: bool
    beyond_high: bool
    words: str


def scale_for(found: Iterable[Row], budget: float) -> Scale:
    """Choose a scale that shows most rows in full."""
    changes = [abs(end - 1) for row in found for end in (row.ratio, row.ratio_low, row.ratio_high) if end is not None]
    widest = max(changes, default=0.0)
    return Scale(reach=min(max(widest, _LEAST_BUDGETS * budget), _MOST_BUDGETS * budget))


def interval_of(row: Row, scale: Scale, budget: float) -> Interval | None:
    """Draw a row against its budget; None where nothing was compared. The budget of a limit is the limit itself."""
    if row.ratio is None:
        return None
    allowed = 0.0 if row.how == "limit" else budget
    ends = [end for end in (row.ratio_low, row.ratio_high) if end is not None]
    return Interval(
        zero=scale.x(1.0),
        budget=scale.x(1 + allowed),
        at=scale.x(row.ratio),
        low=None if row.ratio_low is None else scale.x(row.ratio_low),
        high=None if row.ratio_high is None else scale.x(row.ratio_high),
        beyond_low=any(scale.is_beyond(end) and end < 1 for end in (row.ratio, *ends)),
        beyond_high=any(scale.is_beyond(end) and end > 1 for end in (row.ratio, *ends)),
        words=f"{rows.change_with_interval(row)}, budget {format_percent(allowed)}",
    )
