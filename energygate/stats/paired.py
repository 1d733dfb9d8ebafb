"""Head against base, measured side by side: the session's effect is in both sides of a pair, and cancels.

The unit is the pair: a base and a head trial of one block, in random order.
"""

import numpy as np
from numpy.typing import ArrayLike

from energygate.stats.estimate import Estimate
from energygate.stats.location import Location, location
from energygate.stats.stored import FLOOR_SD


def paired(base: ArrayLike, head: ArrayLike) -> Estimate:
    """Compare the head with the base of the same blocks.

    Parameters
    ----------
    base, head : array of float, shape (..., n)
        Natural logs; those of one block stand at the same place.

    Returns
    -------
    Estimate, shape (...)

    Raises
    ------
    ValueError
        If the shapes differ, there are fewer than two pairs, or a value is not finite.
    """
    before, after = (np.asarray(side, dtype=np.float64) for side in (base, head))
    if before.shape != after.shape:
        raise ValueError(f"each pair has two sides, got shapes {before.shape} and {after.shape}")
    return from_differences(location(after - before))


def from_differences(differences: Location) -> Estimate:
    """Turn located differences of logs, head less base, into an estimate: counter steps can make all of them equal.

    Raises
    ------
    ValueError
        If a sample has fewer than two pairs.
    """
    if np.any(differences.n < 2):
        raise ValueError(f"a paired comparison needs two pairs at least, got {np.min(differences.n)}")
    variance = np.maximum(differences.variance, FLOOR_SD**2 / differences.n)
    return Estimate(log_ratio=differences.value, se=np.sqrt(variance), df=differences.df)
