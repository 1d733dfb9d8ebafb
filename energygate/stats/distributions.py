"""Probabilities and quantiles: the only module of the package that imports scipy, and only when asked."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Results without leading axes are numpy scalars, which have the same methods as an array.
Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


def t_cdf(df: ArrayLike, t: ArrayLike) -> Floats:
    """Probability that Student's t with `df` degrees of freedom is at most `t`; shapes broadcast."""
    return _special().stdtr(df, t)  # type: ignore[no-any-return]  # scipy has no type hints


def t_quantile(df: ArrayLike, q: float) -> Floats:
    """The value that Student's t with `df` degrees of freedom stays below with probability `q`.

    Raises
    ------
    ValueError
        For q outside (0, 1), where scipy answers +inf even for q = 0.
    """
    _require_inside_0_1(q)
    return _special().stdtrit(df, q)  # type: ignore[no-any-return]  # scipy has no type hints


def normal_quantile(q: float) -> float:
    """The value that a standard normal variable stays below with probability `q`.

    Raises
    ------
    ValueError
        For q outside (0, 1).
    """
    _require_inside_0_1(q)
    return float(_special().ndtri(q))


def t_power(df: ArrayLike, noncentrality: ArrayLike, t: ArrayLike) -> Floats:
    """Probability that a noncentral t exceeds `t`: the power of a test with that critical value.

    Far above `t` scipy answers NaN (`nctdtr(7, 50, 2.998)`, scipy 1.17); all of the distribution lies beyond `t` then.
    """
    power = 1 - _special().nctdtr(df, noncentrality, t)
    return np.where(np.isnan(power) & (np.asarray(noncentrality) > t), 1.0, power)[()]


def beta_quantile(a: ArrayLike, b: ArrayLike, q: float) -> Floats:
    """The value that a beta variable stays below with probability `q`.

    Raises
    ------
    ValueError
        For q outside (0, 1).
    """
    _require_inside_0_1(q)
    return _special().betaincinv(a, b, q)  # type: ignore[no-any-return]  # scipy has no type hints


def chi_square_quantile(df: ArrayLike, q: float) -> Floats:
    """The value that a chi-square variable with `df` degrees of freedom stays below with probability `q`.

    Raises
    ------
    ValueError
        For q outside (0, 1).
    """
    _require_inside_0_1(q)
    return 2 * _special().gammaincinv(np.asarray(df) / 2, q)  # type: ignore[no-any-return]  # scipy has no type hints


def _require_inside_0_1(q: float) -> None:
    if not 0 < q < 1:
        raise ValueError(
            f"a quantile needs a probability inside (0, 1), got {q}: at 0 and 1 no finite value answers it"
        )


def _special() -> Any:
    import scipy.special  # noqa: PLC0415  0.3 s that only a comparison should pay

    return scipy.special
