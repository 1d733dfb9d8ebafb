"""Two stages: stored sessions screen, and what they suspect is measured again, base and head in turns."""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec import structs

from energygate.compare import Comparison
from energygate.gate.decide import judged
from energygate.gate.evidence import weigh
from energygate.gate.outcomes import Stage
from energygate.gate.whole import by_urgency
from energygate.model import Outcome, Row
from energygate.policy import Policy

_UNRESOLVED: Final = frozenset({Outcome.SUSPECT, Outcome.INCONCLUSIVE, Outcome.NO_BASELINE, Outcome.INCOMPARABLE})
_ABSOLUTE: Final = frozenset({"limit", "anchor"})


def queue(comparisons: Sequence[Comparison], policy: Policy, *, estimated: str | None = None) -> tuple[str, ...]:
    """Name the benchmarks to measure again, those first that most likely use more.

    Where the whole session differs, stored sessions say nothing of any benchmark, so all are queued. What is compared
    with an accepted level that no session of the main branch shows yet never is: it costs more than its base, and may.

    Parameters
    ----------
    estimated : str or None
        Why the readings are estimates, if they are: unless policy allows it, measuring again decides nothing either.
    """
    if estimated is not None and not policy.allow_estimates:
        return ()
    found = weigh(comparisons, policy, Stage.SCREEN)
    verdicts = judged(comparisons, found, policy, Stage.SCREEN)
    wanted = {"suspects": frozenset({Outcome.SUSPECT}), "unresolved": _UNRESOLVED, "all": frozenset(Outcome)}
    outcomes = wanted[policy.confirm.which]
    if any(evidence.shift is not None for evidence in found.values()):
        outcomes |= _UNRESOLVED
    queued = [
        (float(found[place].estimate.p_value) if place in found else math.inf, each.benchmark.name)
        for place, (each, verdict) in enumerate(zip(comparisons, verdicts, strict=True))
        if verdict.outcome in outcomes and each.accepted is None
    ]
    return tuple(name for _, name in sorted(queued))


def merge(
    screened: Sequence[Row], confirmed: Sequence[Row], *, unconfirmed: Mapping[str, str] | None = None
) -> tuple[Row, ...]:
    """Put both stages into one report: the second decides what it measured, and nothing of the first is pooled in.

    Parameters
    ----------
    screened, confirmed : sequence of Row
        As decided in each stage. Limits and anchors are those of the first, which has the stored sessions.
    unconfirmed : mapping of benchmark name to str, optional
        Why a benchmark was queued and not decided: its row stays as it is, and says so.
    """
    again = {row.benchmark for row in confirmed if row.how == "interleaved"}
    kept = [row for row in screened if row.how in _ABSOLUTE or row.benchmark not in again]
    new = [row for row in confirmed if row.how == "interleaved"]
    why = unconfirmed or {}
    rows = [_unconfirmed(row, why.get(row.benchmark)) for row in kept] + new
    return by_urgency(tuple(group) for _, group in groupby(rows, key=_group_of))


def decided_alone(screened: Sequence[Row], alone: Sequence[Row], why: Mapping[str, str]) -> tuple[Row, ...]:
    """Let stored sessions decide where there is nothing to interleave with.

    Parameters
    ----------
    screened, alone : sequence of Row
        All rows as stored sessions screen them, and as they decide without a base.
    why : mapping of benchmark name to str
        Why there is nothing to measure these beside.
    """
    kept = [row for row in screened if row.how != "stored" or row.benchmark not in why]
    new = [row for row in alone if row.how == "stored" and row.benchmark in why]
    rows = [*kept, *(structs.replace(row, notes=(*row.notes, _by_stored(why[row.benchmark]))) for row in new)]
    return by_urgency(tuple(group) for _, group in groupby(rows, key=_group_of))


def _by_stored(why: str) -> str:
    return f"judged by its stored runs alone: {why}"


def _unconfirmed(row: Row, why: str | None) -> Row:
    if why is None or row.how != "stored":
        return row
    return structs.replace(row, notes=(*row.notes, f"not confirmed: {why}"))


def _group_of(row: Row) -> tuple[str, str, str]:
    """What keeps rows together: a benchmark's deciding row and its joules per token; a limit or anchor alone."""
    return row.benchmark, row.how, f"{row.metric}{row.anchor}" if row.how in _ABSOLUTE else ""
