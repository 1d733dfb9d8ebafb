"""Real sessions against others of the same thing, through the stored comparison and through the peers' rules."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from characteristics.our_rule import POLICY
from characteristics.peer_rules import PEERS, Evidence
from characteristics.real_data import Metric, by_session, read
from characteristics.shares import Share
from energygate.gate import stored_outcomes
from energygate.stats.estimate import Estimate
from energygate.stats.location import Location, locations, stack
from energygate.stats.stored import Prior, between_sessions, stored

Values: TypeAlias = NDArray[np.float64]

DAYS: Final = "vllm4090, J/token, a day against the other two"
DAYS_PLANTED: Final = "the same with +3 % planted"
DAYS_BY_TOKENS: Final = "vllm4090, J/token, a day against another"
DAYS_BY_JOULES: Final = "vllm4090, J, a day against another"
CLBG: Final = "clbg2017, block 2 against block 1"
UNIVOCITY: Final = "energytrackr25, univocity 25 days later"
_COLLECTIONS: Final = ("20250504_134112", "20250529_101750")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A head, and the sessions it is compared with, the newest last."""

    head: Values
    sessions: tuple[Values, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """What stored comparisons of one kind came to.

    Attributes
    ----------
    outcomes : mapping of str to int
        How many comparisons ended so.
    shift : float
        The common shift in logs, NaN where there is none.
    peers : mapping of str to Share
        How many fail, by each peer that compares with the last stored run.
    """

    what: str
    outcomes: Mapping[str, int]
    shift: float
    peers: Mapping[str, Share]

    @property
    def count(self) -> int:
        """How many comparisons there were."""
        return sum(self.outcomes.values())


def compare_sessions(folder: Path) -> tuple[Across, ...]:
    """Every comparison across sessions that the data allow."""
    days = list(_each_day_against_the_others(folder))
    return (
        judged_alone(DAYS, days),
        judged_alone(DAYS_PLANTED, days, change=0.03),
        judged_alone(DAYS_BY_TOKENS, list(_day_against_day("J/token", folder))),
        judged_alone(DAYS_BY_JOULES, list(_day_against_day("J", folder))),
        judged_together(CLBG, list(_pairs("clbg2017", ("block1", "block2"), folder))),
        judged_together(UNIVOCITY, list(_pairs("energytrackr25", _COLLECTIONS, folder))),
    )


def judged_alone(what: str, pairs: Sequence[Pair], *, change: float = 0.0) -> Across:
    """Judge each comparison as the only one of its pull request."""
    return _judged(what, pairs, change=change, gates=(len(pairs), 1))


def judged_together(what: str, pairs: Sequence[Pair]) -> Across:
    """Judge all comparisons as one pull request."""
    return _judged(what, pairs, change=0.0, gates=(1, len(pairs)))


def _judged(what: str, pairs: Sequence[Pair], *, change: float, gates: tuple[int, int]) -> Across:
    head, sessions = _located(pairs, gates)
    found = stored(head, sessions, prior=Prior(sd=POLICY.session_sd, weight=POLICY.session_sd_weight))
    estimate = Estimate(log_ratio=found.log_ratio + math.log1p(change), se=found.se, df=found.df)
    judged = stored_outcomes(
        estimate, sessions=sessions.value.shape[-1], between=between_sessions(sessions), policy=POLICY
    )
    return Across(
        what=what,
        outcomes=dict(Counter(judged.outcome.ravel().tolist())),
        shift=float(judged.shift[0]),
        peers=_peers([Pair(head=pair.head * (1 + change), sessions=pair.sessions) for pair in pairs]),
    )


def _located(pairs: Sequence[Pair], gates: tuple[int, int]) -> tuple[Location, Location]:
    """Locations of the heads, shape `gates`, and of their sessions, shape (*gates, k)."""
    every = stack(locations([np.log(values) for pair in pairs for values in (pair.head, *pair.sessions)]))
    shape = (*gates, 1 + len(pairs[0].sessions))
    fields = {name: getattr(every, name).reshape(shape) for name in ("value", "variance", "df", "n")}
    return (
        Location(**{name: values[..., 0] for name, values in fields.items()}),
        Location(**{name: values[..., 1:] for name, values in fields.items()}),
    )


def _peers(pairs: Sequence[Pair]) -> dict[str, Share]:
    evidence = [
        Evidence(sessions=pair.sessions[-1][np.newaxis], head=pair.head, alternating=np.empty((0, 2))) for pair in pairs
    ]
    return {
        peer.name: Share.of([bool(peer.fails(each)) for each in evidence]) for peer in PEERS if peer.sees == "last run"
    }


def _each_day_against_the_others(folder: Path, fewest: int = 3) -> Iterator[Pair]:
    for days in by_session(read("vllm4090", "J/token", folder=folder)).values():
        if len(days) == 3 and all(values.size >= fewest for values in days.values()):
            for day, values in days.items():
                yield Pair(head=values, sessions=tuple(others for other, others in days.items() if other != day))


def _day_against_day(metric: Metric, folder: Path, fewest: int = 5) -> Iterator[Pair]:
    for days in by_session(read("vllm4090", metric, folder=folder)).values():
        enough = [values for values in days.values() if values.size >= fewest]
        for base, head in permutations(enough, 2):
            yield Pair(head=head, sessions=(base,))


def _pairs(source: str, sessions: tuple[str, str], folder: Path) -> Iterator[Pair]:
    before, after = sessions
    for values in by_session(read(source, folder=folder)).values():
        if before in values and after in values:
            yield Pair(head=values[after], sessions=(values[before],))
