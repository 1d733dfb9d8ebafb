"""energygate.yml, environment and options -> frozen Settings. Option over environment over file.

The only module that reads YAML.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml

from energygate.config_keys import ConfigFile, GateKeys, Limits, MarkerKeys, OverrideKeys, convert
from energygate.errors import ConfigError
from energygate.measure.trials import TrialSettings
from energygate.meters.estimate import EstimateConstants
from energygate.model import Metric, Outcome
from energygate.policy import FAILABLE, Policy, Rules
from energygate.units import parse_percent
from energygate.workloads.suites import Suite, SuiteFile, TrialOverrides, duplicate_name

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
DEFAULT_FILE: Final = "energygate.yml"
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
    forced : TrialOverrides
        What options said about trials: it wins over markers, suites and patterns.
    """

    folder: Path
    mode: Mode = Mode.GATE
    meters: tuple[str, ...] = ("auto",)
    sysfs: Path = Path("/sys")
    estimate: EstimateConstants = field(default_factory=EstimateConstants)
    allow_estimates: bool = False
    baselines: str = "baselines"
    trials: TrialSettings = field(default_factory=TrialSettings)
    forced: TrialOverrides = field(default_factory=TrialOverrides)
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
            settings = _override(settings, TrialOverrides(count=override.trials))
        return _override(_override(settings, own), self.forced)

    def rules_for(self, name: str, own: MarkerKeys = _NO_MARKER) -> Rules:
        """What one benchmark may cost. `own` is what its marker or suite says."""
        patterns = list(_matching(self.overrides, name))
        budget = _last([self.policy.budget, *(p.budget for p in patterns), own.budget])
        effect = _last([self.policy.min_effect, *(p.min_effect for p in patterns), own.min_effect])
        limits: Limits = {}
        for bounds in [*_matching(self.limits, name), *(p.limit for p in patterns), own.limit]:
            limits.update(bounds)
        return Rules(
            budget=float(budget),
            min_effect=float(min(effect, budget) if own.min_effect is None else effect),
            limits={Metric(metric): bound for metric, bound in limits.items()},
        )


def load_settings(
    options: Mapping[str, Any], *, prefix: str, environ: Mapping[str, str], folder: Path, here: Path
) -> Settings:
    """Decide everything before measuring.

    Parameters
    ----------
    options : mapping of option name to its text, or to None
        `mode`, `meters`, `min-time`, … as the shell got them.
    prefix : str
        How the shell spells them, for messages: `--` or `--energy-`.
    folder : Path
        Where `energygate.yml` is looked for, and what benchmark names are relative to.
    here : Path
        What paths in options and in the environment are relative to.

    Raises
    ------
    ConfigError
        Naming the option, variable, or file with line and path, and what is allowed there.
    """
    given = _Given(options=options, prefix=prefix, environ=environ)
    named = given.parse("config", Path)
    path = here / named if named else folder / DEFAULT_FILE
    file = read_config(path) if named or path.exists() else ConfigFile(version=1)
    home = path.parent if named or path.exists() else folder
    base = _from_file(file, home=home, path=path)
    return _apply_options(base, given, here)


def read_config(path: Path) -> ConfigFile:
    """Read an `energygate.yml`. Raises ConfigError."""
    value, lines = _read_yaml(path)
    file = convert(value, ConfigFile, origin=str(path), lines=lines)
    named = tuple(suite for suite in file.suites if not isinstance(suite, str))
    if sentence := duplicate_name(named):
        raise ConfigError(f"{path}: {sentence}.")
    return file


def read_suites(path: Path, *, folder: Path) -> tuple[NamedSuite, ...]:
    """Read a suite file. Benchmark names begin with its path relative to `folder`. Raises ConfigError."""
    value, lines = _read_yaml(path)
    file = convert(value, SuiteFile, origin=str(path), lines=lines)
    prefix = _relative(path, folder)
    return tuple(NamedSuite(suite=suite, file=path, prefix=prefix) for suite in file.suites)


def read_config_suites(path: Path, *, folder: Path) -> tuple[NamedSuite, ...]:
    """Give the suites that stand in an `energygate.yml` itself, not in files that it names. Raises ConfigError."""
    return _own_suites(read_config(path), path=path, folder=folder)


def marker_keys(arguments: Mapping[str, Any], *, origin: str) -> MarkerKeys:
    """Check the arguments of `@pytest.mark.energy`. Raises ConfigError."""
    if "n" in arguments:
        raise ConfigError(f"{origin}: @pytest.mark.energy(n=…): unknown argument.", fix="Did you mean trials=?")
    return convert(dict(arguments), MarkerKeys, origin=f"{origin}: @pytest.mark.energy")


