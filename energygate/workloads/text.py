"""Making foreign text fit to be shown: short, on one line, without control characters and without secrets."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_CHARS: Final = 300
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_COLOUR: Final = re.compile("\\x1b\\[[0-9;]*m")
_SHORTEST_PROMPT: Final = 4  # hiding every "a" of a message would hide the message
LONG_TEXT: Final = 16  # so many characters of a prompt in a row are no coincidence
_PIECE: Final = LONG_TEXT // 2
_FILE_NAME: Final = 80  # file systems allow 255 bytes in all
_READ_CHARS: Final = 8192  # far more than is shown, far less than a server may send


def printable(text: str, *, limit: int = MAX_CHARS) -> str:
    """One line of at most `limit` characters, each control, formatting or surrogate character turned into a blank."""
    cleaned = "".join(" " if unicodedata.category(char) in _UNPRINTABLE else char for char in _COLOUR.sub("", text))
    shown = " ".join(cleaned.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def ended(sentence: str) -> str:
    """Give a sentence with its full stop, if it does not end already."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


@dataclass(frozen=True, slots=True)
class Redactor:
    """Removes an API key and prompts from a server's text, which may echo either, whole or in part.

    Parameters
    ----------
    key : str or None
        Shown as ``***``.
    prompts : tuple of str
        Each run of 16 or more of their characters is shown as ``[prompt]``, shorter prompts where they occur whole;
        also where they are escaped for JSON, or blanks stand for line breaks.
    """

    key: str | None = field(default=None, repr=False)
    prompts: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, text: str) -> str:
        """Give the text, redacted and `printable`."""
        text = self.without_key(text)
        if len(text) > _READ_CHARS:
            text = text[:_READ_CHARS] + "…"
        return printable(_without_prompts(text, self.prompts))

    def hidden(self, text: str) -> str:
        """Give all of the text, redacted, with its line breaks: a prompt may go on over several lines."""
        return _without_prompts(self.without_key(text), self.prompts)

    def without_key(self, text: str) -> str:
        """Give the text with its key replaced, before any of it is cut off."""
        return text.replace(self.key, "***") if self.key else text


def _without_prompts(written: str, prompts: Iterable[str]) -> str:
    """Compare with one blank for each run of blanks and line breaks, on both sides."""
    gaps = [(gap.start(), gap.end()) for gap in re.finditer(r"\s+", written)]
    starts = [0, *(end for _, end in gaps)]
    ends = [*(start for start, _ in gaps), len(written)]
    text: list[str] = []
    origin: list[int] = []
    for start, end in zip(starts, ends, strict=True):
        text.append(written[start:end])
        origin += range(start, end + 1)  # of a gap, its first character stands for all
    origin[-1] = len(written)
    parts, last = [], 0
    for start, end in _covered(" ".join(text), prompts):
        parts += [written[last : origin[start]], "[prompt]"]
        last = origin[end - 1] + 1
    return "".join([*parts, written[last:]])


def _covered(text: str, prompts: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Give where parts of prompts stand in a text, from the first to behind the last character."""
    hidden = bytearray(len(text))
    runs = {text[at : at + LONG_TEXT] for at in range(len(text) - LONG_TEXT + 1)}
    pieces = {text[at : at + _PIECE] for at in range(len(text) - _PIECE + 1)}
    found: set[str] = set()
    for prompt in prompts:
        for form in _written_forms(prompt):
            if len(form) < LONG_TEXT:
                for match in re.finditer(re.escape(form), text):
                    hidden[match.start() : match.end()] = b"\1" * len(form)
            else:
                found.update(_common_runs(form, runs, pieces))
    for at in range(len(text) - LONG_TEXT + 1):
        if text[at : at + LONG_TEXT] in found:
            hidden[at : at + LONG_TEXT] = b"\1" * LONG_TEXT
    for covered in re.finditer(b"\1+", hidden):
        yield covered.span()


def _common_runs(form: str, runs: set[str], pieces: set[str]) -> Iterator[str]:
    # Every run holds a whole piece that begins at a multiple of its length, so most of a prompt is looked at just once.
    for piece in range(0, len(form) - _PIECE + 1, _PIECE):
        if form[piece : piece + _PIECE] in pieces:
            for at in range(max(piece - _PIECE, 0), min(piece, len(form) - LONG_TEXT) + 1):
                if (run := form[at : at + LONG_TEXT]) in runs:
                    yield run


def _written_forms(prompt: str) -> Iterable[str]:
    bare = prompt.strip()
    if len(bare) < _SHORTEST_PROMPT:
        return ()
    flat = " ".join(bare.split())
    plain = dict.fromkeys((bare, flat))
    escaped = [json.dumps(each, ensure_ascii=pure)[1:-1] for each in plain for pure in (True, False)]
    return dict.fromkeys((flat, *(each if each == flat else " ".join(each.split()) for each in escaped)))


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a value of a suite file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)


def for_file_name(name: str) -> str:
    """Give a benchmark's name as part of a file's: models are called `owner/model`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_FILE_NAME]


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """Replace ``{port}``, ``{python}`` and the like; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
