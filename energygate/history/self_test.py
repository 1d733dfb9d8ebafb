"""The A/A self-test on stored sessions: nothing changed between them, so what is found is a false alarm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Final, Literal

import numpy as np

from energygate.history.window import Sessions
from energygate.model import Machine, Outcome
from energygate.stats.location import stack
from energygate.stats.self_test import clopper_pearson, session_sd_bound
from energygate.stats.stored import Prior, between_sessions, stored

FEWEST_SESSIONS: Final = 4  # one is the head, and three may convict
LEVELS: Final = (0.05, 0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the comparisons have a p-value below a level, with the 95 % interval of that share."""

    level: float
    found: int
    of: int
    low: float
    high: float

    @property
    def is_too_large(self) -> bool:
        """Whether the test promises more than it holds here."""
        return self.low > self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What the gate said of an increase that was planted by arithmetic; 1 is none.

    Attributes
    ----------
    outcomes : mapping of outcome to count
        Of the benchmarks it was planted in.
    """

    factor: float
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How sessions differ, pooled over the benchmarks.

    Attributes
    ----------
    sessions : int
        Of a typical benchmark.
    sd, assumed_sd : float
        Standard deviation of the sessions' logs, and what `gate.session_sd` assumes.
    bound : float
        With 80 % confidence `sd` is not larger: what to set.
    autocorrelation : float
        Of neighbouring sessions; near 0 where they are independent.
    """

    sessions: int
    sd: float
    bound: float
    assumed_sd: float
    autocorrelation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """What comparisons in which nothing changed say of the test.

    Attributes
    ----------
    how : str
        `stored`: each session against the others; `interleaved`: one commit side by side with itself.
    shares : tuple of Share
        Of p-values, at each level.
    spread : Spread or None
        Of stored sessions.
    """

    machine: str
    fingerprint: str
    how: Literal["stored", "interleaved"]
    benchmarks: int
    shares: tuple[Share, ...]
    spread: Spread | None = None
    planted: tuple[Planted, ...] = ()


def self_test(found: Sequence[Sessions], prior: Prior, machine: Machine) -> SelfTest | None:
    """Compare each session with the others of its benchmark; None where no benchmark has enough of them."""
    enough = [each for each in found if len(each.found) >= FEWEST_SESSIONS]
    if not enough:
        return None
    return SelfTest(
        machine=machine.label,
        fingerprint=machine.fingerprint,
        how="stored",
        benchmarks=len(enough),
        shares=shares_of([p for each in enough for p in _each_against_the_others(each, prior)]),
        spread=_spread(enough, prior),
    )


def _spread(found: Sequence[Sessions], prior: Prior) -> Spread:
    variances = [float(between_sessions(stack([session.place for session in each.found]))) for each in found]
    sd, count = math.sqrt(np.mean(variances)), median_low([len(each.found) for each in found])
    return Spread(
        sessions=count,
        sd=sd,
        bound=float(session_sd_bound(sd, count - 1)),  # benchmarks share the sessions: they add no degree of freedom
        assumed_sd=prior.sd,
        autocorrelation=_autocorrelation([[session.level for session in reversed(each.found)] for each in found]),
    )


def shares_of(p_values: Sequence[float]) -> tuple[Share, ...]:
    """Count how many p-values lie below each level."""
    found = [(level, sum(p < level for p in p_values)) for level in LEVELS]
    bounds = [clopper_pearson(count, len(p_values)) for _, count in found]
    return tuple(
        Share(level=level, found=count, of=len(p_values), low=low, high=high)
        for (level, count), (low, high) in zip(found, bounds, strict=True)
    )


def _each_against_the_others(each: Sessions, prior: Prior) -> list[float]:
    places = [session.place for session in each.found]
    others = [stack([*places[:i], *places[i + 1 :]]) for i in range(len(places))]
    return [float(stored(head, rest, prior=prior).p_value) for head, rest in zip(places, others, strict=True)]


def _autocorrelation(series: Sequence[Sequence[float]]) -> float:
    """Of neighbouring values, pooled; 0 where nothing varies."""
    centred = [np.subtract(levels, np.mean(levels)) for levels in series]
    total = sum(float(np.sum(values**2)) for values in centred)
    return sum(float(np.sum(values[1:] * values[:-1])) for values in centred) / total if total else 0.0
