"""Many benchmarks at once: p-values adjusted over the family.

References
----------
Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57 (1995).
Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6 (1979).
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from energygate.stats.distributions import Floats


def adjust(p_values: ArrayLike, method: Literal["bh", "holm"]) -> Floats:
    """Adjust p-values so that each may be compared with the level of the whole family.

    Parameters
    ----------
    p_values : array of float, shape (m,)
        One per benchmark; m may be 0.
    method : str
        `bh` controls the share of false alarms among all alarms, `holm` the chance of any.

    Returns
    -------
    array of float, shape (m,)
        In the order of `p_values`.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    _require_probabilities(p)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, p.size + 1)
    if method == "bh":
        # Multiplying by m / rank, which is exactly 1 at the end, keeps every result >= its p despite rounding.
        steps = np.minimum.accumulate((p[order] * (p.size / rank))[::-1])[::-1]
    else:
        steps = np.maximum.accumulate(p[order] * (p.size - rank + 1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _require_probabilities(p: Floats) -> None:
    impossible = p[~((p >= 0) & (p <= 1))]
    if impossible.size:
        raise ValueError(f"a p-value lies in [0, 1], got {impossible[0]}: adjusting it would change all the others")
