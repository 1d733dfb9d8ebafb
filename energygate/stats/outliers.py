"""Trials that stand apart: they are shown and kept, for an outlier is a fact and not a fault."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.stats.location import Location

# Five standard deviations of a normal sample, and never less than half a percent: counter steps are no outliers.
_SPREADS: Final = 5.0
_SD_OF_MAD: Final = 1.4826
_LEAST_SPREAD: Final = 0.001
_STANDARD_ERRORS: Final = 3.0


def outlying(logs: ArrayLike) -> NDArray[np.bool_]:
    """Which values lie far from the median, as the other values go.

    Parameters
    ----------
    logs : array of float, shape (..., n)

    Returns
    -------
    array of bool, shape (..., n)
    """
    values = np.asarray(logs, dtype=np.float64)
    distances = np.abs(values - np.median(values, axis=-1, keepdims=True))
    spread = _SD_OF_MAD * np.median(distances, axis=-1, keepdims=True)
    return distances > _SPREADS * np.maximum(spread, _LEAST_SPREAD)


def has_tail(logs: ArrayLike, located: Location) -> NDArray[np.bool_]:
    """Whether the plain mean lies far from the trimmed one: rare costly values, which the trimmed mean does not follow.

    Parameters
    ----------
    logs : array of float, shape (..., n)
    located : Location, shape (...)
        Of the same logs.

    Returns
    -------
    array of bool, shape (...)
    """
    distance = np.abs(np.mean(np.asarray(logs, dtype=np.float64), axis=-1) - located.value)
    return distance > _STANDARD_ERRORS * np.sqrt(located.variance)  # type: ignore[no-any-return]  # as above