def _from_file(file: ConfigFile, *, home: Path, path: Path) -> Settings:
    suites = (*_own_suites(file, path=path, folder=home), *_named_suites(file, path=path, folder=home))
    try:
        policy = _policy(file.gate, allow_estimates=file.allow_estimates)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    trials = _override(TrialSettings(), file.trials)
    settings = Settings(
        folder=home,
        meters=("auto",) if file.meters == "auto" else file.meters,
        sysfs=Path(file.sysfs),
        estimate=EstimateConstants(watts_per_core=file.estimate.watts_per_core, base_w=file.estimate.base_w),
        allow_estimates=file.allow_estimates,
        baselines=str(home / file.baselines) if _is_path(file.baselines) else file.baselines,
        trials=trials,
        policy=replace(policy, max_invalid=trials.max_invalid),
        limits=file.limits,
        overrides=file.overrides,
        suites=suites,
    )
    for pattern, keys in file.overrides.items():
        budget = _first(keys.budget, file.gate.budget)
        try:
            Rules(budget=float(budget), min_effect=float(_first(keys.min_effect, min(file.gate.min_effect, budget))))
        except ConfigError as error:
            raise ConfigError(f"{path}: overrides.{pattern}: {error}") from error
    return settings


def _named_suites(file: ConfigFile, *, path: Path, folder: Path) -> Iterator[NamedSuite]:
    for index, name in enumerate(file.suites):
        if isinstance(name, str):
            try:
                yield from read_suites(folder / name, folder=folder)
            except ConfigError as error:
                raise ConfigError(f"{path}: suites[{index}]: {error}") from error


def _own_suites(file: ConfigFile, *, path: Path, folder: Path) -> tuple[NamedSuite, ...]:
    prefix = _relative(path, folder)
    return tuple(NamedSuite(suite=each, file=path, prefix=prefix) for each in file.suites if not isinstance(each, str))


def _policy(gate: GateKeys, *, allow_estimates: bool) -> Policy:
    return Policy(
        budget=float(gate.budget),
        min_effect=float(gate.min_effect),
        false_alarms=float(gate.false_alarms),
        adjust=gate.adjust,
        fail_on=tuple(Outcome(name) for name in gate.fail_on),
        allow_estimates=allow_estimates,
        confidence=float(gate.confidence),
        power=float(gate.power),
        session_sd=float(gate.session_sd),
        session_sd_weight=gate.session_sd_weight,
        window=gate.window,
        min_sessions=gate.min_sessions,
        work_tolerance=float(gate.work_tolerance),
        screen_p=gate.screen.p,
        screen_effect=float(gate.screen.effect),
    )


