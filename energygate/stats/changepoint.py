"""Where a series of sessions changed its level: single steps, and stretches that came and went.

Means are compared with a variance that is shrunk towards a prior (see `stored`), and the largest of all candidates is
tested by Bonferroni's inequality. A stretch is searched for beside the steps because its two ends hide each other: the
mean to the left of either contains what the other one did (Olshen, Venkatraman, Lucito and Wigler, "Circular binary
segmentation for the analysis of array-based DNA copy number data", Biostatistics 5 (2004)).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energygate.stats.distributions import Floats, Integers, t_cdf
from energygate.stats.estimate import to_ratio
from energygate.stats.stored import Prior

_FEWEST: Final = 4  # two values on the left, one on the right, and one degree of freedom of their own
_FEWEST_FOR_SEGMENTS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A change of level between neighbouring stretches of a series.

    Attributes
    ----------
    index : int
        Of the first value on the new level.
    log_ratio : float
        Mean of the stretch that begins there, less the mean of the one before: positive means more energy.
    p_value : float
        Of that difference, two-sided, for all places where it could have been; it may underflow to 0.
    """

    index: int
    log_ratio: float
    p_value: float

    @property
    def ratio(self) -> float:
        """Mean of the stretch that begins there, over the mean of the one before."""
        return float(to_ratio(np.asarray(self.log_ratio)))


def change_points(x: ArrayLike, *, prior: Prior, alpha: float, min_effect: float) -> tuple[ChangePoint, ...]:
    """Find where a series changed its level.

    Parameters
    ----------
    x : array of float, shape (n,)
        Logs of the sessions' values in the order of time; n may be 0.
    prior : Prior
        What is assumed of the spread between sessions.
    alpha : float
        Level of a whole stretch's test, inside (0, 1).
    min_effect : float
        A change smaller than this is none, as a fraction.

    Returns
    -------
    tuple of ChangePoint
        In the order of time.

    Raises
    ------
    ValueError
        If a value is not finite, or `alpha` lies outside (0, 1).
    """
    (found,) = all_change_points([x], prior=prior, alpha=alpha, min_effect=min_effect)
    return found


def all_change_points(
    series: Sequence[ArrayLike], *, prior: Prior, alpha: float, min_effect: float
) -> tuple[tuple[ChangePoint, ...], ...]:
    """Find the changes of many series, as `change_points` does.

    Those of one length are looked at together, and most show no change at all: only the others are searched.
    """
    values = [np.asarray(x, dtype=np.float64) for x in series]
    _require_usable(values, alpha)
    search = _Search(prior=prior, alpha=alpha, effect=float(np.log1p(min_effect)))
    found: list[tuple[ChangePoint, ...]] = [()] * len(values)
    sizes = np.array([each.size for each in values], dtype=np.int64)
    for size in np.unique(sizes[sizes >= _FEWEST]).tolist():
        of_size = np.flatnonzero(sizes == size)
        batch = np.stack([values[position] for position in of_size.tolist()])
        centred = batch - batch.mean(axis=-1, keepdims=True)
        changed = search.changed(centred)
        for position, levels in zip(of_size[changed].tolist(), centred[changed], strict=True):
            found[position] = search.pruned(levels, search.within(levels, 0, size))
    return tuple(found)


