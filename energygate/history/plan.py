"""What it takes to find an increase of a given size, and what today's settings can find, from the stored noise.

Every figure is "about": the noise that it rests on is itself an estimate (docs/statistics.md).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from energygate.history.sessions import Session
from energygate.history.window import Sessions
from energygate.stats.estimate import Estimate
from energygate.stats.location import df_of, stack
from energygate.stats.planning import blocks_needed, detectable_paired, detectable_stored, family_level
from energygate.stats.stored import FLOOR_SD, Prior, between_sessions

_FEWEST_SESSIONS: Final = 3
_MOST_SESSIONS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is to be found, and by which rules.

    Attributes
    ----------
    effect, budget, min_effect : float
        The increase to find, and what the gate says today, as fractions.
    benchmarks : int
        How many are compared with stored sessions: they share the alarms.
    queued : int
        How many are measured again at once.
    """

    effect: float
    budget: float
    min_effect: float
    false_alarms: float
    power: float
    confidence: float
    prior: Prior
    min_blocks: int
    max_blocks: int
    benchmarks: int = 1
    queued: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPlan:
    """What one benchmark takes, and what it can detect today. Ratios are head over base.

    Attributes
    ----------
    effect, budget : float
        The increase to find, and what the gate tolerates today, as fractions.
    trial_sd, session_sd : float or None
        Spread of a trial within its session, and of the sessions; in logs. None where one session says nothing.
    blocks, sessions : int or None
        What finds the effect; None where no number that is worth it does.
    useful_trials : int
        Trials a session beyond which a stored comparison gains nothing.
    detectable_interleaved, detectable_stored : float or None
        With the most blocks that are allowed, and with the sessions that are stored; None where nothing could fail.
    """

    benchmark: str
    effect: float
    budget: float
    found_sessions: int
    trial_sd: float
    session_sd: float | None
    blocks: int | None
    detectable_interleaved: float
    sessions: int | None
    detectable_stored: float | None
    useful_trials: int


def plan(found: Sessions, aim: Aim) -> BenchmarkPlan:
    """Plan one benchmark from its sessions, of which there is at least one."""
    count = len(found.found)
    trial_sd = _trial_sd(found.found)
    between = float(between_sessions(stack([session.place for session in found.found])))
    spread = between if count >= _FEWEST_SESSIONS else aim.prior.sd**2
    within = trial_sd**2 / float(np.mean([len(session.trials) for session in found.found]))
    today = _detected(count, spread, within, aim) if count >= _FEWEST_SESSIONS else None
    enough = (
        k for k in range(_FEWEST_SESSIONS, _MOST_SESSIONS + 1) if _detected(k, spread, within, aim) <= 1 + aim.effect
    )
    return BenchmarkPlan(
        benchmark=found.benchmark.name,
        effect=aim.effect,
        budget=aim.budget,
        found_sessions=count,
        trial_sd=trial_sd,
        session_sd=math.sqrt(between) if count > 1 else None,
        blocks=_blocks(trial_sd, aim),
        detectable_interleaved=_detected_interleaved(trial_sd, aim),
        sessions=next(enough, None),
        detectable_stored=today,
        useful_trials=max(1, math.ceil(trial_sd**2 / (aim.prior.sd**2 / 4))),
    )


def _trial_sd(sessions: Sequence[Session]) -> float:
    """Spread of a trial, so that its square over n is the squared error of a session's location; pooled."""
    return math.sqrt(np.mean([float(session.place.variance) * len(session.trials) for session in sessions]))


def _pair_error(trial_sd: float, blocks: int) -> float:
    return max(math.sqrt(2) * trial_sd, FLOOR_SD) / math.sqrt(blocks)


def _blocks(trial_sd: float, aim: Aim) -> int | None:
    return blocks_needed(
        _pair_error(trial_sd, aim.min_blocks),
        blocks=aim.min_blocks,
        effect=aim.effect,
        level=family_level(aim.false_alarms, queued=aim.queued),
        min_effect=min(aim.min_effect, aim.effect),
        power=aim.power,
        least=aim.min_blocks,
    )


def _detected_interleaved(trial_sd: float, aim: Aim) -> float:
    precision = Estimate(
        log_ratio=np.asarray(0.0),
        se=np.asarray(_pair_error(trial_sd, aim.max_blocks)),
        df=np.asarray(float(df_of(aim.max_blocks))),
    )
    level = family_level(aim.false_alarms, queued=aim.queued)
    found = detectable_paired(
        precision,
        level=level,
        budget=aim.budget,
        min_effect=aim.min_effect,
        power=aim.power,
        confidence=aim.confidence,
    )
    return float(found)


def _detected(sessions: int, spread: float, within: float, aim: Aim) -> float:
    """What so many sessions would detect, if they differ as the stored ones do."""
    own, weight = sessions - 1, aim.prior.weight
    moderated = (weight * aim.prior.sd**2 + own * spread) / (weight + own)
    wider = 1 + 1 / sessions
    variance = max(moderated * wider, within * wider, FLOOR_SD**2 * wider)
    precision = Estimate(log_ratio=np.asarray(0.0), se=np.asarray(math.sqrt(variance)), df=np.asarray(weight + own))
    level = family_level(aim.false_alarms, queued=aim.benchmarks)
    found = detectable_stored(precision, np.asarray(spread), sessions, false_alarms=level, power=aim.power)
    return max(float(found), 1 + aim.min_effect)
