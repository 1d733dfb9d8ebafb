"""Bounds on figures, and whether they are kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from characteristics.shares import Share

Relation: TypeAlias = Literal["at most", "at least"]


class Figure(NamedTuple):
    """A figure as it came out, in its unit, and its standard error."""

    value: float
    se: float = 0.0

    @classmethod
    def percent(cls, share: Share) -> "Figure":
        """A share in percent."""
        return cls(100 * share.value, 100 * share.se)


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A demand that is known to be missed.

    Attributes
    ----------
    bounds : tuple of float
        How far at most; beyond them it is missed as any other.
    why : str
    """

    bounds: tuple[float, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Bounds on a figure in some suites.

    Attributes
    ----------
    what, where : str
        The figure, and the suites.
    bounds : tuple of float
        One, or one for each trial spread.
    found : tuple of Figure
        One for each bound: where a bound holds for several suites, the one that comes closest to breaking it.
    errors : float
        By how many standard errors of the figure each bound is widened.
    known : Miss or None
        What is known of it, if it is missed.
    """

    what: str
    where: str
    relation: Relation
    bounds: tuple[float, ...]
    found: tuple[Figure, ...]
    errors: float
    unit: str = "%"
    known: Miss | None = None

    @property
    def for_spreads(self) -> bool:
        """Whether there is a bound for each trial spread."""
        return len(self.bounds) > 1

    @property
    def kept(self) -> bool:
        """Whether every figure keeps its bound. One that is not known keeps none."""
        return self._keep(self.bounds)

    @property
    def known_miss(self) -> str:
        """Why it is missed, if that is known and this is no more than what is known; else nothing."""
        return self.known.why if self.known is not None and not self.kept and self._keep(self.known.bounds) else ""

    def _keep(self, bounds: tuple[float, ...]) -> bool:
        return all(self._keeps(figure, bound) for figure, bound in zip(self.found, bounds, strict=True))

    def _keeps(self, figure: Figure, bound: float) -> bool:
        slack = self.errors * figure.se
        return figure.value <= bound + slack if self.relation == "at most" else figure.value >= bound - slack


def worst(relation: Relation, figures: Iterable[Figure], *, errors: float) -> Figure:
    """The figure that breaks a bound if any does."""
    if relation == "at most":
        return max(figures, key=lambda figure: figure.value - errors * figure.se)
    return min(figures, key=lambda figure: figure.value + errors * figure.se)