def _require_usable(series: Sequence[Floats], alpha: float) -> None:
    joined = np.concatenate(series) if series else np.empty(0)
    if not np.all(np.isfinite(joined)):
        raise ValueError(f"change points need finite logs, got {joined[~np.isfinite(joined)][0]}")
    if not 0 < alpha < 1:
        raise ValueError(f"change points need a level inside (0, 1), got {alpha}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The candidate with the largest t: its position among all, its difference of means, and its p-value.

    All fields have the leading axes of the stretches.
    """

    position: Integers
    log_ratio: Floats
    p_value: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    prior: Prior
    alpha: float
    effect: float

    def changed(self, stretches: Floats) -> NDArray[np.bool_]:
        """Whether stretches of shape (m, n) would be cut anywhere."""
        steps = self._holds(best_step(stretches, self.prior))
        if stretches.shape[-1] < _FEWEST_FOR_SEGMENTS:
            return steps
        return steps | self._holds(best_segment(stretches, self.prior))

    def within(self, values: Floats, start: int, stop: int) -> list[int]:
        """Give every change between two positions: cut there, and look again in the parts."""
        found = self._cut(values[start:stop])
        if not found:
            return []
        edges = [start, *(start + end for end in found), stop]
        inner = [point for left, right in pairwise(edges) for point in self.within(values, left, right)]
        return sorted([*edges[1:-1], *inner])

    def pruned(self, values: Floats, points: list[int]) -> tuple[ChangePoint, ...]:
        """Drop, one at a time, the least certain point that does not hold between its own neighbours."""
        while points:
            edges = zip([0, *points[:-1]], points, [*points[1:], None], strict=True)
            found = [self._tested(values, *each) for each in edges]
            doubtful = [each for each in found if each.p_value > self.alpha or abs(each.log_ratio) < self.effect]
            if not doubtful:
                return tuple(found)
            worst = max(doubtful, key=lambda each: each.p_value)
            points = [point for point in points if point != worst.index]
        return ()

    def _cut(self, stretch: Floats) -> tuple[int, ...]:
        """Where to cut a stretch: at its best step, else at both ends of its best segment, else nowhere."""
        if stretch.size >= _FEWEST and self._holds(step := best_step(stretch, self.prior)):
            return (int(step.position) + 2,)
        if stretch.size >= _FEWEST_FOR_SEGMENTS and self._holds(segment := best_segment(stretch, self.prior)):
            starts, stops = _segments(stretch.size)
            return int(starts[segment.position]), int(stops[segment.position])
        return ()

    def _holds(self, best: _Best) -> NDArray[np.bool_]:
        return (best.p_value <= self.alpha / 2) & (np.abs(best.log_ratio) >= self.effect)

    def _tested(self, values: Floats, left: int, point: int, right: int | None) -> ChangePoint:
        """Test one point between its neighbours, as one of all the places between them."""
        stretch = values[left:right]
        after = stretch[point - left :]
        only = _largest(stretch, np.array([after.sum()]), np.array([after.size]), self.prior, places=stretch.size - 1)
        return ChangePoint(index=point, log_ratio=float(only.log_ratio), p_value=float(only.p_value))


def best_step(stretch: Floats, prior: Prior) -> _Best:
    """Scan every split into at least two values on the left and at least one on the right, from the left.

    Parameters
    ----------
    stretch : array of float, shape (..., n)
    """
    sizes = np.arange(stretch.shape[-1] - 2, 0, -1)
    after = np.sum(stretch, axis=-1, keepdims=True) - np.cumsum(stretch, axis=-1)[..., 1:-1]
    return _largest(stretch, after, sizes, prior, places=sizes.size)


def best_segment(stretch: Floats, prior: Prior) -> _Best:
    """Scan every inner segment against the rest, in the order of `_segments`.

    Parameters
    ----------
    stretch : array of float, shape (..., n)
    """
    starts, stops = _segments(stretch.shape[-1])
    sums = np.cumsum(stretch, axis=-1)  # up to and with each value; a segment begins at 2 or later
    return _largest(stretch, sums[..., stops - 1] - sums[..., starts - 1], stops - starts, prior, places=starts.size)


@cache
def _segments(n: int) -> tuple[Integers, Integers]:
    """Give the bounds of every segment [i, j) with i >= 2, j <= n - 1 and j - i >= 2."""
    starts, stops = np.triu_indices(n, k=2)
    inner = starts >= 2
    return starts[inner], stops[inner]


def _largest(stretch: Floats, sums: Floats, sizes: Integers, prior: Prior, *, places: int) -> _Best:
    """Find the part of a stretch that differs most from the rest.

    Parameters
    ----------
    stretch : array of float, shape (..., n)
    sums : array of float, shape (..., candidates)
        Of each candidate's values.
    sizes : array of int, shape (candidates,)
        How many these are; the rest of the stretch is not empty.
    places : int
        How many candidates there could have been.
    """
    n, mean = stretch.shape[-1], np.mean(stretch, axis=-1, keepdims=True)
    products = sizes * (n - sizes)
    differences = (sums - sizes * mean) * n / products
    explained = np.square(differences) * products / n
    squares = np.maximum(np.sum(np.square(stretch - mean), axis=-1, keepdims=True) - explained, 0.0)
    df = prior.weight + n - 2
    variance = (prior.weight * prior.sd**2 + squares) / df
    t = np.abs(differences) / np.sqrt(variance * n / products)
    best = np.argmax(t, axis=-1, keepdims=True)
    log_ratio, largest = (np.take_along_axis(each, best, axis=-1)[..., 0] for each in (differences, t))
    p_value = np.minimum(1.0, 2 * places * t_cdf(df, -largest))
    return _Best(position=best[..., 0], log_ratio=log_ratio, p_value=p_value)
