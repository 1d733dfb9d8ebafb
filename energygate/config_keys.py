"""What `energygate.yml` and the marker may say. The structs refuse unknown keys and impossible values by path."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import msgspec
from msgspec import Meta, Struct

from energygate.errors import ConfigError, split_path
from energygate.units import format_percent, parse_percent
from energygate.workloads.suites import LimitMetric, PositiveCount, PositiveSeconds, Suite, TrialOverrides

T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.+)`")
_STEP: Final = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_METER: Final = "^(auto|rapl|nvml|estimate|replay:.+)$"


class Percent(float):
    """A fraction that a file writes as a percentage: ``5%``."""


def _percent(fraction: float) -> Any:
    """Give a default. A factory, because JSON Schema cannot show a default of a type that msgspec does not know."""
    return msgspec.field(default_factory=lambda: Percent(fraction))


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
    effect: Percent = _percent(0.01)


class GateKeys(_Keys, frozen=True, kw_only=True):
    """What passes and what fails."""

    budget: Percent = _percent(0.05)
    min_effect: Percent = _percent(0.02)
    false_alarms: Percent = _percent(0.05)
    adjust: Literal["bh", "holm"] = "bh"
    fail_on: tuple[FailOn, ...] = ("regressed", "over_limit", "invalid")
    confidence: Percent = _percent(0.95)
    power: Percent = _percent(0.90)
    session_sd: Percent = _percent(0.015)
    session_sd_weight: Annotated[float, Meta(gt=0)] = 2.0
    window: PositiveCount = 10
    min_sessions: Annotated[int, Meta(ge=3)] = 3
    work_tolerance: Percent = _percent(0.01)
    screen: ScreenKeys = msgspec.field(default_factory=ScreenKeys)

    def __post_init__(self) -> None:
        # Outside these bounds a "bound" would lie on the wrong side of what it bounds, or nothing could ever be proven.
        for name, least in (("false_alarms", 0.0), ("confidence", 0.5), ("power", 0.5), ("session_sd", 0.0)):
            fraction = getattr(self, name)
            if not least < fraction < 1:
                raise ValueError(
                    f"{name} must be above {format_percent(least)} and below 100 %, got {format_percent(fraction)}"
                )


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
    meters: Literal["auto"] | Annotated[tuple[Annotated[str, Meta(pattern=_METER)], ...], Meta(min_length=1)] = "auto"
    sysfs: str = "/sys"
    estimate: EstimateKeys = EstimateKeys()
    allow_estimates: bool = False
    baselines: Annotated[str, Meta(min_length=1)] = "baselines"
    trials: TrialOverrides = TrialOverrides()
    gate: GateKeys = msgspec.field(default_factory=GateKeys)
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
        fault = _Fault.of(str(error), value, kind)
        line = (lines or {}).get(fault.path)
        where = origin if line is None else f"{origin}:{line}"
        raise ConfigError(
            f"{where}: {fault.path.removeprefix('$').removeprefix('.') or 'the file'}: {fault.what}.",
            fix=f"Allowed here: {', '.join(fault.allowed)}." if fault.allowed else "",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """What msgspec found wrong, where, and what would be allowed there."""

    what: str
    path: str
    allowed: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: str, value: object, kind: type) -> Self:
        """Work out the place that a message speaks of: msgspec writes `[...]` for every key of a mapping."""
        what, path = split_path(message)
        place = _Place(path="$", value=value, kinds=_alternatives([msgspec.inspect.type_info(kind)]))
        whole: Callable[[object], object] = _itself  # puts another value in this place, and gives the whole document
        for step in _STEP.finditer(path):
            here: Any = place.value
            if step["index"]:
                at = int(step["index"])
                whole = _within(whole, partial(_with_item, here, at))
                place = place.item(at)
                continue
            key = step["key"] or next(k for k in here if _complaint(whole({k: here[k]}), kind) == message)
            whole = _within(whole, partial(_with_entry, here, key))
            place = place.entry(key)
        if unknown := _UNKNOWN.fullmatch(what):
            return cls(what="unknown key", path=f"{place.path}.{unknown['key']}", allowed=place.keys)
        return cls(what=what, path=place.path, allowed=place.choices if what.startswith("Invalid") else ())


def _within(outer: Callable[[object], object], inner: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: outer(inner(value))


def _itself(value: object) -> object:
    return value


def _with_item(items: list[object], at: int, inner: object) -> object:
    return [*items[:at], inner, *items[at + 1 :]]


def _with_entry(entries: dict[str, object], key: str, inner: object) -> object:
    return {**entries, key: inner}


def _complaint(value: object, kind: type) -> str:
    try:
        msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A value in a file, its path, and the types that may stand there."""

    path: str
    value: Any
    kinds: list[msgspec.inspect.Type]
    tags: tuple[str, ...] = ()

    def item(self, at: int) -> "_Place":
        """An item of a list."""
        inner = [k.item_type for k in self.kinds if isinstance(k, msgspec.inspect.VarTupleType)]
        return _Place(path=f"{self.path}[{at}]", value=self.value[at], kinds=_alternatives(inner))

    def entry(self, key: str) -> "_Place":
        """What stands under a key."""
        inner = [k.value_type for k in self.kinds if isinstance(k, msgspec.inspect.DictType)]
        inner += [field.type for struct in self._structs for field in struct.fields if field.encode_name == key]
        tags = tuple(str(struct.tag) for struct in self._structs if struct.tag_field == key)
        return _Place(path=f"{self.path}.{key}", value=self.value[key], kinds=_alternatives(inner), tags=tags)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that a struct has here."""
        names = [n for s in self._structs for n in (*([s.tag_field] if s.tag_field else []), *_fields(s))]
        return tuple(dict.fromkeys(names))

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that are allowed here, or as keys here."""
        own = [kind for kind in self.kinds if isinstance(kind, msgspec.inspect.LiteralType)]
        keys = [kind.key_type for kind in self.kinds if isinstance(kind, msgspec.inspect.DictType)]
        words = [str(v) for k in (*own, *keys) if isinstance(k, msgspec.inspect.LiteralType) for v in k.values]
        lists = ["a list" for kind in self.kinds if isinstance(kind, msgspec.inspect.VarTupleType)]
        return (*self.tags, *words, *lists)

    @property
    def _structs(self) -> list[msgspec.inspect.StructType]:
        """Those that may stand here; where a tag says which one, only that."""
        found = [kind for kind in self.kinds if isinstance(kind, msgspec.inspect.StructType)]
        tagged = [s for s in found if s.tag_field and self.value.get(s.tag_field) == s.tag]
        return tagged or found


def _fields(struct: msgspec.inspect.StructType) -> list[str]:
    return [field.encode_name for field in struct.fields]


def _alternatives(kinds: Iterable[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    """Look behind unions and the notes on a type."""
    found: list[msgspec.inspect.Type] = []
    for kind in kinds:
        bare = kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
        found += _alternatives(bare.types) if isinstance(bare, msgspec.inspect.UnionType) else [bare]
    return found
