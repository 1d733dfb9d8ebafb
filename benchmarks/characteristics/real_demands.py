"""What is demanded of the replays of real measurements."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from characteristics.demands import Demand, Figure, Relation
from characteristics.replay import Replayed
from characteristics.sessions import (
    CLBG,
    DAYS,
    DAYS_BY_JOULES,
    DAYS_BY_TOKENS,
    DAYS_PLANTED,
    UNIVOCITY,
    Across,
)

MANY_CELLS: Final = 300
_FAILS: Final = {"clbg2017": (57, 74), "energytrackr25": (82, 98), "osmium2024": (37, 61), "vllm4090": (91, 99)}
_ALL_FAIL_ABOVE: Final = "github-action-benchmark, 200 %"


def within_demands(replays: Sequence[Replayed], *, errors: float) -> Iterator[Demand]:
    """Within a session: no more small p-values than there should be, few alarms, and planted increases are found."""
    cells = sum(each.cells for each in replays)
    for name, bound in (("p < 0.01", 1.1), ("p < 0.05", 5.2)):
        parts = [(each.cells / cells, Figure.percent(each.figures[name])) for each in replays]
        value = sum(weight * figure.value for weight, figure in parts)
        se = math.sqrt(sum((weight * figure.se) ** 2 for weight, figure in parts))
        yield _demand(f"{name}, unchanged", f"all {cells} cells", "at most", bound, Figure(value, se), errors=errors)
    for each in replays:
        where = f"{each.source}, {each.cells} cells"
        small = (1.3, 5.6) if each.cells >= MANY_CELLS else (2.5, 7.0)
        for name, bound in zip(("p < 0.01", "p < 0.05"), small, strict=True):
            figure = Figure.percent(each.figures[name])
            yield _demand(f"{name}, unchanged", where, "at most", bound, figure, errors=errors)
        yield _demand("alarms", where, "at most", 2.5, Figure.percent(each.figures["alarms"]), errors=errors)
        for change, bound in zip(("+5 %", "+10 %"), _FAILS.get(each.source, ()), strict=False):
            figure = Figure.percent(each.figures[f"fails at {change}"])
            yield _demand(f"{change} found", where, "at least", bound, figure, errors=errors)


def across_demands(kinds: Sequence[Across]) -> Iterator[Demand]:
    """Across sessions: nothing here is drawn, so a bound is not widened."""
    by_name = {each.what: each for each in kinds}
    for what, outcome, relation, bound in (
        (DAYS, "pass", "at least", 100),
        (DAYS_PLANTED, "suspect", "at least", 100),
        (DAYS_BY_JOULES, "suspect", "at most", 13),
        (DAYS_BY_TOKENS, "suspect", "at most", 0),
        (CLBG, "suspect", "at most", 30),
        (CLBG, "regressed", "at most", 0),
        (UNIVOCITY, "regressed", "at most", 0),
    ):
        each = by_name[what]
        figure = Figure(100 * each.outcomes.get(outcome, 0) / each.count)
        yield _demand(f"`{outcome}`", f"{what}: {each.count}", relation, bound, figure)
    shifted = by_name[UNIVOCITY]
    found = Figure(0 if math.isnan(shifted.shift) else 1)
    yield _demand("common shift found", UNIVOCITY, "at least", 1, found, unit="")
    others = [share.value for name, share in shifted.peers.items() if not name.startswith(_ALL_FAIL_ABOVE)]
    figure = Figure(100 * min(others))
    yield _demand("failed by every peer but the 200 % rule", UNIVOCITY, "at least", 100, figure)


def _demand(
    what: str,
    where: str,
    relation: Relation,
    bound: float,
    figure: Figure,
    *,
    errors: float = 0.0,
    unit: str = "%",
) -> Demand:
    return Demand(what=what, where=where, relation=relation, bounds=(bound,), found=(figure,), errors=errors, unit=unit)
