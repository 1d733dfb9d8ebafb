"""What `energygate.yml` says under `terms`: a price, a PUE, where the carbon intensity comes from, what is embodied."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from energygate.carbon.factors import ZONES
from energygate.conversion import Percent, percent

_Text = Annotated[str, Meta(min_length=1, max_length=120)]
_Zone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="a zone such as DE or US-CAL-CISO")]
_Address = Annotated[
    str,
    Meta(
        # A key goes there: in the clear only to this machine. No user, no query.
        pattern=r"^(https://[^\s/@?#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)(/[^\s?#]*)?$",
        description="an address such as https://api.electricitymaps.com, http:// on this machine alone",
    ),
]
_Price = Annotated[str, Meta(pattern=r"^\d{1,9}(\.\d{1,9})? [A-Z]{3}/kWh$", description="a price such as 0.24 EUR/kWh")]
_PerKwh = Annotated[
    str, Meta(pattern=r"^\d{1,5}(\.\d{1,9})? g/kWh$", description="grams of CO2 equivalents such as 380 g/kWh")
]
_EARLIEST: Final = 1990


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping whose keys are all known."""


class StaticCarbon(_Keys, frozen=True, kw_only=True, tag_field="source", tag="static"):
    """A figure of a year: one that stands here with who says so, or that of a built-in zone."""

    zone: _Zone | None = None
    intensity: _PerKwh | None = None
    reference: _Text | None = None
    year: Annotated[int, Meta(ge=_EARLIEST, le=2200)] | None = None
    kind: Literal["average", "marginal"] | None = None

    def __post_init__(self) -> None:
        if self.intensity is None:
            if self.zone not in ZONES or (self.reference, self.year, self.kind) != (None, None, None):
                raise ValueError(
                    f"give `zone` alone, one of {', '.join(ZONES)}, or your own `intensity: 380 g/kWh` with its "
                    "`reference` and `year`"
                )
        elif self.reference is None or self.year is None:
            raise ValueError("`intensity` needs `reference` and `year`: who says so, and of which year")


class ElectricityMapsCarbon(_Keys, frozen=True, kw_only=True, tag_field="source", tag="electricitymaps"):
    """The latest average intensity of a zone. The key is no part of it: `ENERGYGATE_ELECTRICITYMAPS_TOKEN`."""

    zone: _Zone
    url: _Address = "https://api.electricitymaps.com"


class WattTimeCarbon(_Keys, frozen=True, kw_only=True, tag_field="source", tag="watttime"):
    """The current marginal intensity of a region. The account is no part of it: `ENERGYGATE_WATTTIME_USER`, …."""

    zone: _Zone
    url: _Address = "https://api.watttime.org"


class EmbodiedOptions(_Keys, frozen=True, kw_only=True):
    """What making the machine emitted, over how many years it counts, and which share of it a run reserves."""

    total_kg: Annotated[float, Meta(gt=0, le=1e6)]
    lifespan_years: Annotated[float, Meta(gt=0, le=100)]
    reference: _Text
    share: Percent = percent(1.0)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError("`share` must be above 0% and at most 100%")


class TermsOptions(_Keys, frozen=True, kw_only=True):
    """In which terms a report shows energy besides joules. None of it is part of a verdict."""

    price: _Price | None = None
    pue: Annotated[float, Meta(ge=1, le=10)] | None = None
    carbon: StaticCarbon | ElectricityMapsCarbon | WattTimeCarbon | None = None
    embodied: EmbodiedOptions | None = None

    def __post_init__(self) -> None:
        if self.embodied is not None and self.carbon is None:
            raise ValueError("`embodied` is added to the carbon of the electricity: it needs `carbon`")


def amount(text: str) -> float:
    """Give the number of a quantity that is written with its unit."""
    return float(text.partition(" ")[0])
