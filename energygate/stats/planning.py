"""What a test could have found, when it has found enough, and how many blocks it takes.

References
----------
Power of the t test by the noncentral t: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions",
volume 2, 2nd edition (1995), chapter 31.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.stats.distributions import Floats, normal_quantile, t_power, t_quantile
from energygate.stats.estimate import Estimate, to_ratio
from energygate.stats.location import df_of

_STRICTEST_ALONE: Final = 0.01  # the level of a single test, however few share the family's
_BISECTIONS: Final = 80
_MOST_BLOCKS: Final = 400


def family_level(false_alarms: float, *, queued: int) -> float:
    """Level of one test that is sure to be significant after adjusting over the family.

    Parameters
    ----------
    false_alarms : float
        Level of the family.
    queued : int
        How many benchmarks are in it.
    """
    return min(_STRICTEST_ALONE, false_alarms / max(1, queued))


def precise_enough(
    se: ArrayLike, df: ArrayLike, *, level: float, budget: ArrayLike, power: float = 0.90
) -> NDArray[np.bool_]:
    """Whether an increase of the budget would be found with probability `power`: when to stop measuring.

    It is not told what was found: stopping at a significant result would find one in pure noise, sooner or later.

    Parameters
    ----------
    se, df : array of float, shape (...)
        Standard error of the log ratio, and its degrees of freedom.
    level : float
        One-sided level of the test, from `family_level`.
    budget : float or array of float, shape (...)
        As a fraction.
    power : float

    Returns
    -------
    array of bool, shape (...)

    Raises
    ------
    ValueError
        If `level` or `power` lies outside (0, 1).
    """
    margin = (t_quantile(df, 1 - level) + t_quantile(df, power)) * np.asarray(se)
    return margin <= np.log1p(budget)  # type: ignore[no-any-return]  # a comparison of arrays is an array


def noncentrality(df: ArrayLike, *, level: float, power: float = 0.90) -> Floats:
    """How many standard errors an effect must measure to be significant with probability `power`.

    Raises
    ------
    ValueError
        If `level` or `power` lies outside (0, 1).
    """
    each, places = np.unique(np.asarray(df, dtype=np.float64), return_inverse=True)
    critical = t_quantile(each, 1 - level)
    low, high = np.zeros_like(critical), 5 * critical + 20
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        found = t_power(each, middle, critical) >= power
        low, high = np.where(found, low, middle), np.where(found, middle, high)
    return high[places.reshape(np.shape(df))]


def detectable_paired(
    estimate: Estimate,
    *,
    level: float,
    budget: ArrayLike,
    min_effect: ArrayLike,
    power: float = 0.90,
    confidence: float = 0.95,
) -> Floats:
    """Ratio that would fail in a share `power` of comparisons as precise as this one.

    To fail it must be significant, be estimated at `min_effect` or more, and not be proven to lie within the budget.

    Parameters
    ----------
    estimate : Estimate, shape (...)
        Only its precision is used.
    level : float
        One-sided level of the test, from `family_level`.
    budget, min_effect : float or array of float, shape (...)
        As fractions.
    power, confidence : float

    Returns
    -------
    array of float, shape (...)

    Raises
    ------
    ValueError
        If `level`, `power` or `confidence` lies outside (0, 1).
    """
    surely = t_quantile(estimate.df, power)
    bounds = (
        noncentrality(estimate.df, level=level, power=power) * estimate.se,
        np.log1p(min_effect) + surely * estimate.se,
        np.log1p(budget) + (surely - t_quantile(estimate.df, confidence)) * estimate.se,
    )
    return to_ratio(np.maximum(np.maximum(bounds[0], bounds[1]), bounds[2]))


def blocks_needed(
    se: float, *, blocks: int, effect: float, level: float, min_effect: float, power: float = 0.90, least: int = 10
) -> int | None:
    """How many blocks find an increase of `effect` with probability `power`: about, for `se` is itself an estimate.

    Parameters
    ----------
    se : float
        Standard error of the log ratio after `blocks` blocks.
    effect, min_effect : float
        As fractions.
    level : float
        One-sided level of the test, from `family_level`.
    least : int
        The fewest to answer.

    Returns
    -------
    int or None
        An even number; None where 400 are too few, and another way has to be found.

    Raises
    ------
    ValueError
        If `level` or `power` lies outside (0, 1).
    """
    candidates = np.arange(least + least % 2, _MOST_BLOCKS + 1, 2)
    errors = se * np.sqrt(blocks / candidates)
    significant, surely = _multiples(least, level, power)
    target = np.log1p(effect)
    enough = (significant * errors <= target) & (np.log1p(min_effect) + surely * errors <= target)
    return int(candidates[np.argmax(enough)]) if np.any(enough) else None


@lru_cache(maxsize=16)  # all benchmarks of a gate share one level
def _multiples(least: int, level: float, power: float) -> tuple[Floats, Floats]:
    """By how many standard errors an effect must exceed 0, and the smallest that counts, after each even number."""
    df = np.array([df_of(n) for n in range(least + least % 2, _MOST_BLOCKS + 1, 2)], dtype=np.float64)
    return noncentrality(df, level=level, power=power), t_quantile(df, power)


def detectable_stored(
    estimate: Estimate, between: Floats, sessions: ArrayLike, *, false_alarms: float, power: float = 0.90
) -> Floats:
    """Ratio that a stored comparison would find significant in a share `power` of sessions.

    The first term is the smallest significant log ratio; the second is what a new session may hide of it.

    Parameters
    ----------
    estimate : Estimate, shape (...)
        From `stored`.
    between : array of float, shape (...)
        Variance between sessions, from `between_sessions`. It is 0 for a single session, of whose spread nothing is
        known: the answer is then a lower bound.
    sessions : int or array of int, shape (...)
        How many there were.
    false_alarms : float
        One-sided level of the test.
    power : float

    Returns
    -------
    array of float, shape (...)

    Raises
    ------
    ValueError
        If `false_alarms` or `power` lies outside (0, 1).
    """
    threshold = t_quantile(estimate.df, 1 - false_alarms) * estimate.se
    return to_ratio(threshold + normal_quantile(power) * np.sqrt(between * (1 + 1 / np.asarray(sessions))))
