"""The machine changed, or the code: what moves everything alike is no change of one benchmark."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.stats.distributions import Floats
from energygate.stats.estimate import Estimate

_COMMON: Final = np.log(1.03)
_FEWEST_SHIFTED: Final = 5
_SHIFTED_SHARE: Final = 0.8
_CANARY: Final = np.log(1.01)
_CANARY_LEVEL: Final = 0.01
_FEWEST_SESSIONS: Final = 3


def common_shift(log_ratios: ArrayLike, *, members: ArrayLike = True) -> Floats:
    """The median of a session's log ratios, where nearly all benchmarks moved that way.

    Parameters
    ----------
    log_ratios : array of float, shape (..., m)
        One for each benchmark.
    members : bool or array of bool, shape (..., m)
        Which benchmarks are asked: what a noisy one shows is what others did.

    Returns
    -------
    array of float, shape (...)
        NaN where there is no common shift: fewer than five benchmarks, a median below 3 %, or fewer than 80 % of one
        sign.
    """
    ratios = np.asarray(log_ratios, dtype=np.float64)
    asked = np.broadcast_to(members, ratios.shape)
    count = np.count_nonzero(asked, axis=-1)
    if ratios.shape[-1] < _FEWEST_SHIFTED:
        return np.full(ratios.shape[:-1], np.nan)[()]
    median = _median(ratios, asked, count)
    same_sign = np.count_nonzero(asked & ((ratios > 0) == (median > 0)[..., np.newaxis]), axis=-1)
    enough = (count >= _FEWEST_SHIFTED) & (same_sign >= _SHIFTED_SHARE * count)
    return np.where(enough & (np.abs(median) >= _COMMON), median, np.nan)[()]


def _median(values: Floats, asked: NDArray[np.bool_], count: NDArray[np.int64]) -> Floats:
    """The median of those asked; 0 where nobody is."""
    ordered = np.sort(np.where(asked, values, np.inf), axis=-1)
    lower, upper = (np.maximum(count - 1, 0) // 2)[..., np.newaxis], (count // 2)[..., np.newaxis]
    both = np.take_along_axis(ordered, lower, axis=-1), np.take_along_axis(ordered, upper % values.shape[-1], axis=-1)
    found: Floats = np.where(count > 0, (both[0] + both[1])[..., 0] / 2, 0.0)
    return found


def canary_moved(estimate: Estimate, sessions: ArrayLike) -> NDArray[np.bool_]:
    """Whether a benchmark that no change of the code touches has moved: then the machine has.

    Parameters
    ----------
    estimate : Estimate, shape (...)
        From `stored`.
    sessions : int or array of int, shape (...)
        How many it was compared with.

    Returns
    -------
    array of bool, shape (...)
    """
    p_value = 2 * np.minimum(estimate.p_value, estimate.p_improved)
    moved = (p_value < _CANARY_LEVEL) & (np.abs(estimate.log_ratio) >= _CANARY)
    return moved & (np.asarray(sessions) >= _FEWEST_SESSIONS)  # type: ignore[no-any-return]  # as above
