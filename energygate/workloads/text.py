"""Making foreign text fit to be shown: short, on one line, without control characters and without secrets."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from energygate.workloads.hiding import Heard, Secrets, without_secrets

MAX_CHARS: Final = 300
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_COLOUR: Final = re.compile("\\x1b\\[[0-9;]*m")
_SHORTEST: Final = 4
LONG_TEXT: Final = 16  # so many characters of a prompt in a row are no coincidence
_KEY_CHARS: Final = 8  # servers show the beginning of a wrong key, or its end
_KEY: Final = "***"
# What llama.cpp cannot parse is an answer, and none of it may have been sent.
_UNPARSED: Final = re.compile(r"(Failed to parse input at pos \d+:).+", re.DOTALL)
_UNPARSED_LINE: Final = re.compile(r"(Failed to parse input at pos \d+:).+")
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
    """Removes an API key, prompts and answers from a server's text, which may hold them, whole or in part.

    They are found as they are, escaped (see `energygate.workloads.escapes`), and with other blanks or line breaks.

    Parameters
    ----------
    key : str or None
        Each run of 8 or more of its characters is shown as ``***``, a shorter key where it stands whole.
    prompts : tuple of str
        Each run of 16 or more of their characters is shown as ``[prompt]``, shorter prompts where they stand whole.
    heard : Heard
        What the model has answered, shown as ``[answer]`` in the same way.
    """

    key: str | None = field(default=None, repr=False)
    prompts: tuple[str, ...] = field(default=(), repr=False)
    heard: Heard = field(default_factory=Heard, repr=False)

    def __call__(self, text: str) -> str:
        """Give the text, redacted and `printable`."""
        text = self.without_key(text)
        if len(text) > _READ_CHARS:
            text = text[:_READ_CHARS] + "…"
        return printable(self._without_secrets(_UNPARSED.sub(r"\1 [answer]", text)))

    def hidden(self, text: str) -> str:
        """Give all of the text, redacted, with its line breaks: a prompt may go on over several lines."""
        return self._without_secrets(_UNPARSED_LINE.sub(r"\1 [answer]", self.without_key(text)))

    def without_key(self, text: str) -> str:
        """Give the text with its whole key replaced, before any of it is cut off."""
        return text.replace(self.key, _KEY) if self.key else text

    def _without_secrets(self, text: str) -> str:
        answers = Secrets(texts=self.heard, shown="[answer]", run=LONG_TEXT, shortest=_SHORTEST)
        prompts = Secrets(texts=self.prompts, shown="[prompt]", run=LONG_TEXT, shortest=_SHORTEST)
        key = Secrets(texts=() if self.key is None else (self.key,), shown=_KEY, run=_KEY_CHARS)
        return without_secrets(text, (answers, prompts, key))


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
