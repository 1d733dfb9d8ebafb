"""energygate.yml and suite files -> frozen Settings, with what options and the environment say on top.

The only module that reads YAML.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from msgspec import structs

from energygate.config_keys import AnchorKeys, ConfigFile, ConfirmKeys, GateKeys, MarkerKeys
from energygate.conversion import convert
from energygate.errors import ConfigError
from energygate.measure.assignment import assignment_in
from energygate.measure.conditions import NoiseLimits
from energygate.measure.requirement import TrialSettings
from energygate.model import DEFAULT_BASELINES, Outcome
from energygate.options import Given, apply_options, command_words, is_path
from energygate.policy import Anchor, Confirm, Policy, Rules
from energygate.settings import NamedSuite, Settings, SideSettings, first_of, overridden
from energygate.workloads.suites import SuiteFile
from energygate.workloads.suites.matrix import expand
from energygate.workloads.text import printable

DEFAULT_FILE: Final = "energygate.yml"
_NAMED: Final = re.compile(r"\b(alias|anchor|tag|handle) (['\"]).*\2")  # the name may be the first word of a prompt
_MOST_BYTES: Final = 2**20
_MOST_VALUES: Final = 100_000
# What PyYAML's constructors raise for a 13th month, 5000 digits or `!!int x`: they look at the form alone.
_UNREADABLE: Final = (ValueError, KeyError, IndexError, AttributeError)


def load_settings(
    options: Mapping[str, Any],
    *,
    prefix: str,
    environ: Mapping[str, str],
    folder: Path,
    here: Path,
    searched: Sequence[Path] = (),
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
    searched : sequence of Path
        The folders that `folder` was chosen from, as the first one with an `energygate.yml`; it alone if none is given.

    Raises
    ------
    ConfigError
        Naming the option, variable, or file with line and path, and what is allowed there.
    """
    given = Given(options=options, prefix=prefix, environ=environ)
    named = given.parse("config", Path)
    path = config_path(named, folder=folder, here=here)
    is_read = bool(named) or os.path.lexists(path)  # a link to nowhere is no lack of settings
    file = read_config(path) if is_read else ConfigFile(version=1)
    home = path.parent if is_read else folder
    base = replace(
        _from_file(file, home=home, path=path),
        config=path if is_read else None,
        looked_for=(path,) if named else tuple(each / DEFAULT_FILE for each in searched or (folder,)),
    )
    if named:
        base = replace(base, usual_baselines=str(home / DEFAULT_BASELINES))
    if (assignment := assignment_in(environ)) is not None:
        base = _measured_alike(base, None if assignment.config is None else Path(assignment.config))
    return apply_options(base, given, here=here)


def _measured_alike(side: Settings, path: Path | None) -> Settings:
    """Give the settings of one side, with what says how to measure from the file of the one that interleaves."""
    file = ConfigFile(version=1) if path is None else read_config(path)
    driver = _from_file(structs.replace(file, suites=()), home=side.folder, path=path or Path(DEFAULT_FILE))
    return replace(
        side,
        meters=driver.meters,
        sysfs=driver.sysfs,
        rapl=driver.rapl,
        nvml=driver.nvml,
        prometheus=driver.prometheus,
        estimate=driver.estimate,
        noise=driver.noise,
        trials=driver.trials,
        overrides=driver.overrides,
    )


def config_path(named: Path | None, *, folder: Path, here: Path) -> Path:
    """Which file is, or would be, the configuration."""
    return here / named if named else folder / DEFAULT_FILE


def find_home(folder: Path) -> Path:
    """Give the nearest folder upwards with an `energygate.yml`, within the repository; else `folder` itself."""
    return next((each for each in folders_upwards(folder) if os.path.lexists(each / DEFAULT_FILE)), folder)


def folders_upwards(folder: Path) -> tuple[Path, ...]:
    """Give a folder and those above it, up to the top of the repository.

    Outside a repository nobody looks upwards: a stranger's file names commands.
    """
    upwards = (folder, *folder.parents)
    top = next((index for index, candidate in enumerate(upwards) if (candidate / ".git").exists()), 0)
    return upwards[: top + 1]


def read_config(path: Path) -> ConfigFile:
    """Read an `energygate.yml`. Raises ConfigError."""
    return parse_config(read_config_text(path), path)


def parse_config(text: str, path: Path) -> ConfigFile:
    """Read the text of an `energygate.yml`; `path` is for messages. Raises ConfigError."""
    value, lines = _parse_yaml(text, path)
    expanded = expand(value, origin=str(path), lines=lines)
    file = convert(expanded.document, ConfigFile, origin=str(path), lines=lines, place=expanded.place)
    return structs.replace(file, suites=expanded.named(file.suites))


