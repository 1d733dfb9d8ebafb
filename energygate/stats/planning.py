"""What a test could have found."""

import numpy as np

from energygate.stats.distributions import Floats, normal_quantile, t_quantile
from energygate.stats.estimate import Estimate, to_ratio


def detectable_stored(
    estimate: Estimate, between: Floats, sessions: int, *, false_alarms: float, power: float = 0.90
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
    sessions : int
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
    return to_ratio(threshold + normal_quantile(power) * np.sqrt(between * (1 + 1 / sessions)))
