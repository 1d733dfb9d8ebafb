"""Making foreign text fit to be shown: short, on one line, without control characters and without secrets."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_CHARS: Final = 300
_COLOUR: Final = re.compile("\\x1b\\[[0-9;]*m")
_SHORTEST_PROMPT: Final = 4  # hiding every "a" of a message would hide the message


def printable(text: str, *, limit: int = MAX_CHARS) -> str:
    """One line of at most `limit` characters, each control or formatting character turned into a blank."""
    cleaned = "".join(
        " " if unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} else char for char in _COLOUR.sub("", text)
    )
    shown = " ".join(cleaned.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@dataclass(frozen=True, slots=True)
class Redactor:
    """Removes an API key and prompts from a server's text, which may echo either.

    Parameters
    ----------
    key : str or None
        Shown as ``***``.
    prompts : tuple of str
        Shown as ``[prompt]``, also where they are escaped for JSON.
    """

    key: str | None = field(default=None, repr=False)
    prompts: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, text: str) -> str:
        """Give the text, redacted and `printable`."""
        if self.key:
            text = text.replace(self.key, "***")
        for prompt in sorted(self.prompts, key=len, reverse=True):
            for form in _written_forms(prompt):
                text = text.replace(form, "[prompt]")
        return printable(text)


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
