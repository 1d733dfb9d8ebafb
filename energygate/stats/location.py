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
    df = n - 2 * cut - 1
    return Location(
        value=np.mean(kept, axis=-1),
        variance=_squared_error(np.clip(ordered, kept[..., :1], kept[..., -1:]), df=df),
        df=_filled(leading, float(df)),
        n=_filled(leading, n),
    )


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
        located.update(zip(positions, _each(batch), strict=True))
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


def _each(batch: Location) -> list[Location]:
    fields = zip(batch.value, batch.variance, batch.df, batch.n, strict=True)
    return [Location(value=value, variance=variance, df=df, n=n) for value, variance, df, n in fields]


def _cut_per_end(n: int) -> int:
    return 0 if n < FEWEST_TO_TRIM else max(1, n // 10)


def _squared_error(winsorised: Floats, *, df: int) -> Floats:
    squares: Floats = np.sum(np.square(winsorised - winsorised.mean(axis=-1, keepdims=True)), axis=-1)
    return squares / (df * (df + 1)) if df else _filled(squares.shape, np.inf)


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
