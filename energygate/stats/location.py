"""Where a sample of logs lies, and how well that is known: a trimmed mean with its winsorised variance.

References
----------
Tukey and McLaughlin, "Less vulnerable confidence and significance procedures for location", Sankhya A 25 (1963).
Yuen, "The two-sample trimmed t for unequal population variances", Biometrika 61 (1974).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from energygate.stats.distributions import Floats, Integers

# At n = 5 trimming would leave 2 degrees of freedom, which costs more power than outliers do.
FEWEST_TO_TRIM: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Locations of samples of logs, all fields of one shape: the samples' leading axes.

    Attributes
    ----------
    value : array of float
        10 % trimmed mean of the logs.
    variance : array of float
        Its squared standard error; infinite for a sample of one, of whose spread nothing is known.
    df : array of float
        Degrees of freedom of `variance`: values kept by the trimming, less one.
    n : array of int
        Size of the sample.
    """

    value: Floats
    variance: Floats
    df: Floats
    n: Integers


def location(logs: ArrayLike) -> Location:
    """Locate every sample of `logs`.

    Parameters
    ----------
    logs : array of float, shape (..., n)
        Natural logs, the trials of one sample on the last axis.

    Returns
    -------
    Location
        With fields of shape (...): numpy scalars for a single sample.

    Raises
    ------
    ValueError
        If there is no value, or one is not finite.
    """
    ordered = np.sort(np.asarray(logs, dtype=np.float64), axis=-1)
    _require_finite(ordered)
    *leading, n = ordered.shape
    cut = _cut_per_end(n)
    kept = ordered[..., cut : n - cut]
    value, df = np.mean(kept, axis=-1), df_of(n)
    ordered[..., :cut], ordered[..., n - cut :] = kept[..., :1], kept[..., -1:]
    return Location(
        value=value,
        variance=_squared_error(ordered, df=df),
        df=_filled(leading, float(df)),
        n=_filled(leading, n),
    )


def ragged_location(logs: Floats, sizes: Integers) -> Location:
    """Locate samples of unequal size that stand one after the other, computing those of one size together.

    Parameters
    ----------
    logs : array of float, shape (n, q)
        Natural logs of q quantities.
    sizes : array of int, shape (s,)
        How many rows belong to each sample; their sum is n.

    Returns
    -------
    Location, shape (s, q)
        NaN in value and variance for a sample without rows, and where a log of the sample is not finite.
    """
    shape = (len(sizes), logs.shape[-1])
    found = Location(
        value=np.full(shape, np.nan),
        variance=np.full(shape, np.nan),
        df=np.zeros(shape),
        n=np.repeat(sizes[:, np.newaxis], shape[-1], axis=-1),
    )
    starts = np.cumsum(sizes) - sizes
    for size in np.unique(sizes[sizes > 0]).tolist() if shape[-1] else ():
        of_size = np.flatnonzero(sizes == size)
        rows = starts[of_size, np.newaxis] + np.arange(size)
        batch = np.take(logs.T, rows, axis=-1)
        finite = np.all(np.isfinite(batch), axis=-1)
        located = location(np.where(finite[..., np.newaxis], batch, 0.0))
        found.value[of_size] = np.where(finite, located.value, np.nan).T
        found.variance[of_size] = np.where(finite, located.variance, np.nan).T
        found.df[of_size] = df_of(size)
    return found


def locations(series: Sequence[ArrayLike]) -> tuple[Location, ...]:
    """Locate samples of unequal size, in order, computing those of one size together.

    Parameters
    ----------
    series : sequence of arrays of float, each of shape (n_i,)
        Natural logs.

    Raises
    ------
    ValueError
        If a sample is empty, or a value is not finite.
    """
    samples = [np.asarray(logs, dtype=np.float64) for logs in series]
    positions_by_size = defaultdict(list)
    for position, sample in enumerate(samples):
        positions_by_size[sample.size].append(position)
    located: dict[int, Location] = {}
    for positions in positions_by_size.values():
        batch = location(np.stack([samples[position] for position in positions]))
        located.update(zip(positions, each_of(batch), strict=True))
    return tuple(located[position] for position in range(len(samples)))


def stack(parts: Sequence[Location]) -> Location:
    """Join locations of one shape along a new last axis: the sessions of one benchmark, say.

    Raises
    ------
    ValueError
        If there are none, or their shapes differ.
    """
    return Location(
        value=np.stack([part.value for part in parts], axis=-1),
        variance=np.stack([part.variance for part in parts], axis=-1),
        df=np.stack([part.df for part in parts], axis=-1),
        n=np.stack([part.n for part in parts], axis=-1),
    )


def at(located: Location, index: Any) -> Location:
    """Some of the locations, as numpy indexes an array."""
    return Location(
        value=located.value[index], variance=located.variance[index], df=located.df[index], n=located.n[index]
    )


def each_of(batch: Location) -> list[Location]:
    """Take a batch apart along its first axis; an axis of length 1 behind it is dropped."""
    columns = (np.asarray(field).reshape(len(batch.n)) for field in (batch.value, batch.variance, batch.df, batch.n))
    fields = zip(*columns, strict=True)
    return [Location(value=value, variance=variance, df=df, n=n) for value, variance, df, n in fields]


def df_of(n: int) -> int:
    """Degrees of freedom of the variance of a sample of `n`: values kept by the trimming, less one."""
    return n - 2 * _cut_per_end(n) - 1


def _cut_per_end(n: int) -> int:
    return 0 if n < FEWEST_TO_TRIM else max(1, n // 10)


def _squared_error(winsorised: Floats, *, df: int) -> Floats:
    if df == 0:
        return _filled(winsorised.shape[:-1], np.inf)  # type: ignore[no-any-return]  # as above
    squares: Floats = winsorised.shape[-1] * np.var(winsorised, axis=-1)
    return squares / (df * (df + 1))


def _filled(shape: Sequence[int], value: float) -> Any:
    return np.full(shape, value)[()]  # the index turns a 0-d array into a scalar


def _require_finite(values: Floats) -> None:
    if values.size == 0:
        raise ValueError("a location needs at least one value, got none: compare only benchmarks with valid trials")
    unusable = values[~np.isfinite(values)]
    if unusable.size:
        raise ValueError(
            f"a location needs finite logs, got {unusable[0]}: leave out trials whose energy or work is not positive"
        )
