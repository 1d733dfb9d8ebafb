"""A report that nobody vouches for: what a fork's run wrote is data, bounded, and judged anew (docs/github.md#forks).

What it measured is taken as it says. What follows from that is not: the verdict, the counts and the exit code are made
here, by the functions that make them for a run of one's own. Its evidence is left out: whatever is published of such a
report shows none of it, so nothing has to be believed of it.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from energygate.errors import RelayRefused, split_path
from energygate.model import GateReport
from energygate.report.concluded import concluded
from energygate.report.soundness import SHALLOW, require_bounded, require_sound

_MOST_TEXT: Final = 500
_MOST_NOTES: Final = 50


def decode_foreign(data: bytes, head_sha: str) -> GateReport:
    """Read what a fork's run reported, as far as it keeps to the rules.

    Sentences are cut where they are too long: an honest one may quote a log. Evidence is left out, whatever it says.
    Anything else that is too long, too large, unknown or impossible is refused.

    Parameters
    ----------
    head_sha : str
        The commit that the run was of, as GitHub says.

    Raises
    ------
    RelayRefused
        Naming the rule that is broken.
    """
    try:
        plain = _printable(msgspec.to_builtins(_sentences_cut(_read(data))))
        require_bounded(plain)
    except RecursionError as error:
        raise RelayRefused(SHALLOW, "a document nested too deeply to be read") from error
    report = _typed(lambda: msgspec.convert(plain, GateReport))  # a pattern allows a newline at its end
    require_sound(report)
    if report.head.commit != head_sha:
        raise RelayRefused("a report describes the commit of its run", f"{report.head.commit}, not {head_sha}")
    return concluded(report)  # nothing stands that the comparisons do not say


def _typed(decode: Callable[[], GateReport]) -> GateReport:
    try:
        return decode()
    except msgspec.ValidationError as error:
        what, path = split_path(str(error))
        raise RelayRefused("a report is of schema energygate.report/1", f"{path}: {what}") from error


def _read(data: bytes) -> GateReport:
    """Decode, and refuse what decoding would pass over: keys that no report has, keys that are there twice."""
    try:
        text = data.decode()
        report = _typed(lambda: msgspec.json.decode(text, type=GateReport))
        given = json.loads(text, object_pairs_hook=_without_doubles)  # looks into what msgspec skips, too
    except (msgspec.DecodeError, ValueError) as error:
        raise RelayRefused("a report is one JSON document in UTF-8", str(error)) from error
    given.pop("evidence", None)
    report = structs.replace(report, evidence=())
    if unknown := next(_left_out(given, msgspec.to_builtins(report), "$"), None):
        raise RelayRefused("a report has no fields but those of its schema", f"an unknown field, {unknown}")
    return report


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise RelayRefused("no object of a report has a key twice", f"two keys called {twice}")
    return found


def _left_out(given: Any, read: Any, path: str) -> Iterator[str]:
    """Give the paths of what a document has and its decoded form has not.

    The option `forbid_unknown_fields` belongs to a type, and those of a report must read what a later version wrote,
    from a file of one's own.
    """
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in read:
                yield f"{path}.{key}"
            else:
                yield from _left_out(value, read[key], f"{path}.{key}")
    elif isinstance(given, list):
        for place, (value, kept) in enumerate(zip(given, read, strict=True)):
            yield from _left_out(value, kept, f"{path}[{place}]")


def _sentences_cut(report: GateReport) -> GateReport:
    rows = tuple(structs.replace(row, reason=_cut(row.reason), notes=_few(row.notes)) for row in report.comparisons)
    return structs.replace(report, comparisons=rows, warnings=_few(report.warnings), notes=_few(report.notes))


def _few(sentences: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(_cut(sentence) for sentence in sentences)
    if len(kept) <= _MOST_NOTES:
        return kept
    shown = kept[: _MOST_NOTES - 1]
    return (*shown, f"and {len(kept) - len(shown)} more, in the report of the run itself")


def _cut(sentence: str) -> str:
    return sentence if len(sentence) <= _MOST_TEXT else f"{sentence[: _MOST_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}"


def _printable(value: Any) -> Any:
    """Put a blank for each control character."""
    match value:
        case dict():
            return {_printable(key): _printable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_printable(inner) for inner in value]
        case str():
            return "".join(" " if unicodedata.category(char) == "Cc" else char for char in value)
        case _:
            return value
