"""A suite with a `matrix` becomes one suite for each combination of its values, before any of them is checked."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final, TypeVar

from msgspec import structs

from energygate.conversion import located
from energygate.errors import ConfigError
from energygate.workloads.suites.file import Suite
from energygate.workloads.text import printable

T = TypeVar("T", bound=Suite | str)
MOST: Final = 64
MOST_SUITES: Final = 1000
_DEEPEST: Final = 32
_LONGEST: Final = 64
_KEY: Final = "matrix"
_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_IN_SUITE: Final = re.compile(r"\$\.suites\[(\d+)\](.*)", re.DOTALL)
_FIXED: Final = frozenset({"name", "kind", _KEY})
# They may hold prompts or secrets, which no name shows.
_TEXTS: Final = re.compile(r"requests\.(system|prompts)|(args|env|server\.env|requests\.extra_body)(\..*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One suite of an expanded file.

    Attributes
    ----------
    index : int
        Which suite of the file it is made of.
    name : str or None
        What it is called; None where it has no matrix, and keeps its own name.
    places : mapping of path in the suite to path in the file's suite
        Where its values stand: ``load.concurrency`` in ``matrix.load.concurrency[1]``.
    """

    index: int
    name: str | None = None
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A file's document without any matrix, and where its suites come from."""

    document: Any
    variants: tuple[Variant, ...] = ()

    def place(self, path: str) -> str:
        """Where in the file the value stands that has this path in the document."""
        found = _IN_SUITE.fullmatch(path)
        if found is None or int(found[1]) >= len(self.variants):
            return path
        variant, rest = self.variants[int(found[1])], found[2]
        for inner, place in variant.places.items():
            if rest.startswith(f".{inner}") and rest[len(inner) + 1 : len(inner) + 2] in {"", ".", "["}:
                rest = f".{place}{rest[len(inner) + 1 :]}"
                break
        return f"$.suites[{variant.index}]{rest}"

    def named(self, suites: Sequence[T]) -> tuple[T, ...]:
        """Call each suite what its combination is called."""
        return tuple(
            suite if variant.name is None or isinstance(suite, str) else structs.replace(suite, name=variant.name)
            for suite, variant in zip(suites, self.variants, strict=True)
        )


def expand(document: object, *, origin: str, lines: Mapping[str, int]) -> Expanded:
    """Expand every matrix of a file.

    Parameters
    ----------
    document : object
        What the file holds, still unchecked. What is no list of suites is left to the reader.
    origin : str
        The file, for messages.
    lines : mapping of path to line

    Raises
    ------
    ConfigError
        If two suites share a name, or a matrix is not as it must be; names file, line and path.
    """
    if not isinstance(document, dict) or not isinstance(document.get("suites"), list):
        return Expanded(document=document)
    _refuse_shared_names(document["suites"], origin=origin)
    suites, variants = [], []
    for index, suite in enumerate(document["suites"]):
        if not isinstance(suite, dict) or suite.get(_KEY) is None:
            suites.append(suite)
            variants.append(Variant(index=index, places={}))
            continue
        reader = _Reader(suite=suite, index=index, origin=origin, lines=lines)
        for made, variant in reader.combinations():
            suites.append(made)
            variants.append(variant)
        if len(suites) > MOST_SUITES:
            raise ConfigError(
                f"{origin}: more than {MOST_SUITES} suites up to suites[{index}], each combination counted.",
                fix="Write fewer values, or several files.",
            )
    return Expanded(document=document | {"suites": suites}, variants=tuple(variants))


def labels_in(name: str) -> dict[str, str]:
    """What a benchmark's name says of its combination: ``FILE::chat[concurrency=8]`` gives ``{"concurrency": "8"}``."""
    inner = name.rpartition("::")[2].partition("[")[2].removesuffix("]")
    pairs = (part.partition("=") for part in inner.split(",") if part)
    return {key: value for key, _, value in pairs}


