"""Text for a terminal that has no character for some of it: an ASCII spelling stands in its place."""

import codecs
from typing import Final

PLAINLY: Final = "energygate.plain"
"""The name under which `plainly` is registered where it is used."""

_PLAIN: Final = {
    "…": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "±": "+/-",
    "µ": "u",
    "≤": "<=",
    "≥": ">=",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
}


def plainly(error: UnicodeError) -> tuple[str, int]:
    """Spell what an encoding has no character for: a handler of errors, as `codecs` wants it."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return "".join(_PLAIN.get(char) or ascii(char)[1:-1] for char in found), error.end


def spelt_in(encoding: str, text: str) -> str:
    """Give a text with nothing in it that the encoding has no character for."""
    codecs.register_error(PLAINLY, plainly)
    return text.encode(encoding, PLAINLY).decode(encoding)
