"""Everything that is decided before measuring, as frozen values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, TypeVar

from energygate.carbon.options import TermsOptions
from energygate.config_keys import OverrideKeys
from energygate.errors import ConfigError
from energygate.measure.assignment import Assignment
from energygate.measure.conditions import NoiseLimits
from energygate.measure.requirement import TrialSettings
from energygate.meters.options import EstimateOptions, NvmlOptions, PrometheusOptions, RaplOptions
from energygate.model import DEFAULT_BASELINES, Location, Metric, OwnRules
from energygate.policy import Policy, Rules
from energygate.workloads.suites import Limits, Suite, TrialOverrides
from energygate.workloads.text import printable

T = TypeVar("T")
_MOST_NAMES: Final = 3
_NO_RULES: Final = OwnRules()
_INSTALLERS: Final = frozenset({"pip", "pip3", "uv", "poetry", "pdm", "hatch", "conda", "mamba", "pipenv"})
_INSTALL: Final = ("pip", "install", "-e", ".")


class Mode(StrEnum):
    """What to do with what was measured."""

    MEASURE = "measure"
    GATE = "gate"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTarget:
    """A report to write: its format, one of `report.formats.FORMATS`, and its file."""

    format: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSettings:
    """Which base to measure again beside the head, and how both sides are made ready.

    Attributes
    ----------
    against : str
        A git revision; `auto` for the base of a pull request where the environment names one; `none`.
    setup : tuple of str
        A command to run once at the top of each side.
    venv : bool
        Whether each side gets a virtual environment of its own.
    seed : int or None
        What the order of the blocks is drawn from; None for a new one each time.

    Raises
    ------
    ConfigError
        `setup` would install into the environment that both sides share with the user.
    """

    against: str = "auto"
    setup: tuple[str, ...] = ()
    venv: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        names = {Path(word).name for word in self.setup}
        if not self.venv and _INSTALLERS & names and "install" in " ".join(self.setup):
            raise ConfigError(
                f"confirm.setup: {' '.join(self.setup)!r} would install into the environment that you work in.",
                why="Both sides share it, so the second would replace the first, and point at a folder that goes.",
                fix="Give each side its own: confirm.venv: true (--venv). Python code is found without installing it: "
                "the top of each side, and src below it, come first.",
            )

    @property
    def preparation(self) -> tuple[str, ...]:
        """The setup command; in an environment of its own, a project is installed unless something else is said."""
        return self.setup or (_INSTALL if self.venv else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSuite:
    """A suite, the file that its paths are relative to, its line in it, and the prefix of its benchmark's name."""

    suite: Suite
    file: Path
    prefix: str
    line: int = 1

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return f"{self.prefix}::{self.suite.name}"

    @property
    def location(self) -> Location:
        """Where it is defined."""
        return Location(file=self.prefix, line=self.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that was decided before measuring.

    Attributes
    ----------
    folder : Path
        Where benchmark names and the configuration's paths are relative to.
    baselines : str
        Where runs are stored: a folder, `git:BRANCH`, or a URL.
    usual_baselines : str
        Where they are looked for by who names neither a store nor a settings file.
    baselines_at : str or None
        `git:BRANCH@COMMIT`, or `@none`: what to read of that branch, which was fetched already.
    lock_timeout_s : float
        How long to wait for a machine that another job measures.
    forced, forced_budget : TrialOverrides, float
        What options said about trials and the budget: it wins over markers, suites and patterns.
    sides : SideSettings
        What is measured again beside the head, and how.
    config : Path or None
        The configuration file, if there is one.
    looked_for : tuple of Path
        Where it was looked for: the first one that is there decides.
    assignment : Assignment or None
        What this process measures for one that interleaves.
    terms : TermsOptions or None
        In which terms a report shows energy besides joules.
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
    lock_timeout_s: float = 0.0
    idle_s: float = 0.0
    allow_estimates: bool = False
    baselines: str = DEFAULT_BASELINES
    usual_baselines: str = DEFAULT_BASELINES
    baselines_at: str | None = None
    trials: TrialSettings = field(default_factory=TrialSettings)
    forced: TrialOverrides = field(default_factory=TrialOverrides)
    forced_budget: float | None = None
    policy: Policy = field(default_factory=Policy)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    overrides: Mapping[str, OverrideKeys] = field(default_factory=dict)
    suites: tuple[NamedSuite, ...] = ()
    save: Path | None = None
    reports: tuple[ReportTarget, ...] = ()
    sides: SideSettings = field(default_factory=SideSettings)
    config: Path | None = None
    looked_for: tuple[Path, ...] = ()
    assignment: Assignment | None = None
    terms: TermsOptions | None = None

    @property
    def is_store_given(self) -> bool:
        """Whether an option or a variable names the store, and not the settings file alone."""
        return self.baselines != self.usual_baselines

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

    def unknown_canary(self, names: Sequence[str]) -> list[str]:
        """Warn of a canary that is none of the benchmarks: what nobody measures never moves."""
        canary = self.policy.canary
        if canary is None or canary in names:
            return []
        vain = f"canary: {canary!r} is no benchmark of this run, so it cannot tell that the machine changed."
        return [f"{vain} {_instead(canary, names)}"]

    def rules_for(self, name: str, own: OwnRules = _NO_RULES) -> Rules:
        """What one benchmark may cost. `own` is what its marker or suite says."""
        patterns = list(_matching(self.overrides, name))
        budget = _last([self.policy.budget, *(p.budget for p in patterns), own.budget, self.forced_budget])
        effect = _last([self.policy.min_effect, *(p.min_effect for p in patterns), own.min_effect])
        of_patterns = (*_matching(self.limits, name), *(p.limit for p in patterns))
        limits = {Metric(metric): bound for bounds in of_patterns for metric, bound in bounds.items()} | own.limit
        return Rules(
            budget=float(budget),
            min_effect=float(min(effect, budget) if own.min_effect is None else effect),
            limits=limits,
        )


def _instead(name: str, names: Sequence[str]) -> str:
    """What a name was looked for among, the most similar first, and what to write."""
    if not names:
        return "It has no benchmark at all."
    return f"It was looked for among {most_alike(name, names)}. Write one such name in full; it is no pattern."


def most_alike(name: str, names: Sequence[str]) -> str:
    """List names, those first that are most like one that is not among them."""
    similar = [printable(each) for each in get_close_matches(name, names, n=_MOST_NAMES, cutoff=0.0)]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"{', '.join(similar)}{more}"


def _fits(pattern: str, name: str) -> bool:
    # A bracket may open a set of characters, or belong to the name: `test_sort[8]`, `chat[concurrency=8]`.
    return pattern == name or fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))


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
