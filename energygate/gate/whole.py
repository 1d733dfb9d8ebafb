"""The whole gate from its rows: the exit code, the verdict in one word, and the order of a report."""

import math
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from energygate.model import Outcome, Row

_NOTHING_MEASURED: Final = frozenset({Outcome.MISSING, Outcome.INVALID})
_EXIT_CODES: Final = (
    (1, {Outcome.REGRESSED, Outcome.OVER_LIMIT}),
    (5, {Outcome.INVALID}),
    (4, {Outcome.NO_BASELINE, Outcome.INCOMPARABLE, Outcome.MISSING}),
    (3, {Outcome.INCONCLUSIVE, Outcome.SUSPECT}),
)


def exit_code(rows: Sequence[Row], fail_on: Sequence[Outcome]) -> int:
    """The command line's exit code: the worst failing outcome decides; 5 where nothing valid was measured at all."""
    if all(row.outcome in _NOTHING_MEASURED for row in rows):
        return 5
    failing = {row.outcome for row in rows} & set(fail_on)
    codes = (code for code, outcomes in _EXIT_CODES if failing & outcomes)
    return next(codes, 0)


def overall(rows: Sequence[Row], code: int) -> Literal["failed", "inconclusive", "passed"]:
    """The verdict on the whole: `passed` only where every row is a proven pass."""
    if code:
        return "failed"
    proven = all(row.outcome in {Outcome.PASS, Outcome.IMPROVED} for row in rows)
    return "passed" if proven else "inconclusive"


def worst_first(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of unknown order as a report has them; those that are as bad as each other stay as they were."""
    return tuple(sorted(rows, key=lambda row: _SEVERITY[row.outcome]))


def by_urgency(groups: Iterable[tuple[Row, ...]]) -> tuple[Row, ...]:
    """The rows of all groups: worst first, then by size of change, then by name. A group stays together."""
    return tuple(row for group in sorted(groups, key=_urgency) for row in group)


def _urgency(group: tuple[Row, ...]) -> tuple[int, float, str]:
    first = group[0]
    change = abs(math.log(first.ratio)) if first.ratio else 0.0
    return _SEVERITY[first.outcome], -change, first.benchmark


_SEVERITY: Final = {outcome: place for place, outcome in enumerate(Outcome)}