def _apply_options(base: Settings, given: "_Given", here: Path) -> Settings:
    trials, warmup = given.parse("trials", _whole(1)), given.parse("warmup", _whole(0))
    min_time = given.parse("min-time", _seconds)
    baselines = given.parse("baselines", str)
    if baselines is not None and _is_path(baselines):
        baselines = str(here / baselines)
    save = given.parse("save", Path)
    reports = given.parse_each("report", _report_target)
    allow = given.parse("allow-estimates", _truth)
    budget = _first(given.parse("budget", _budget), base.policy.budget)
    policy = replace(
        base.policy,
        fail_on=given.parse_each("fail-on", _outcome) or base.policy.fail_on,
        budget=budget,
        min_effect=min(base.policy.min_effect, budget),
        allow_estimates=_first(allow, base.allow_estimates),
    )
    return replace(
        base,
        mode=given.parse("mode", _mode) or base.mode,
        meters=given.parse_each("meters", str) or base.meters,
        sysfs=given.parse("sysfs", Path) or base.sysfs,
        allow_estimates=policy.allow_estimates,
        baselines=baselines or base.baselines,
        forced=TrialOverrides(count=trials, warmup=warmup, min_time=min_time, min_time_gpu=min_time),
        policy=policy,
        save=here / save if save else None,
        reports=tuple(replace(target, path=here / target.path) for target in reports),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What options and the environment say, and how each is spelt."""

    options: Mapping[str, Any]
    prefix: str
    environ: Mapping[str, str]

    def parse(self, name: str, parser: Callable[[str], T]) -> T | None:
        """Give an option's value, or the environment's, or None."""
        text, origin = self._find(name)
        return None if text is None else _parsed(text, parser, origin)

    def parse_each(self, name: str, parser: Callable[[str], T]) -> tuple[T, ...]:
        """The same for an option that is a list: comma-separated, repeated, or both."""
        text, origin = self._find(name)
        if text is None:
            return ()
        items = [item.strip() for part in ([text] if isinstance(text, str) else text) for item in part.split(",")]
        return tuple(_parsed(item, parser, origin) for item in items if item)

    def _find(self, name: str) -> tuple[Any, str]:
        given = self.options.get(name)
        if given is not None and given is not False and given != ():
            return given, f"{self.prefix}{name}"
        variable = f"ENERGYGATE_{name.upper().replace('-', '_')}"
        return self.environ.get(variable) or None, variable


def _parsed(text: Any, parser: Callable[[str], T], origin: str) -> T:
    try:
        return parser(text)
    except ValueError as error:
        raise ConfigError(f"{origin}: {text!r}: {error}.") from error


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ValueError(f"expected a whole number from {least}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ValueError("expected seconds above 0")
    return seconds


def _budget(text: str) -> float:
    budget = parse_percent(text)
    if not 0 < budget <= 1:
        raise ValueError("expected a percentage above 0% and up to 100%")
    return budget


def _truth(text: str | bool) -> bool:  # noqa: FBT001  a flag of the command line arrives as True
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    value = words.get(str(text).lower())
    if value is None:
        raise ValueError("expected true or false")
    return value


def _mode(text: str) -> Mode:
    return _one_of(text, Mode)


def _outcome(text: str) -> Outcome:
    outcome = _one_of(text, Outcome)
    if outcome not in FAILABLE:
        raise ValueError(f"it is a proven pass; allowed: {', '.join(FAILABLE)}")
    return outcome


def _one_of(text: str, kind: type[E]) -> E:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"allowed: {', '.join(kind)}") from error


def _report_target(text: str) -> ReportTarget:
    kind, _, file = text.partition(":")
    if not file or kind not in FORMATS:
        raise ValueError(f"expected FORMAT:FILE with a format of {', '.join(FORMATS)}")
    return ReportTarget(format="json" if kind == "json" else "markdown", path=Path(file))


def _first(*candidates: T | None) -> T:
    return next(value for value in candidates if value is not None)


def _last(candidates: Sequence[T | None]) -> T:
    return _first(*reversed(candidates))


def _matching(patterns: Mapping[str, T], name: str) -> Iterator[T]:
    """Give what stands under each pattern that fits, in the file's order. A pattern that is the name itself fits."""
    return (value for pattern, value in patterns.items() if pattern == name or fnmatchcase(name, pattern))


def _override(settings: TrialSettings, keys: TrialOverrides) -> TrialSettings:
    """Replace what `keys` says."""
    said: dict[str, Any] = {
        "count": keys.count,
        "warmup": keys.warmup,
        "min_time_s": keys.min_time,
        "min_time_gpu_s": keys.min_time_gpu,
        "cooldown_s": keys.cooldown,
        "max_invalid": keys.max_invalid_fraction,
    }
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def _is_path(baselines: str) -> bool:
    return not baselines.startswith("git:") and "://" not in baselines


def _relative(path: Path, folder: Path) -> str:
    full, home = path.resolve(), folder.resolve()
    return full.relative_to(home).as_posix() if full.is_relative_to(home) else path.name


def _read_yaml(path: Path) -> tuple[object, dict[str, int]]:
    """Give a file's value, and the line of each path in it. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
        lines = {} if tree is None else dict(_lines(tree, "$", path))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Give a file that is there.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}).") from error
    except yaml.YAMLError as error:
        raise ConfigError(_not_yaml(path, error)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply, or an alias that contains itself.") from error
    if value is None:
        raise ConfigError(f"{path}: empty.", fix="Begin with `version: 1`.")
    return value, lines


def _not_yaml(path: Path, error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return f"{path}:{error.problem_mark.line + 1}: not YAML: {said}."
    return f"{path}: not YAML: {' '.join(str(error).split())}."


def _lines(node: yaml.Node, at: str, path: Path) -> Iterator[tuple[str, int]]:
    yield at, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, f"{at}[{index}]", path)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, item in node.value:
        inner = f"{at}.{key.value}"
        if inner in seen:  # YAML itself would keep the last one, silently
            raise ConfigError(f"{path}:{key.start_mark.line + 1}: {inner.removeprefix('$.')}: given twice.")
        seen.add(inner)
        yield from (
            (place, key.start_mark.line + 1 if place == inner else line) for place, line in _lines(item, inner, path)
        )
