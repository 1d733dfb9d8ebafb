"""The machine in words: what a run calls `virtual: unknown` is a virtual machine that does not say of which kind."""

from collections.abc import Mapping
from typing import Any, Final

from energygate.compare import hard_key_differences, soft_key_differences
from energygate.model import GateReport, Machine

# The keys themselves stay: warnings and refusals name them so where two machines differ.
_NONE_IS: Final[Mapping[str, str]] = {"calibrated": "no", "container": "none"}
_VIRTUAL: Final = "virtual"
_BARE: Final = "none"
_UNNAMED: Final = "unknown"


def surroundings(machine: Machine) -> str:
    """Say what it is and what the run was inside of, as `energygate doctor` does."""
    where = _virtual(machine.hard[_VIRTUAL]) if _VIRTUAL in machine.hard else ""
    container = f"container ({_plain(machine.soft['container'])})" if machine.soft.get("container") else ""
    return ", ".join(part for part in (machine.label, where, container) if part)


def moved(report: GateReport) -> tuple[str, ...]:
    """Name the keys in which the machine differs from the base's, with both values: first those that may not."""
    other = report.baseline.machine
    if other is None:
        return ()
    return (*hard_key_differences(report.machine, other), *soft_key_differences(report.machine, other))


def keys(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Give keys and values as text, by name."""
    return tuple((name, _value(name, value)) for name, value in sorted(found.items()))


def _value(name: str, value: Any) -> str:
    if name == _VIRTUAL:
        return _virtual(value)
    return _NONE_IS.get(name, "unknown") if value is None else _plain(value)


def _virtual(kind: Any) -> str:
    match kind:
        case str() if kind == _BARE:
            return "bare metal"
        case str() if kind != _UNNAMED:
            return f"virtual machine ({kind})"
        case str():
            return "virtual machine"
        case _:
            return _plain(kind)


def _plain(value: Any) -> str:
    match value:
        case None:
            return "unknown"
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(map(_plain, value)) or "none"
        case dict():
            return ", ".join(_inner(name, inner) for name, inner in value.items()) or "none"
        case _:
            return str(value)


def _inner(name: str, value: Any) -> str:
    text = _value(name, value)
    return f"{name} ({text})" if isinstance(value, dict) else f"{name} {text}"
