"""Many benchmarks at once: p-values adjusted over the family.

References
----------
Benjamini and Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57 (1995).
Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6 (1979).
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.stats.distributions import Floats


def adjust(p_values: ArrayLike, method: Literal["bh", "holm"], *, members: NDArray[np.bool_] | None = None) -> Floats:
    """Adjust p-values so that each may be compared with the level of the whole family.

    Parameters
    ----------
    p_values : array of float, shape (..., m)
        One per benchmark, a family on the last axis; m may be 0.
    method : str
        `bh` controls the share of false alarms among all alarms, `holm` the chance of any.
    members : array of bool, shape (..., m), optional
        Which of them are in the family; all where it is not given.

    Returns
    -------
    array of float, shape (..., m)
        In the order of `p_values`; NaN for those that are no members.

    Raises
    ------
    ValueError
        If a member's p-value is NaN or outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    inside = np.ones(p.shape, dtype=bool) if members is None else np.broadcast_to(members, p.shape)
    _require_probabilities(p[inside])
    known = np.where(inside, p, np.inf)  # the others stand behind all members
    order = np.argsort(known, axis=-1, kind="stable")
    ordered = np.take_along_axis(known, order, axis=-1)
    size = np.count_nonzero(inside, axis=-1, keepdims=True)
    rank = np.arange(1, p.shape[-1] + 1)
    if method == "bh":
        # Multiplying by m / rank, which is exactly 1 at the end, keeps every result >= its p despite rounding.
        growing = ordered * np.maximum(size / rank, 1.0)
        steps = np.minimum.accumulate(growing[..., ::-1], axis=-1)[..., ::-1]
    else:
        steps = np.maximum.accumulate(ordered * np.maximum(size - rank + 1, 1), axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(steps, 1.0), axis=-1)
    return np.where(inside, adjusted, np.nan)


def _require_probabilities(p: Floats) -> None:
    impossible = p[~((p >= 0) & (p <= 1))]
    if impossible.size:
        raise ValueError(f"a p-value lies in [0, 1], got {impossible[0]}: adjusting it would change all the others")
