"""A series that counts energy, and the domain that it belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from energygate.meters.base import Domain
from energygate.meters.counters import CounterSpec
from energygate.meters.scraped.scrapes import UJ_PER, Rhythm, Unit
from energygate.meters.scraped.shown import shown

Part = Literal["cpu", "dram", "gpu"]
Labels = tuple[tuple[str, str], ...]  # sorted by name, and `__name__` among them: what tells a series from all others

SOCKETS: Final = 8  # the most that one series of a whole machine adds up
_BOUND_W: Final[Mapping[Part, float]] = {"cpu": 1000.0, "dram": 400.0, "gpu": 2000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One series that counts energy.

    Attributes
    ----------
    share : str
        Which share of its domain it counts, where there are several: `die 1`, `idle`. Shares are added.
    bound_w : float
        Power in watts that only a broken counter exceeds.
    range_j : float or None
        The largest value in joules, None where it is unknown: then a counter that falls began again.
    """

    domain: str
    part: Part
    labels: Labels
    unit: Unit
    bound_w: float
    share: str = ""
    detail: str = ""
    range_j: float | None = None

    @property
    def text(self) -> str:
        """The series as a person would type it."""
        return series_text(self.labels)

    def spec(self, rhythm: Rhythm) -> CounterSpec:
        """The series as a counter."""
        return CounterSpec(
            domain=self.domain,
            source=self.text,
            bound_w=self.bound_w,
            update_interval_s=rhythm.refresh_s,
            range_uj=None if self.range_j is None else round(self.range_j * UJ_PER["J"]),
        )


def series_text(labels: Labels) -> str:
    """Give ``name{label="value"}``, bounded and printable."""
    named = ",".join(f'{name}="{value}"' for name, value in labels if name != "__name__")
    return shown(f"{dict(labels).get('__name__', '')}{{{named}}}")


def make_source(
    labels: Labels, domain: str, unit: Unit, *, share: str = "", detail: str = "", sockets: int = 1
) -> Source:
    """Make the source of a preset's series; what the labels say is bounded and printable."""
    part = part_of(domain)
    return Source(
        domain=shown(domain),
        part=part,
        labels=labels,
        unit=unit,
        bound_w=bound_w(part, sockets=sockets),
        share=shown(share),
        detail=shown(detail),
    )


def part_of(domain: str) -> Part:
    """Tell by its name whether a domain is memory, a GPU, or else a processor."""
    if domain.startswith("dram"):
        return "dram"
    return "gpu" if domain.startswith("gpu") else "cpu"


def bound_w(part: Part, *, sockets: int) -> float:
    """Power in watts that only a broken counter of so many sockets exceeds."""
    return _BOUND_W[part] * sockets


def domain_of(sources: Sequence[Source], rhythms: Sequence[Rhythm], *, min_scrapes: int) -> Domain:
    """Make one domain of all its shares."""
    refresh_s = max(rhythm.refresh_s for rhythm in rhythms)
    return Domain(
        name=sources[0].domain,
        part=sources[0].part,
        update_interval_s=refresh_s,
        resolution_j=max(rhythm.resolution_j for rhythm in rhythms),
        shortest_window_s=min_scrapes * refresh_s,
        detail=" + ".join(source.detail for source in sources if source.detail),
    )