def read_config_text(path: Path) -> str:
    """Give a file's text with its own line ends. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)  # a device may have no end
        if len(content) > _MOST_BYTES:
            raise ConfigError(
                f"{path}: longer than {_MOST_BYTES} bytes.", fix="Move its prompts to a file: requests.dataset."
            )
        return content.decode()
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix="Give a file that is there.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}).") from error


def key_span(text: str, key: str) -> tuple[int, int] | None:
    """Where a key and its value stand in the text of a valid `energygate.yml`, or None where it has no such key.

    The end is that of the value's last word: comments behind it belong to what follows.
    """
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else []
    return next(((name.start_mark.index, _end(value)) for name, value in pairs if name.value == key), None)


def _end(node: yaml.Node) -> int:
    """A block's own end mark stands at the next word after it, behind comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def read_suites(path: Path, *, folder: Path) -> tuple[NamedSuite, ...]:
    """Read a suite file. Benchmark names begin with its path relative to `folder`. Raises ConfigError."""
    value, lines = _parse_yaml(read_config_text(path), path)
    expanded = expand(value, origin=str(path), lines=lines)
    file = convert(expanded.document, SuiteFile, origin=str(path), lines=lines, place=expanded.place)
    prefix = _relative(path, folder)
    return tuple(
        NamedSuite(suite=suite, file=path, prefix=prefix, line=lines[expanded.place(f"$.suites[{index}]")])
        for index, suite in enumerate(expanded.named(file.suites))
    )


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
        policy = replace(
            _policy(file.gate, allow_estimates=file.allow_estimates),
            anchors=tuple(_anchor(keys) for keys in file.anchors),
            canary=file.canary,
            confirm=_confirm(file.confirm),
        )
        sides = _sides(file.confirm)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    trials = overridden(TrialSettings(), file.trials)
    baselines = str(home / file.baselines) if is_path(file.baselines) else file.baselines
    settings = Settings(
        folder=home,
        meters=("auto",) if file.meters == "auto" else file.meters,
        sysfs=Path(file.sysfs),
        rapl=file.rapl,
        nvml=file.nvml,
        prometheus=file.prometheus,
        estimate=file.estimate,
        noise=NoiseLimits(
            foreign=float(file.noise.foreign), pressure=float(file.noise.pressure), steal=float(file.noise.steal)
        ),
        lock_timeout_s=file.lock_timeout,
        idle_s=file.trials.idle,
        allow_estimates=file.allow_estimates,
        baselines=baselines,
        usual_baselines=baselines,
        trials=trials,
        policy=replace(policy, max_invalid=trials.max_invalid),
        sides=sides,
        limits=file.limits,
        overrides=file.overrides,
        suites=suites,
        terms=file.terms,
    )
    for pattern, keys in file.overrides.items():
        budget = first_of(keys.budget, file.gate.budget)
        try:
            Rules(budget=float(budget), min_effect=float(first_of(keys.min_effect, min(file.gate.min_effect, budget))))
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


def _anchor(keys: AnchorKeys) -> Anchor:
    return Anchor(name=keys.name, commit=keys.commit, budget=float(keys.budget))


def _confirm(keys: ConfirmKeys) -> Confirm:
    return Confirm(
        which=keys.which, min_blocks=keys.min_blocks, max_blocks=keys.max_blocks, max_minutes=keys.max_minutes
    )


def _sides(keys: ConfirmKeys) -> SideSettings:
    try:
        setup = command_words(keys.setup) if keys.setup is not None else ()
    except ValueError as error:
        raise ConfigError(f"confirm.setup: {keys.setup!r}: {error}.") from error
    return SideSettings(against=keys.against, setup=setup, venv=keys.venv)


def _relative(path: Path, folder: Path) -> str:
    full, home = path.resolve(), folder.resolve()
    return full.relative_to(home).as_posix() if full.is_relative_to(home) else path.name


def _parse_yaml(text: str, path: Path) -> tuple[object, dict[str, int]]:
    """Give a file's value, and the line of each path in it. Raises ConfigError."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        if tree is not None and _count_values(tree, {}) > _MOST_VALUES:
            raise ConfigError(f"{path}: more than {_MOST_VALUES} values, each alias written out.", fix="Write fewer.")
        value = yaml.safe_load(text)
        lines = {} if tree is None else dict(_lines(tree, "$", path))
    except yaml.YAMLError as error:
        raise ConfigError(_not_yaml(path, error)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply, or an alias that contains itself.") from error
    except _UNREADABLE as error:
        raise ConfigError(
            f"{path}: a value looks like a date, a number or what its tag says, and is none: {printable(str(error))}.",
            fix="Write quotes around a text that only looks like one.",
        ) from error
    if value is None:
        raise ConfigError(f"{path}: empty.", fix="Begin with `version: 1`.")
    return value, lines


def _not_yaml(path: Path, error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        said = _NAMED.sub(r"\1", ", ".join(part for part in (error.context, error.problem) if part))
        return f"{path}:{error.problem_mark.line + 1}: not YAML: {said}."
    return f"{path}: not YAML: {' '.join(str(error).split())}."


def _count_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Count what is in a node, its aliases written out: an alias to a list of aliases grows tenfold with each line."""
    if id(node) not in known:
        inner = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(_count_values(part, known) for part in parts)
    return known[id(node)]


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
