"""What `energygate.yml` says of meters: its blocks `rapl`, `nvml`, `prometheus` and `estimate`."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from energygate.model import MOST_J

Choice = Literal["refuse", "allow"]
_MOST_W: Final = 1e6


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping whose keys are all known."""


class RaplOptions(_Keys, frozen=True, kw_only=True):
    """Counters that are doubtful: those of a virtual machine, and those that the processor randomises."""

    virtual: Choice = "refuse"
    filtered: Choice = "refuse"


class NvmlOptions(_Keys, frozen=True, kw_only=True):
    """Which GPUs are measured, and what is put up with.

    Attributes
    ----------
    gpus : "auto", "all" or tuple of str
        Those that the workload can see (`CUDA_VISIBLE_DEVICES`), all, or those with these UUIDs.
    shared : "refuse" or "allow"
        Whether a GPU may be in MIG mode, or have another process on it.
    integrate_power : bool
        Whether power is summed up for a GPU without an energy counter.
    """

    gpus: (
        Literal["auto", "all"]
        | Annotated[tuple[Annotated[str, Meta(pattern="^GPU-[0-9a-f-]+$")], ...], Meta(min_length=1)]
    ) = "auto"
    shared: Choice = "refuse"
    integrate_power: bool = False


class ScrapedDomain(_Keys, frozen=True, kw_only=True):
    """A domain of `preset: custom`: a selector of one counter, its unit, and its range where it wraps."""

    select: Annotated[str, Meta(min_length=1)]
    unit: Literal["J", "mJ", "uJ"]
    range_j: Annotated[float, Meta(gt=0, le=MOST_J)] | None = None


class PrometheusOptions(_Keys, frozen=True, kw_only=True):
    """Where counters that only an exporter can read are scraped.

    Attributes
    ----------
    selector : str
        Labels that pick one instance: ``instance="runner-7:9100"``.
    min_scrapes : int
        How many refresh intervals a window must hold.
    domains : mapping of domain to ScrapedDomain
        With `preset: custom`, and only then.

    A token for the server is no part of it: the environment has it (`ENERGYGATE_PROMETHEUS_TOKEN`).
    """

    url: Annotated[str, Meta(pattern="^https?://")]
    preset: Literal["node_exporter", "kepler", "kepler-legacy", "scaphandre", "dcgm", "custom"]
    selector: str = ""
    min_scrapes: Annotated[int, Meta(ge=2, le=1_000_000)] = 20
    domains: dict[str, ScrapedDomain] = {}

    def __post_init__(self) -> None:
        if (self.preset == "custom") != bool(self.domains):
            raise ValueError("`domains` goes with `preset: custom`, and only with it")
        if self.domains and self.selector:
            raise ValueError("`selector` goes with the other presets: write labels into each `select`")
        if any(mark in self.url for mark in "@?#"):  # not shown: it may hold a password
            raise ValueError("`url` is an address alone: a token belongs into ENERGYGATE_PROMETHEUS_TOKEN")


class Calibration(_Keys, frozen=True, kw_only=True):
    """What `energygate doctor --calibrate` found out about the estimate.

    Attributes
    ----------
    fingerprint : str
        The machine that it was calibrated on.
    r2 : float
        Share of the power's variance that busy cores explain.
    error : float
        Standard deviation of the residuals, as a fraction of the mean power.
    date : str
        Day, as 2026-11-25.
    """

    fingerprint: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    r2: Annotated[float, Meta(ge=0, le=1)]
    error: Annotated[float, Meta(ge=0, le=100)]
    date: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class EstimateOptions(_Keys, frozen=True, kw_only=True):
    """The estimate's model: watts of one busy core, and of the machine doing nothing."""

    watts_per_core: Annotated[float, Meta(gt=0, le=_MOST_W)] = 5.0
    base_w: Annotated[float, Meta(ge=0, le=_MOST_W)] = 0.0
    calibrated: Calibration | None = None
