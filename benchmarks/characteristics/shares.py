"""Figures found by chance, with their standard errors."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Share:
    """A sum over another, each with a term for every pull request; adding two pools their pull requests.

    The benchmarks of a pull request share its sessions, so the standard error takes the pull request as the unit
    (ratio estimator).

    Attributes
    ----------
    part, whole : float
        The two sums.
    part2, both, whole2 : float
        Sums of the squares and of the products of the terms.
    """

    part: float = 0.0
    whole: float = 0.0
    part2: float = 0.0
    both: float = 0.0
    whole2: float = 0.0

    @classmethod
    def of(cls, part: ArrayLike, whole: ArrayLike = 1.0) -> "Share":
        """Sum up terms: one `part`, and one `whole`, for every pull request."""
        parts, wholes = np.broadcast_arrays(np.asarray(part, dtype=float), np.asarray(whole, dtype=float))
        return cls(
            float(parts.sum()),
            float(wholes.sum()),
            float(np.square(parts).sum()),
            float((parts * wholes).sum()),
            float(np.square(wholes).sum()),
        )

    def __add__(self, other: "Share") -> "Share":
        return Share(
            self.part + other.part,
            self.whole + other.whole,
            self.part2 + other.part2,
            self.both + other.both,
            self.whole2 + other.whole2,
        )

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.part / self.whole if self.whole else math.nan

    @property
    def se(self) -> float:
        """Its standard error."""
        if not self.whole:
            return math.nan
        squares = self.part2 - 2 * self.value * self.both + self.value**2 * self.whole2
        return math.sqrt(max(0.0, squares)) / self.whole


def pooled(shares: Iterable[Share]) -> Share:
    """All of them as one."""
    return sum(shares, Share())
