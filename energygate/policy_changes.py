"""What the change under test makes of the policy that judges it: it takes effect, and stands above every report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from energygate.baseline.at_base import BaseCommit, name_in
from energygate.config import parse_config, read_config
from energygate.config_keys import ConfigFile
from energygate.conversion import Percent
from energygate.errors import ConfigError
from energygate.workloads.text import printable

_ARROW: Final = "\N{RIGHTWARDS ARROW}"
_DECIDING: Final = ("gate", "limits", "overrides", "anchors", "canary", "allow_estimates", "baselines")
_UNSET: Final = "not set"
_MOST: Final = 20
_LONGEST: Final = 200


def policy_changes(config: Path | None, looked_for: Sequence[Path], base: BaseCommit) -> tuple[str, ...]:
    """Say what the configuration file decides otherwise than that of the base: `policy: gate.budget: 5% → 10%`.

    Parameters
    ----------
    config : Path or None
        The file, if there is one.
    looked_for : sequence of Path
        Where it was looked for, and is in the base too: the first one that is there decides.

    Raises
    ------
    ConfigError
        If the file as it is now cannot be read; of the base's, that is a remark.
    """
    if config is not None and name_in(base, config) is None:
        return ()  # no change of this repository alters it
    places = [name for name in (name_in(base, path) for path in looked_for) if name is not None]
    path = next((name for name in places if base.git.answer("cat-file", "-t", f"{base.commit}:{name}") == "blob"), None)
    try:
        before = ConfigFile(version=1) if path is None else _at_base(path, base)
    except ConfigError as error:
        unknown = f"policy: what this change alters of it is not known: {path} of the base {base.commit[:12]} is unfit"
        return (f"{unknown}: {printable(str(error), limit=_LONGEST)}",)
    now = ConfigFile(version=1) if config is None else read_config(config)
    said = [f"policy: {each}" for each in (*_moved(config, path, base), *differences(before, now))]
    more = (f"policy: {len(said) - _MOST} more changes",) if len(said) > _MOST else ()
    return (*said[:_MOST], *more)


def differences(before: ConfigFile, now: ConfigFile) -> Iterator[str]:
    """Give each place of the policy with what it said and says: `gate.budget: 5% → 10%`."""
    old, new = dict(_policy(before)), dict(_policy(now))
    for place in dict.fromkeys([*old, *new]):
        if old.get(place) != new.get(place):
            yield f"{printable(place, limit=_LONGEST)}: {_shown(old.get(place))} {_ARROW} {_shown(new.get(place))}"
    for key in ("limits", "overrides"):
        first, second = getattr(before, key), getattr(now, key)
        if [name for name in first if name in second] != [name for name in second if name in first]:
            yield f"{key}: another order, and the last that fits decides"


def _moved(config: Path | None, before: str | None, base: BaseCommit) -> Iterator[str]:
    """Say that another file decides than the one of the base."""
    now = None if config is None else name_in(base, config)
    if now is not None and before is not None and now != before:
        yield f"{printable(now, limit=_LONGEST)} decides, in place of {printable(before, limit=_LONGEST)}"


def _at_base(path: str, base: BaseCommit) -> ConfigFile:
    """What a file of the base commit says. Raises ConfigError."""
    try:
        return parse_config(base.git.ask_bytes("cat-file", "blob", f"{base.commit}:{path}").stdout.decode(), Path(path))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}).") from error


def _policy(file: ConfigFile) -> Iterator[tuple[str, object]]:
    """Each place that decides, and what it says."""
    for key in _DECIDING:
        yield from _leaves(key, getattr(file, key))
    for suite in file.suites:
        if not isinstance(suite, str):
            yield from _leaves(f"suites.{suite.name}.limits", suite.limits)


def _leaves(place: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _leaves(f"{place}.{name}", getattr(value, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _leaves(f"{place}.{name}", each)
    elif isinstance(value, tuple) and any(isinstance(each, Struct) for each in value):
        for each in value:
            yield from _leaves(f"{place}.{each.name}", each)
    elif value is not None:
        yield place, value


def _shown(value: object) -> str:
    """As a file would write it."""
    match value:
        case None:
            return _UNSET
        case Percent():
            return f"{value * 100:.10g}%"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.10g}"
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case _:
            return printable(str(value), limit=_LONGEST)
