"""A text as it is meant: without the escapes of JSON, HTML, URLs and Python's bytes, one blank for any gap.

Whoever quotes a text may have escaped it, and its quote may be quoted again: so escapes are undone twice.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_ESCAPES: Final = re.compile(  # each way begins with a character of few, which makes the search fast
    r"\\(?:x[0-9A-Fa-f]{2}(?:\\x[0-9A-Fa-f]{2})*"  # whole runs, because a character of UTF-8 takes up to four
    r"|u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})*|[nrtbf\"'/\\])"
    r"|%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
)
_GAPS: Final = re.compile(r"\s+")
_SHORT: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

_Piece = tuple[str, int]  # what is meant, and how many characters it takes where it is written


def readings(text: str) -> tuple[str, ...]:
    """Give what a text may mean: as it is, or if it should hold escapes itself, without them."""
    once = _ESCAPES.sub(_meaning, text)
    meanings = (text,) if once == text else (text, once, _ESCAPES.sub(_meaning, once))
    return tuple(dict.fromkeys(" ".join(each.split()) for each in meanings))


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text means, and where each character of that is written.

    Attributes
    ----------
    starts, ends : list of int
        From the first to behind the last character of what stands for it.
    """

    text: str
    starts: list[int]
    ends: list[int]


def meant(written: str) -> Meant:
    """Read what is written."""
    found = Meant(written, list(range(len(written))), list(range(1, len(written) + 1)))
    for pattern, meaning in ((_ESCAPES, _pieces), (_ESCAPES, _pieces), (_GAPS, _blank)):
        found = _replaced(found, pattern, meaning)
    return found


def _replaced(found: Meant, pattern: "re.Pattern[str]", meaning: Callable[[str], Iterator[_Piece]]) -> Meant:
    """Put what the matches of a pattern mean in their place."""
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for match in pattern.finditer(found.text):
        at = match.start()
        text.append(found.text[last:at])
        starts += found.starts[last:at]
        ends += found.ends[last:at]
        for piece, length in meaning(match.group()):
            text.append(piece)
            starts += [found.starts[at]] * len(piece)
            ends += [found.ends[at + length - 1]] * len(piece)
            at += length
        last = match.end()
    text.append(found.text[last:])
    return Meant("".join(text), starts + found.starts[last:], ends + found.ends[last:])


def _meaning(match: "re.Match[str]") -> str:
    return "".join(piece for piece, _ in _pieces(match.group()))


def _pieces(escape: str) -> Iterator[_Piece]:
    match escape[:2]:
        case "\\x":
            yield from _of_bytes(escape.replace("\\x", ""), width=4)
        case "\\u":
            units = bytes.fromhex(escape.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
            yield from ((char, 12 if ord(char) > 0xFFFF else 6) for char in units)
        case start if start[0] == "%":
            yield from _of_bytes(escape.replace("%", ""), width=3)
        case start if start[0] == "&":
            yield html.unescape(escape), len(escape)
        case _:
            yield _SHORT.get(escape[1], escape[1]), 2


def _of_bytes(digits: str, *, width: int) -> Iterator[_Piece]:
    for char in bytes.fromhex(digits).decode(errors="surrogateescape"):
        size = len(char.encode(errors="surrogateescape"))
        is_byte = 0xDC80 <= ord(char) <= 0xDCFF  # no UTF-8, so it is what it was in Latin-1
        yield chr(ord(char) - 0xDC00) if is_byte else char, size * width


def _blank(gap: str) -> Iterator[_Piece]:
    yield " ", len(gap)
