"""What `energygate.yml` and the marker may say. The structs refuse unknown keys and impossible values by path."""

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from energygate.errors import ConfigError, split_path
from energygate.units import parse_percent
from energygate.workloads.suites import LimitMetric, PositiveCount, PositiveSeconds, Suite, TrialOverrides

T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.+)`")
_STEP: Final = re.compile(r"\.(?P<key>[^.\[]+)|\[[^\]]*\]")


class Percent(float):
    """A fraction that a file writes as a percentage: ``5%``."""


Limits = dict[LimitMetric, Annotated[float, Meta(gt=0)]]
FailOn = Literal[
    "regressed", "over_limit", "invalid", "missing", "suspect", "inconclusive", "incomparable", "no_baseline"
]


class _Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping whose keys are all known."""


class EstimateKeys(_Keys, frozen=True, kw_only=True):
    """Constants of the estimate: watts of a busy core, and of the machine doing nothing."""

    watts_per_core: Annotated[float, Meta(gt=0)] = 5.0
    base_w: Annotated[float, Meta(ge=0)] = 0.0


class ScreenKeys(_Keys, frozen=True, kw_only=True):
    """When an unproven increase is `suspect`: its p-value below `p`, its size at least `effect`."""

    p: Annotated[float, Meta(gt=0, lt=1)] = 0.20
    effect: Percent = Percent(0.01)


class GateKeys(_Keys, frozen=True, kw_only=True):
    """What passes and what fails."""

    budget: Percent = Percent(0.05)
    min_effect: Percent = Percent(0.02)
    false_alarms: Percent = Percent(0.05)
    adjust: Literal["bh", "holm"] = "bh"
    fail_on: tuple[FailOn, ...] = ("regressed", "over_limit", "invalid")
    confidence: Percent = Percent(0.95)
    power: Percent = Percent(0.90)
    session_sd: Percent = Percent(0.015)
    session_sd_weight: Annotated[float, Meta(gt=0)] = 2.0
    window: PositiveCount = 10
    min_sessions: Annotated[int, Meta(ge=3)] = 3
    work_tolerance: Percent = Percent(0.01)
    screen: ScreenKeys = ScreenKeys()


class OverrideKeys(_Keys, frozen=True, kw_only=True):
    """What the benchmarks of one name pattern do differently."""

    budget: Percent | None = None
    min_effect: Percent | None = None
    trials: PositiveCount | None = None
    limit: Limits = {}


class MarkerKeys(_Keys, frozen=True, kw_only=True):
    """Arguments of `@pytest.mark.energy`."""

    trials: PositiveCount | None = None
    warmup: Annotated[int, Meta(ge=0)] | None = None
    min_time: PositiveSeconds | None = None
    budget: Percent | None = None
    min_effect: Percent | None = None
    limit: Limits = {}

    def as_trials(self) -> TrialOverrides:
        """The part that says how to measure."""
        return TrialOverrides(count=self.trials, warmup=self.warmup, min_time=self.min_time, min_time_gpu=self.min_time)


class ConfigFile(_Keys, frozen=True, kw_only=True):
    """A whole `energygate.yml`."""

    version: Literal[1]
    meters: Literal["auto"] | tuple[str, ...] = "auto"
    sysfs: str = "/sys"
    estimate: EstimateKeys = EstimateKeys()
    allow_estimates: bool = False
    baselines: Annotated[str, Meta(min_length=1)] = "baselines"
    trials: TrialOverrides = TrialOverrides()
    gate: GateKeys = GateKeys()
    limits: dict[str, Limits] = {}
    overrides: dict[str, OverrideKeys] = {}
    suites: tuple[str | Suite, ...] = ()


def convert(value: object, kind: type[T], *, origin: str, lines: dict[str, int] | None = None) -> T:
    """Turn plain YAML values into a struct.

    Parameters
    ----------
    origin : str
        What to name in messages: the file, or the marker.
    lines : mapping of path to line, optional
        Where each value stands in the file.

    Raises
    ------
    ConfigError
        Naming origin, line, path and what is allowed there.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        what, path = split_path(str(error))
        unknown = _UNKNOWN.fullmatch(what)
        if unknown:
            path, what = f"{path}.{unknown['key']}", "unknown key"
        line = (lines or {}).get(path)
        where = origin if line is None else f"{origin}:{line}"
        allowed = fields_at(kind, path.rpartition(".")[0]) if unknown else ()
        raise ConfigError(
            f"{where}: {path.removeprefix('$').removeprefix('.') or 'the file'}: {what}.",
            fix=f"Allowed here: {', '.join(allowed)}." if allowed else "",
        ) from error


def schema(kind: type) -> dict[str, Any]:
    """JSON Schema of a file's struct."""
    described = msgspec.json.schema(kind, schema_hook=_describe)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described}


def _decode(kind: type, value: object) -> object:
    if kind is Percent:
        return Percent(parse_percent(value))
    raise NotImplementedError(f"no file holds a {kind.__name__}")


def _describe(kind: type) -> dict[str, Any]:
    if kind is Percent:
        return {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$", "description": "a percentage, written 5%"}
    raise NotImplementedError(f"no file holds a {kind.__name__}")


def fields_at(kind: type, path: str) -> tuple[str, ...]:
    """Keys that a struct allows at a path such as ``$.gate``."""
    places = [msgspec.inspect.type_info(kind)]
    for step in _STEP.finditer(path.removeprefix("$")):
        places = [inner for place in places for inner in _inside(place, step["key"])]
    return tuple(dict.fromkeys(field.encode_name for place in places for field in _struct_fields(place)))


def _inside(place: msgspec.inspect.Type, key: str | None) -> list[msgspec.inspect.Type]:
    match place:
        case msgspec.inspect.StructType() if key is not None:
            return _alternatives([field.type for field in place.fields if field.encode_name == key])
        case msgspec.inspect.DictType():
            return _alternatives([place.value_type])
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return _alternatives([place.item_type])
    return []


def _alternatives(kinds: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    return [
        inner for kind in kinds for inner in (kind.types if isinstance(kind, msgspec.inspect.UnionType) else [kind])
    ]


def _struct_fields(place: msgspec.inspect.Type) -> tuple[msgspec.inspect.Field, ...]:
    return tuple(place.fields) if isinstance(place, msgspec.inspect.StructType) else ()
