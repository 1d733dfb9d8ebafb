"""What an A/A self-test can say: a share of alarms with its interval, and the spread between sessions to reckon with.

References
----------
Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26
(1934).
"""

import numpy as np
from numpy.typing import ArrayLike

from energygate.stats.distributions import Floats, beta_quantile, chi_square_quantile


def clopper_pearson(found: int, of: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of a share that was seen `found` times among `of`, two-sided and never too narrow.

    Raises
    ------
    ValueError
        If `found` is not in 0 … `of`, `of` is 0, or the confidence lies outside (0, 1).
    """
    if not 0 <= found <= of or of == 0:
        raise ValueError(f"a share needs a count of at least one and no more found than there are, got {found} of {of}")
    tail = (1 - confidence) / 2
    low = beta_quantile(found, of - found + 1, tail) if found else 0.0
    high = beta_quantile(found + 1, of - found, 1 - tail) if found < of else 1.0
    return float(low), float(high)


def session_sd_bound(sd: ArrayLike, df: ArrayLike, *, confidence: float = 0.80) -> Floats:
    """One-sided upper bound of the standard deviation between sessions: what to set `gate.session_sd` to.

    Parameters
    ----------
    sd : float or array of float
        As found.
    df : float or array of float
        Of the sessions, less one for each mean that was taken. Benchmarks share the sessions: they add none.
    confidence : float

    Raises
    ------
    ValueError
        If a `df` is not positive, or the confidence lies outside (0, 1).
    """
    freedom = np.asarray(df, dtype=np.float64)
    if not np.all(freedom > 0):
        raise ValueError(f"the spread of sessions needs two of them at least, got {freedom} degrees of freedom")
    bound: Floats = np.asarray(sd) * np.sqrt(freedom / chi_square_quantile(freedom, 1 - confidence))
    return bound
