"""What `energygate.yml` and the marker may say. The structs refuse unknown keys and impossible values by path."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from energygate.carbon.options import TermsOptions
from energygate.conversion import Percent, percent
from energygate.measure.idle import SHORTEST_IDLE_S
from energygate.meters.options import EstimateOptions, NvmlOptions, PrometheusOptions, RaplOptions
from energygate.meters.select import METER_NAMES
from energygate.model import DEFAULT_BASELINES, Commit, Metric, OwnRules
from energygate.policy import LOWEST_MIN_BLOCKS, MOST_BLOCKS, require_blocks, require_shares
from energygate.units import format_percent
from energygate.workloads.suites import LONGEST_S, Limits, PositiveSeconds, Suite, TrialOverrides, Trials, WarmUps

_MOST_SESSIONS: Final = 10_000
_METER: Final = f"^({'|'.join(METER_NAMES)}|replay:.+)$"


FailOn = Literal[
    "regressed", "over_limit", "invalid", "missing", "suspect", "inconclusive", "incomparable", "no_baseline"
]


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping whose keys are all known."""


def _require_share(name: str, share: float) -> None:
    if share > 1:
        raise ValueError(f"`{name}` must be at most 100%, got {format_percent(share)}")


class TrialKeys(TrialOverrides, frozen=True, kw_only=True):
    """How trials are measured, and for how many seconds idle power is, before the first and after the last."""

    idle: Annotated[float, Meta(ge=0, le=3600)] = 0.0

    def __post_init__(self) -> None:
        if 0 < self.idle < SHORTEST_IDLE_S:
            raise ValueError(f"`idle` must be 0, which is off, or at least {SHORTEST_IDLE_S:g} seconds")


class NoiseKeys(_Keys, frozen=True, kw_only=True):
    """How much of the machine others may use before a trial is `noisy`; 100% never is."""

    foreign: Percent = percent(0.10)
    pressure: Percent = percent(0.20)
    steal: Percent = percent(0.02)

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _require_share(name, getattr(self, name))


class ScreenKeys(_Keys, frozen=True, kw_only=True):
    """When an unproven increase is `suspect`: its p-value below `p`, its size at least `effect`."""

    p: Annotated[float, Meta(gt=0, lt=1)] = 0.20
    effect: Percent = percent(0.01)

    def __post_init__(self) -> None:
        _require_share("effect", self.effect)


class GateKeys(_Keys, frozen=True, kw_only=True):
    """What passes and what fails."""

    budget: Percent = percent(0.05)
    min_effect: Percent = percent(0.02)
    false_alarms: Percent = percent(0.05)
    adjust: Literal["bh", "holm"] = "bh"
    fail_on: tuple[FailOn, ...] = ("regressed", "over_limit", "invalid")
    confidence: Percent = percent(0.95)
    power: Percent = percent(0.90)
    session_sd: Percent = percent(0.015)
    session_sd_weight: Annotated[float, Meta(gt=0, le=1e6)] = 2.0
    window: Annotated[int, Meta(ge=1, le=_MOST_SESSIONS)] = 10
    min_sessions: Annotated[int, Meta(ge=3, le=_MOST_SESSIONS)] = 3
    work_tolerance: Percent = percent(0.01)
    screen: ScreenKeys = msgspec.field(default_factory=ScreenKeys)

    def __post_init__(self) -> None:
        require_shares(self)
        _require_share("work_tolerance", self.work_tolerance)


class ConfirmKeys(_Keys, frozen=True, kw_only=True):
    """What is measured again beside its base, how often, and how each side is made ready."""

    against: Annotated[str, Meta(min_length=1)] = "auto"
    which: Literal["suspects", "unresolved", "all"] = "suspects"
    min_blocks: Annotated[int, Meta(ge=LOWEST_MIN_BLOCKS, le=MOST_BLOCKS)] = 10
    max_blocks: Annotated[int, Meta(ge=LOWEST_MIN_BLOCKS, le=MOST_BLOCKS)] = 30
    max_minutes: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    setup: Annotated[str, Meta(min_length=1)] | None = None
    venv: bool = False

    def __post_init__(self) -> None:
        require_blocks(min_blocks=self.min_blocks, max_blocks=self.max_blocks, max_minutes=self.max_minutes)


class OverrideKeys(_Keys, frozen=True, kw_only=True):
    """What the benchmarks of one name pattern do differently."""

    budget: Percent | None = None
    min_effect: Percent | None = None
    trials: Trials | None = None
    limit: Limits = {}


class AnchorKeys(_Keys, frozen=True, kw_only=True):
    """A commit that every later one is held against, and how much may have been added since."""

    name: Annotated[str, Meta(min_length=1)]
    commit: Commit
    budget: Percent


class MarkerKeys(_Keys, frozen=True, kw_only=True):
    """Arguments of `@pytest.mark.energy`."""

    trials: Trials | None = None
    warmup: WarmUps | None = None
    min_time: PositiveSeconds | None = None
    budget: Percent | None = None
    min_effect: Percent | None = None
    limit: Limits = {}

    def as_rules(self) -> OwnRules:
        """The part that says how to judge."""
        return OwnRules(
            budget=None if self.budget is None else float(self.budget),
            min_effect=None if self.min_effect is None else float(self.min_effect),
            limit={Metric(metric): bound for metric, bound in self.limit.items()},
        )

    def as_trials(self) -> TrialOverrides:
        """The part that says how to measure."""
        return TrialOverrides(count=self.trials, warmup=self.warmup, min_time=self.min_time, min_time_gpu=self.min_time)


class ConfigFile(_Keys, frozen=True, kw_only=True):
    """A whole `energygate.yml`."""

    version: Literal[1]
    meters: (
        Literal["auto"]
        | Annotated[
            tuple[Annotated[str, Meta(pattern=_METER, description=f"{', '.join(METER_NAMES)}, replay:FILE")], ...],
            Meta(min_length=1, description="a list such as [estimate]"),
        ]
    ) = "auto"
    sysfs: str = "/sys"
    rapl: RaplOptions = RaplOptions()
    nvml: NvmlOptions = NvmlOptions()
    prometheus: PrometheusOptions | None = None
    estimate: EstimateOptions = EstimateOptions()
    noise: NoiseKeys = msgspec.field(default_factory=NoiseKeys)
    lock_timeout: Annotated[float, Meta(ge=0, le=LONGEST_S)] = 0.0
    allow_estimates: bool = False
    baselines: Annotated[str, Meta(min_length=1)] = DEFAULT_BASELINES
    trials: TrialKeys = TrialKeys()
    gate: GateKeys = msgspec.field(default_factory=GateKeys)
    confirm: ConfirmKeys = msgspec.field(default_factory=ConfirmKeys)
    limits: dict[str, Limits] = {}
    overrides: dict[str, OverrideKeys] = {}
    anchors: tuple[AnchorKeys, ...] = ()
    canary: Annotated[str, Meta(min_length=1)] | None = None
    terms: TermsOptions | None = None
    suites: tuple[str | Suite, ...] = ()
