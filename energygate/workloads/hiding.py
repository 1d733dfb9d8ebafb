"""Finding secrets in a text that may hold them whole or in part, escaped or not."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from energygate.workloads.escapes import meant, readings

_HEARD_CHARS: Final = 2**20  # a log is shown from its last 64 KiB on
_MARKS: Final = re.compile("([^\0])\\1*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Texts of one kind.

    Parameters
    ----------
    shown : str
        What stands in their place.
    run : int
        So many of their characters in a row are hidden. What is shorter is hidden where it stands whole.
    shortest : int
        What is shorter still is not hidden: hiding every "a" of a message would hide the message.
    """

    texts: Iterable[str]
    shown: str
    run: int
    shortest: int = 1


class Heard:
    """What a model has answered of late: a server may write it in its errors and its log."""

    def __init__(self) -> None:
        self._texts: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def add(self, texts: Iterable[str]) -> None:
        """Take texts, the latest first. A million characters are remembered, without repetitions."""
        kept: dict[str, None] = {}
        left = _HEARD_CHARS
        for text in chain(texts, self._texts):
            if text and text not in kept:
                kept[text[:left]] = None
                left -= len(text)
            if left <= 0:
                break
        self._texts = tuple(kept)


def without_secrets(written: str, kinds: tuple[Secrets, ...]) -> str:
    """Give a text without its secrets; where kinds overlap, the last of them is shown."""
    read = meant(written)
    marks = ["\0"] * len(read.text)
    for number, secrets in enumerate(kinds, start=1):
        for start, end in _covered(read.text, secrets):
            marks[start:end] = chr(number) * (end - start)
    parts, last = [], 0
    for found in _MARKS.finditer("".join(marks)):
        parts += [written[last : read.starts[found.start()]], kinds[ord(found[1]) - 1].shown]
        last = read.ends[found.end() - 1]
    return "".join([*parts, written[last:]])


def _covered(text: str, secrets: Secrets) -> Iterator[tuple[int, int]]:
    """Give where parts of them stand, each from its first to behind its last character; they may overlap."""
    size = secrets.run
    runs = {text[at : at + size] for at in range(len(text) - size + 1)}
    pieces = {text[at : at + size // 2] for at in range(len(text) - size // 2 + 1)}
    found: set[str] = set()
    for form in (form for secret in secrets.texts for form in readings(secret)):
        if len(form) >= size:
            found.update(_common_runs(form, runs, pieces, size=size))
        elif len(form) >= secrets.shortest:
            yield from (match.span() for match in re.finditer(re.escape(form), text))
    for at in range(len(text) - size + 1):
        if text[at : at + size] in found:
            yield at, at + size


def _common_runs(form: str, runs: set[str], pieces: set[str], *, size: int) -> Iterator[str]:
    # Every run holds a whole piece that begins at a multiple of its length, so most of a text is looked at just once.
    half = size // 2
    for piece in range(0, len(form) - half + 1, half):
        if form[piece : piece + half] in pieces:
            for at in range(max(piece - half, 0), min(piece, len(form) - size) + 1):
                if (run := form[at : at + size]) in runs:
                    yield run
