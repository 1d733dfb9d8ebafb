"""Everything that is decided before measuring, as frozen values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from energygate.config_keys import MarkerKeys, OverrideKeys
from energygate.measure.conditions import NoiseLimits
from energygate.measure.requirement import TrialSettings
from energygate.meters.options import EstimateOptions, NvmlOptions, PrometheusOptions, RaplOptions
from energygate.model import Metric
from energygate.policy import Policy, Rules
from energygate.workloads.suites import Limits, Suite, TrialOverrides

T = TypeVar("T")
FORMATS: Final = ("json", "markdown")
_NO_MARKER: Final = MarkerKeys()


class Mode(StrEnum):
    """What to do with what was measured."""

    MEASURE = "measure"
    GATE = "gate"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """A report to write: its format and file."""

    format: Literal["json", "markdown"]
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSuite:
    """A suite, the file that its paths are relative to, and the prefix of its benchmark's name."""

    suite: Suite
    file: Path
    prefix: str

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return f"{self.prefix}::{self.suite.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was decided before measuring.

    Attributes
    ----------
    folder : Path
        Where benchmark names and the configuration's paths are relative to.
    baselines : str
        Where runs are stored: a folder.
    forced, forced_budget : TrialOverrides, float
        What options said about trials and the budget: it wins over markers, suites and patterns.
    """

    folder: Path
    mode: Mode = Mode.GATE
    meters: tuple[str, ...] = ("auto",)
    sysfs: Path = Path("/sys")
    rapl: RaplOptions = field(default_factory=RaplOptions)
    nvml: NvmlOptions = field(default_factory=NvmlOptions)
    prometheus: PrometheusOptions | None = None
    estimate: EstimateOptions = field(default_factory=EstimateOptions)
    noise: NoiseLimits = field(default_factory=NoiseLimits)
    idle_s: float = 0.0
    allow_estimates: bool = False
    baselines: str = "baselines"
    trials: TrialSettings = field(default_factory=TrialSettings)
    forced: TrialOverrides = field(default_factory=TrialOverrides)
    forced_budget: float | None = None
    policy: Policy = field(default_factory=Policy)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    overrides: Mapping[str, OverrideKeys] = field(default_factory=dict)
    suites: tuple[NamedSuite, ...] = ()
    save: Path | None = None
    reports: tuple[ReportTarget, ...] = ()

    def trials_for(self, name: str, own: TrialOverrides) -> TrialSettings:
        """How to measure one benchmark. `own` is what its marker or suite says."""
        settings = self.trials
        for override in _matching(self.overrides, name):
            settings = overridden(settings, TrialOverrides(count=override.trials))
        return overridden(overridden(settings, own), self.forced)

    def unused_patterns(self, names: Sequence[str]) -> list[str]:
        """Warn of each pattern that fits no benchmark: a limit that nothing checks looks like one that holds."""
        places = [("limits", pattern) for pattern in self.limits] + [("overrides", p) for p in self.overrides]
        return [
            f"{key}: {pattern!r} fits no benchmark of this run, so it decides nothing"
            for key, pattern in places
            if not any(_fits(pattern, name) for name in names)
        ]

    def rules_for(self, name: str, own: MarkerKeys = _NO_MARKER) -> Rules:
        """What one benchmark may cost. `own` is what its marker or suite says."""
        patterns = list(_matching(self.overrides, name))
        budget = _last([self.policy.budget, *(p.budget for p in patterns), own.budget, self.forced_budget])
        effect = _last([self.policy.min_effect, *(p.min_effect for p in patterns), own.min_effect])
        limits: Limits = {}
        for bounds in [*_matching(self.limits, name), *(p.limit for p in patterns), own.limit]:
            limits.update(bounds)
        return Rules(
            budget=float(budget),
            min_effect=float(min(effect, budget) if own.min_effect is None else effect),
            limits={Metric(metric): bound for metric, bound in limits.items()},
        )


def _fits(pattern: str, name: str) -> bool:
    return pattern == name or fnmatchcase(name, pattern)


def _matching(patterns: Mapping[str, T], name: str) -> Iterator[T]:
    """Give what stands under each pattern that fits, in the file's order. A pattern that is the name itself fits."""
    return (value for pattern, value in patterns.items() if _fits(pattern, name))


def overridden(settings: TrialSettings, keys: TrialOverrides) -> TrialSettings:
    """Replace what `keys` says."""
    said: dict[str, Any] = {
        "count": keys.count,
        "warmup": keys.warmup,
        "min_time_s": keys.min_time,
        "min_time_gpu_s": keys.min_time_gpu,
        "cooldown_s": keys.cooldown,
        "max_invalid": keys.max_invalid,
    }
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def first_of(*candidates: T | None) -> T:
    """The first that is there."""
    return next(value for value in candidates if value is not None)


def _last(candidates: Sequence[T | None]) -> T:
    return first_of(*reversed(candidates))
