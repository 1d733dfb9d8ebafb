"""energygate's rule on arrays, by the functions that `energygate` itself decides with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from energygate.gate import Outcomes, Stage, paired_outcomes, stored_outcomes
from energygate.policy import Policy
from energygate.stats.estimate import Estimate
from energygate.stats.location import location
from energygate.stats.paired import from_differences
from energygate.stats.planning import family_level, precise_enough
from energygate.stats.stored import Prior, between_sessions, stored

Logs: TypeAlias = NDArray[np.float64]
Names: TypeAlias = NDArray[np.str_]
Mask: TypeAlias = NDArray[np.bool_]

POLICY: Final = Policy()
_EVERY: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """Stage 1: heads against stored sessions, shape (pull requests, benchmarks)."""

    estimate: Estimate
    between: Logs
    sessions: int

    @classmethod
    def of(cls, head: Logs, sessions: Logs) -> "Screened":
        """From logs of shapes (..., n) and (..., k, n)."""
        stored_sessions = location(sessions)
        prior = Prior(sd=POLICY.session_sd, weight=POLICY.session_sd_weight)
        return cls(
            estimate=stored(location(head), stored_sessions, prior=prior),
            between=between_sessions(stored_sessions),
            sessions=sessions.shape[-2],
        )

    def outcomes(self, stage: Stage, change: float = 0.0) -> Outcomes:
        """What stage 1 says, had the first benchmark of each pull request changed by so much."""
        return stored_outcomes(
            changed(self.estimate, change), sessions=self.sessions, between=self.between, policy=POLICY, stage=stage
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Stage 2: the same benchmarks after 10, 12, ... blocks.

    Attributes
    ----------
    blocks : tuple of int
        After how many each look is taken.
    log_ratio, se : array of float, shape (looks, ...)
    df : array of float, shape (looks,)
        It depends on the number of blocks alone.
    """

    blocks: tuple[int, ...]
    log_ratio: Logs
    se: Logs
    df: Logs

    @classmethod
    def at(cls, differences: Logs) -> "Looks":
        """From head less base of each block, shape (..., blocks)."""
        blocks = look_times(differences.shape[-1])
        found = [from_differences(location(differences[..., :n])) for n in blocks]
        return cls(
            blocks=blocks,
            log_ratio=np.stack([each.log_ratio for each in found]),
            se=np.stack([each.se for each in found]),
            df=np.array([each.df.flat[0] for each in found]),
        )

    def stops(self, queued: int) -> NDArray[np.intp]:
        """At which look each benchmark stops, in a queue of so many."""
        level = family_level(POLICY.false_alarms, queued=queued)
        df = self.df.reshape(-1, *[1] * (self.se.ndim - 1))
        precise = precise_enough(self.se, df, level=level, budget=POLICY.budget, power=POLICY.power)
        precise[-1] = True
        return np.argmax(precise, axis=0)

    def at_stop(self, stops: NDArray[np.intp]) -> tuple[Estimate, NDArray[np.int64]]:
        """The estimates when they stopped, and after how many blocks."""
        log_ratio, se = (np.take_along_axis(each, stops[np.newaxis], axis=0)[0] for each in (self.log_ratio, self.se))
        return Estimate(log_ratio=log_ratio, se=se, df=self.df[stops]), np.asarray(self.blocks)[stops]

    def rows(self, chosen: Mask) -> "Looks":
        """Those of some pull requests."""
        return Looks(blocks=self.blocks, log_ratio=self.log_ratio[:, chosen], se=self.se[:, chosen], df=self.df)


def look_times(available: int) -> tuple[int, ...]:
    """After how many blocks the stop rule is asked, where no more than so many can be had."""
    last = min(available, POLICY.confirm.max_blocks)
    first = min(POLICY.confirm.min_blocks, last)
    return tuple(sorted({*range(first, last + 1, _EVERY), last}))


def confirm(looks: Looks, queued: Mask) -> tuple[Estimate, NDArray[np.int64]]:
    """Let every queue stop by its own length. What is not queued has estimates too, which mean nothing."""
    lengths = queued.sum(axis=-1)
    stops = np.zeros(queued.shape, dtype=np.intp)
    for length in np.unique(lengths[lengths > 0]):
        chosen = lengths == length
        stops[chosen] = looks.rows(chosen).stops(int(length))
    return looks.at_stop(stops)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Outcomes of pull requests, shape (pull requests, benchmarks), who was queued, and how many blocks that took."""

    outcomes: Names
    queued: Mask
    blocks: NDArray[np.int64]


def interleave_all(looks: Looks, changes: Sequence[float]) -> list[Judged]:
    """`which: all`: everything is interleaved, whatever stored sessions say; once for each change."""
    everything = np.ones(looks.se.shape[1:], dtype=bool)
    estimate, blocks = confirm(looks, everything)
    return [Judged(outcomes=confirmed(estimate, blocks, c), queued=everything, blocks=blocks) for c in changes]


def two_stages(screened: Screened, looks: Looks, change: float) -> Judged:
    """Stored sessions screen, and only interleaved blocks can fail."""
    first = screened.outcomes(Stage.SCREEN, change)
    # A session that differs throughout proves nothing of any benchmark: all are measured again.
    queued = (first.outcome == "suspect") | np.isfinite(first.shift)[..., np.newaxis]
    estimate, blocks = confirm(looks, queued)
    second = confirmed(estimate, blocks, change, queued=queued)
    return Judged(outcomes=np.where(queued, second, first.outcome), queued=queued, blocks=blocks)


def changed(estimate: Estimate, change: float) -> Estimate:
    """The estimates, had the first benchmark of each pull request used so much more."""
    log_ratio = estimate.log_ratio.copy()
    log_ratio[..., 0] += math.log1p(change)
    return Estimate(log_ratio=log_ratio, se=estimate.se, df=estimate.df)


def confirmed(
    estimate: Estimate, blocks: NDArray[np.int64], change: float = 0.0, *, queued: Mask | None = None
) -> Names:
    """What interleaved blocks say of the queued benchmarks (None: of all), had the first one changed by so much."""
    return paired_outcomes(changed(estimate, change), blocks=blocks, policy=POLICY, members=queued).outcome
