"""In what two machines differ, in words."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

from energygate.model import Machine

_NOTHING: Final[tuple[object, ...]] = (None, [], {})


def hard_key_differences(head: Machine, other: Machine) -> tuple[str, ...]:
    """Name the hard keys that differ, with both values: `governor: performance -> powersave`."""
    return differences(other.hard, head.hard)


def soft_key_differences(head: Machine, other: Machine) -> tuple[str, ...]:
    """Name the soft keys that differ, with both values."""
    return differences(other.soft, head.soft)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    """Name the keys of two mappings that differ, with both values; those of inner mappings after a dot."""
    found: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.extend(differences(old, new, f"{prefix}{key}."))
        elif old != new:
            found.extend(_difference(f"{prefix}{key}", old, new))
    return tuple(found)


def _difference(key: str, old: Any, new: Any) -> tuple[str, ...]:
    both = (old, new)
    if all(isinstance(each, list) and all(isinstance(item, Mapping) for item in each) for each in both):
        pairs = zip_longest(old, new)
        numbered = {f"{key}.{i}": pair for i, pair in enumerate(pairs)}
        return differences({k: v for k, (v, _) in numbered.items()}, {k: v for k, (_, v) in numbered.items()})
    return (f"{key}: {_shown(old)} \N{RIGHTWARDS ARROW} {_shown(new)}",)


def _shown(value: Any) -> str:
    """A value in words: `absent`, `on`, `performance, powersave`, `kind counter, domains package-0`."""
    if value in _NOTHING:
        return "absent"
    match value:
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(_shown(item) for item in value)
        case Mapping():
            return ", ".join(f"{key} {_shown(item)}" for key, item in value.items() if item not in _NOTHING)
        case _:
            return str(value)
