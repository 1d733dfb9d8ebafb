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
_RUN: Final = 16  # so many characters of a prompt in a row are no coincidence
_PIECE: Final = _RUN // 2
_READ_CHARS: Final = 8192  # far more than is shown, far less than a server may send


def printable(text: str, *, limit: int = MAX_CHARS) -> str:
    """One line of at most `limit` characters, each control, formatting or surrogate character turned into a blank."""
    cleaned = "".join(" " if unicodedata.category(char) in _UNPRINTABLE else char for char in _COLOUR.sub("", text))
    shown = " ".join(cleaned.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Redactor:
    """Removes an API key and prompts from a server's text, which may echo either, whole or in part.

    Parameters
    ----------
    key : str or None
        Shown as ``***``.
    prompts : tuple of str
        Each run of 16 or more of their characters is shown as ``[prompt]``, shorter prompts where they occur whole;
        also where they are escaped for JSON.
    """

    key: str | None = field(default=None, repr=False)
    prompts: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, text: str) -> str:
        """Give the text, redacted and `printable`."""
        if self.key:
            text = text.replace(self.key, "***")
        if len(text) > _READ_CHARS:
            text = text[:_READ_CHARS] + "…"
        return printable(_without_prompts(text, self.prompts))


def _without_prompts(text: str, prompts: Iterable[str]) -> str:
    hidden = bytearray(len(text))
    runs = {text[at : at + _RUN] for at in range(len(text) - _RUN + 1)}
    pieces = {text[at : at + _PIECE] for at in range(len(text) - _PIECE + 1)}
    found: set[str] = set()
    for prompt in prompts:
        for form in _written_forms(prompt):
            if len(form) < _RUN:
                for match in re.finditer(re.escape(form), text):
                    hidden[match.start() : match.end()] = b"\1" * len(form)
            else:
                found.update(_common_runs(form, runs, pieces))
    for at in range(len(text) - _RUN + 1):
        if text[at : at + _RUN] in found:
            hidden[at : at + _RUN] = b"\1" * _RUN
    parts, end = [], 0
    for covered in re.finditer(b"\1+", hidden):
        parts += [text[end : covered.start()], "[prompt]"]
        end = covered.end()
    return "".join([*parts, text[end:]])


def _common_runs(form: str, runs: set[str], pieces: set[str]) -> Iterator[str]:
    # Every run holds a whole piece that begins at a multiple of its length, so most of a prompt is looked at just once.
    for piece in range(0, len(form) - _PIECE + 1, _PIECE):
        if form[piece : piece + _PIECE] in pieces:
            for at in range(max(piece - _PIECE, 0), min(piece, len(form) - _RUN) + 1):
                if (run := form[at : at + _RUN]) in runs:
                    yield run


def _written_forms(prompt: str) -> Iterable[str]:
    bare = prompt.strip()
    if len(bare) < _SHORTEST_PROMPT:
        return ()
    return dict.fromkeys((bare, json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1]))


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """Replace ``{port}``, ``{python}`` and the like; other braces stay as they are."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
