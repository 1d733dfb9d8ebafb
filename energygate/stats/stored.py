"""Head against stored sessions, against those of a pinned commit, and against a fixed limit.

The unit is the session: trials of one session share its temperature, its neighbours and its page cache, so more of
them say nothing about the next session. Few sessions are known, hence the variance between them is shrunk towards a
prior (Smyth, "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol. Biol. 3 (2004)).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from energygate.stats.distributions import Floats
from energygate.stats.estimate import Estimate
from energygate.stats.location import Location

# Counter steps and ties can make every value equal; no pair of sessions is known better than to 0.2 %.
FLOOR_SD: Final = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is assumed of the spread between sessions before any was seen.

    Attributes
    ----------
    sd : float
        Standard deviation of a session's log.
    weight : float
        How many degrees of freedom the assumption is worth.
    """

    sd: float = 0.015
    weight: float = 2.0

    def __post_init__(self) -> None:
        if not (0 < self.sd < np.inf and 0 < self.weight < np.inf):
            raise ValueError(
                f"a prior needs a positive, finite sd and weight, got {self.sd} and {self.weight}:"
                " without them a single session would have no standard error"
            )


def between_sessions(sessions: Location) -> Floats:
    """Variance of the sessions' locations.

    Parameters
    ----------
    sessions : Location, shape (..., k)

    Returns
    -------
    array of float, shape (...)
        0 where k = 1.

    Raises
    ------
    ValueError
        If there is no session.
    """
    k = _count(sessions)
    deviations = sessions.value - np.mean(sessions.value, axis=-1, keepdims=True)
    variance: Floats = np.sum(np.square(deviations), axis=-1) / max(k - 1, 1)
    return variance


def stored(head: Location, sessions: Location, *, prior: Prior) -> Estimate:
    """Compare the head with the mean of stored sessions.

    Parameters
    ----------
    head : Location, shape (...)
    sessions : Location, shape (..., k)
        The sessions of the window, in any order.
    prior : Prior

    Returns
    -------
    Estimate, shape (...)

    Raises
    ------
    ValueError
        If there is no session.
    """
    between, df = _shrunk(prior, sessions)
    return _against(head, sessions, between, df)


def anchored(head: Location, anchor: Location, window: Location | None, *, prior: Prior) -> Estimate:
    """Compare the head with the sessions of a pinned commit; those of the window tell only how much a session varies.

    Parameters
    ----------
    head : Location, shape (...)
    anchor : Location, shape (..., k_a)
        The sessions of the pinned commit.
    window : Location, shape (..., k), or None
        The newest sessions. The two groups differ in what was accepted between them, so each has its own mean.
    prior : Prior

    Returns
    -------
    Estimate, shape (...)

    Raises
    ------
    ValueError
        If the anchor has no session, or `window` is given and has none.
    """
    between, df = _shrunk(prior, anchor, *([] if window is None else [window]))
    return _against(head, anchor, between, df)


def limit(head: Location, log_limit: ArrayLike, sessions: Location | None, *, prior: Prior) -> Estimate:
    """Compare the head with a fixed limit; sessions only tell how much a session varies.

    Parameters
    ----------
    head : Location, shape (...)
    log_limit : float or array of float, shape (...)
        Log of the limit, in the metric's unit.
    sessions : Location, shape (..., k), or None
        None leaves the variance between sessions to the prior alone.
    prior : Prior

    Returns
    -------
    Estimate, shape (...)

    Raises
    ------
    ValueError
        If `sessions` is given and there is none.
    """
    if sessions is None:
        within = head.variance
        between, df = np.asarray(prior.sd**2), prior.weight
    else:
        within = np.mean(sessions.variance, axis=-1)
        between, df = _shrunk(prior, sessions)
    variance = _largest(between + _excess(head.variance, within), head.variance, FLOOR_SD**2)
    return _estimate(head.value - np.asarray(log_limit, dtype=np.float64), variance, df)


def _against(head: Location, sessions: Location, between: Floats, df: float) -> Estimate:
    """The head less the mean of the sessions, with what a new session may add on either side."""
    k = _count(sessions)
    within = np.mean(sessions.variance, axis=-1)
    log_ratio = np.mean(head.value[..., np.newaxis] - sessions.value, axis=-1)
    variance = _largest(
        between * (1 + 1 / k) + _excess(head.variance, within),
        head.variance + within / k,
        FLOOR_SD**2 * (1 + 1 / k),
    )
    return _estimate(log_ratio, variance, df)


def _shrunk(prior: Prior, *groups: Location) -> tuple[Floats, float]:
    """Variance between the sessions of each group, pooled and drawn towards the prior, and its degrees of freedom."""
    own = [(_count(group) - 1, between_sessions(group)) for group in groups]
    df = prior.weight + sum(own_df for own_df, _ in own)
    squares = np.asarray(prior.weight * prior.sd**2)
    for own_df, between in own:
        squares = squares + own_df * between
    return squares / df, df


def _excess(head: Floats, within: Floats) -> Floats:
    """By how much the head's own variance exceeds what the sessions' spread already contains."""
    # Two samples of one give inf - inf; the next larger bound is infinite then, so the answer does not matter.
    with np.errstate(invalid="ignore"):
        return np.fmax(0.0, head - within)


def _largest(variance: Floats, measured: Floats, floor: float) -> Floats:
    return np.maximum(np.maximum(variance, measured), floor)


def _estimate(log_ratio: Floats, variance: Floats, df: float) -> Estimate:
    return Estimate(log_ratio=log_ratio, se=np.sqrt(variance), df=np.full(np.shape(log_ratio), df)[()])


def _count(sessions: Location) -> int:
    shape = np.shape(sessions.value)
    if not shape or shape[-1] == 0:
        raise ValueError(f"sessions lie on the last axis and there is at least one, got shape {shape}")
    return int(shape[-1])
