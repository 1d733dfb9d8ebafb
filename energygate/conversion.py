"""Plain values, as YAML gives them, into structs. A fault is named by file, line, path and what is allowed there."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self, TypeVar

import msgspec

from energygate.errors import ConfigError, split_path
from energygate.units import parse_percent

T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<key>.+)`", re.DOTALL)
_QUOTED: Final = re.compile(r"(?P<what>Invalid enum value) '(?P<value>.*)'", re.DOTALL)
_WORD: Final = re.compile(r"[\w.+-]{1,64}")  # what is none may be a prompt in the wrong place
_MISSING: Final = re.compile(r"Object missing required field `(?P<key>.+)`")
_OTHER_TYPE: Final = re.compile(r"Expected `.+`, got `.+`")
# As JSON and Python write small numbers. YAML 1.1 wants a dot before the exponent, and a sign in it.
_EXPONENT: Final = re.compile(r"([-+]?\d{1,20})(\.\d{0,20})?[eE]([-+]?)(\d{1,3})")
_OTHER_FORM: Final = re.compile(r"Expected `str` matching regex .+", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")


class Percent(float):
    """A fraction that a file writes as a percentage: ``5%``."""


def percent(fraction: float) -> Any:
    """Give a default. A factory, because JSON Schema cannot show a default of a type that msgspec does not know."""
    return msgspec.field(default_factory=lambda: Percent(fraction))


def convert(
    value: object,
    kind: type[T],
    *,
    origin: str,
    lines: Mapping[str, int] | None = None,
    place: Callable[[str], str] = str,
) -> T:
    """Turn plain YAML values into a struct.

    Parameters
    ----------
    origin : str
        What to name in messages: the file, or the marker.
    lines : mapping of path to line, optional
        Where each value stands in the file.
    place : callable
        Turns a path in `value` into the path in the file, where these differ.

    Raises
    ------
    ConfigError
        Naming origin, line, path and what is allowed there.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        fault = _Fault.of(str(error), value, kind)
        raise ConfigError(
            f"{located(origin, place(fault.path), lines or {})}: {fault.what}.",
            fix=f"Allowed here: {', '.join(fault.allowed)}." if fault.allowed else "",
        ) from error


def located(origin: str, path: str, lines: Mapping[str, int]) -> str:
    """Name a place in a file: ``a.energy.yml:7: suites[0].load``, with the line of what is nearest above it."""
    above = path
    while above not in lines and above != "$":
        above = above[: max(above.rfind("."), above.rfind("["))]
    where = f"{origin}:{lines[above]}" if above in lines else origin
    return f"{where}: {path.removeprefix('$').removeprefix('.') or 'the file'}"


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
            if not _WORD.fullmatch(unknown["key"]):
                return cls(what="an unknown key", path=place.path, allowed=place.keys)
            return cls(what="unknown key", path=f"{place.path}.{unknown['key']}", allowed=place.keys)
        if (quoted := _QUOTED.fullmatch(what)) and not _WORD.fullmatch(quoted["value"]):
            what = quoted["what"]
        if missing := _MISSING.fullmatch(what):
            return cls(what=what, path=place.path, allowed=place.entry(missing["key"]).tags)
        if place.described and _OTHER_FORM.fullmatch(what):
            return cls(what="not as it must be written", path=place.path, allowed=place.described)
        if _OTHER_TYPE.fullmatch(what):
            if isinstance(place.value, str) and "`float" in what and (number := _EXPONENT.fullmatch(place.value)):
                what = f"YAML takes {number[0]} for a text: write {_with_dot_and_sign(number)}"
            return cls(what=what, path=place.path, allowed=place.described)
        return cls(what=what, path=place.path, allowed=place.choices if what.startswith("Invalid") else ())


def _with_dot_and_sign(number: re.Match[str]) -> str:
    whole, fraction, sign, exponent = number.groups()
    return f"{whole}{fraction or '.0'}e{sign or '+'}{exponent}"


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
    """A value in a file, its path, and the types that may stand there, some of which are described in words."""

    path: str
    value: Any
    kinds: list[msgspec.inspect.Type]
    tags: tuple[str, ...] = ()
    described: tuple[str, ...] = ()

    def item(self, at: int) -> "_Place":
        """An item of a list."""
        inner = [k.item_type for k in self.kinds if isinstance(k, msgspec.inspect.VarTupleType)]
        return _Place(
            path=f"{self.path}[{at}]", value=self.value[at], kinds=_alternatives(inner), described=_described(inner)
        )

    def entry(self, key: str) -> "_Place":
        """What stands under a key, or would."""
        inner = [k.value_type for k in self.kinds if isinstance(k, msgspec.inspect.DictType)]
        inner += [field.type for struct in self._structs for field in struct.fields if field.encode_name == key]
        tags = tuple(str(struct.tag) for struct in self._structs if struct.tag_field == key)
        return _Place(
            path=f"{self.path}.{key}",
            value=self.value.get(key),
            kinds=_alternatives(inner),
            tags=tags,
            described=_described(inner),
        )

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
        switches = ["true", "false"] if any(isinstance(kind, msgspec.inspect.BoolType) for kind in self.kinds) else []
        return (*self.tags, *words, *switches, *(self.described or lists))

    @property
    def _structs(self) -> list[msgspec.inspect.StructType]:
        """Those that may stand here; where a tag says which one, only that."""
        found = [kind for kind in self.kinds if isinstance(kind, msgspec.inspect.StructType)]
        tagged = [s for s in found if s.tag_field and self.value.get(s.tag_field) == s.tag]
        return tagged or found


def _fields(struct: msgspec.inspect.StructType) -> list[str]:
    return [field.encode_name for field in struct.fields]


def _described(kinds: Iterable[msgspec.inspect.Type]) -> tuple[str, ...]:
    """Give the descriptions of types, which their JSON Schema holds too."""
    found: list[str] = []
    for kind in kinds:
        bare = kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
        if isinstance(kind, msgspec.inspect.Metadata) and "description" in (kind.extra_json_schema or {}):
            found.append((kind.extra_json_schema or {})["description"])
        elif isinstance(bare, msgspec.inspect.UnionType):
            found += _described(bare.types)
    return tuple(found)


def _alternatives(kinds: Iterable[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    """Look behind unions and the notes on a type."""
    found: list[msgspec.inspect.Type] = []
    for kind in kinds:
        bare = kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
        found += _alternatives(bare.types) if isinstance(bare, msgspec.inspect.UnionType) else [bare]
    return found