def _refuse_shared_names(suites: Sequence[object], *, origin: str) -> None:
    seen: dict[str, int] = {}
    for index, suite in enumerate(suites):
        name = suite.get("name") if isinstance(suite, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            shown = printable(name, limit=_LONGEST)
            raise ConfigError(
                f"{origin}: suites[{seen[name]}] and suites[{index}] are both named {shown!r}; rename one of them."
            )
        seen[name] = index


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads the matrix of one suite."""

    suite: dict[str, Any]
    index: int
    origin: str
    lines: Mapping[str, int]

    def combinations(self) -> Iterator[tuple[dict[str, Any], Variant]]:
        matrix = self._checked()
        shown = {path: self._shown(path, values) for path, values in matrix.items()}
        short = _short(list(matrix))
        bare = {key: value for key, value in self.suite.items() if key != _KEY}
        created = {above: f"{_KEY}.{path}" for path in matrix for above in self._created(bare, path)}
        for at in product(*(range(len(values)) for values in matrix.values())):
            chosen = dict(zip(matrix, at, strict=True))
            made = bare
            for path, which in chosen.items():
                made = self._with(made, path, path.split("."), matrix[path][which])
            words = ",".join(f"{short[path]}={shown[path][which]}" for path, which in chosen.items())
            places = {path: f"{_KEY}.{path}[{which}]" for path, which in chosen.items()}
            name = f"{self.suite.get('name')}[{words}]"
            yield made, Variant(index=self.index, name=name, places=places | created)

    def _checked(self) -> dict[str, list[Any]]:
        matrix = self.suite[_KEY]
        if not isinstance(matrix, dict) or not matrix:
            raise self._fault("", "must be a mapping such as `{load.concurrency: [1, 8]}`")
        for path, values in matrix.items():
            if not isinstance(path, str) or not _PATH.fullmatch(path):
                raise self._fault("", f"{printable(repr(path), limit=_LONGEST)} is no path such as load.concurrency")
            if path.count(".") >= _DEEPEST:
                shown = printable(path, limit=_LONGEST)
                raise self._fault("", f"{shown} leads through {path.count('.') + 1} keys, at most {_DEEPEST} are read")
            if path.split(".")[0] in _FIXED:
                raise self._fault(path, f"a matrix cannot vary {path.split('.')[0]}")
            if not isinstance(values, list) or not values:
                raise self._fault(path, "must be a list of at least one value")
            if above := next((other for other in matrix if path.startswith(f"{other}.")), None):
                raise self._fault(path, f"{above} is varied as a whole already")
        if (count := prod(len(values) for values in matrix.values())) > MOST:
            raise self._fault("", f"{count} combinations, at most {MOST} are measured")
        return matrix

    def _shown(self, path: str, values: list[Any]) -> list[str]:
        shown = [_word(path, values, at) for at in range(len(values))]
        if twice := next((word for word in shown if shown.count(word) > 1), None):
            raise self._fault(path, f"two of its values are named {twice}")
        return shown

    def _created(self, suite: dict[str, Any], path: str) -> Iterator[str]:
        """Give the mappings on the way to a value that only the matrix makes."""
        steps = path.split(".")
        here: Any = suite
        for depth, step in enumerate(steps[:-1], start=1):
            here = here.get(step) if isinstance(here, dict) else None
            if here is None:
                yield ".".join(steps[:depth])

    def _with(self, value: dict[str, Any], path: str, steps: list[str], new: object) -> dict[str, Any]:
        first, *rest = steps
        if not rest:
            return value | {first: new}
        inner = value.get(first, {})
        if not isinstance(inner, dict):
            raise self._fault(path, f"{first} is no mapping, so nothing in it can be varied")
        return value | {first: self._with(inner, path, rest, new)}

    def _fault(self, path: str, what: str) -> ConfigError:
        place = f"$.suites[{self.index}].{_KEY}" + (f".{path}" if path else "")
        return ConfigError(f"{located(self.origin, place, self.lines)}: {what}.")


def _short(paths: Sequence[str]) -> Mapping[str, str]:
    """Give the last part of each path, where no other has the same."""
    last = [path.rpartition(".")[2] for path in paths]
    return {path: word if last.count(word) == 1 else path for path, word in zip(paths, last, strict=True)}


def _word(path: str, values: list[Any], at: int) -> str:
    """How a name shows a value: itself where it is short and plain, else its position."""
    value = values[at]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and len(number := str(value)) <= _LONGEST:
        return number
    return value if isinstance(value, str) and _is_plain(value) and not _TEXTS.fullmatch(path) else f"#{at}"


def _is_plain(text: str) -> bool:
    # Brackets, commas and equals signs are the name's own; `::` parts a benchmark's name.
    fits = 0 < len(text) <= _LONGEST and text.isprintable() and text == text.strip()
    return fits and not text.startswith("#") and not any(mark in text for mark in ("[", "]", ",", "=", "::"))
