"""How a shell shows text: in colour or not, how wide, in how much detail. The only place that decides it.

Colour follows https://no-color.org, https://force-color.org and what pytest does, in that order: a wish on the command
line, NO_COLOR, FORCE_COLOR, TERM=dumb, a terminal. A CI service whose log shows colours has no terminal; a variable of
its own tells it.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TextIO, TypedDict

WIDEST: Final = 140  # beyond it the eye loses the line
_SHOW_ANSI: Final = ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI")  # their logs do

Wish = Literal["yes", "no", "auto"]
Kind = Literal["terminal", "pipe", "file"]


class Manner(TypedDict):
    """What a renderer for terminals is told."""

    color: bool
    width: int | None
    verbose: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """How text is shown.

    Attributes
    ----------
    width : int or None
        Columns of the window; None where there is none: a log, a pipe, a file.
    verbose : bool
        Whether details are asked for.
    """

    color: bool = False
    width: int | None = None
    verbose: bool = False

    @classmethod
    def of(
        cls,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        verbose: bool = False,
        wish: Wish = "auto",
    ) -> Self:
        """Decide for a stream.

        Parameters
        ----------
        wish : str
            What the command line says of colour, if it says anything.
        """
        color = wish == "yes" if wish != "auto" else has_color(environ, kind_of(stream))
        return cls(color=color, width=width_of(stream, environ), verbose=verbose)

    @property
    def manner(self) -> Manner:
        """What a renderer for terminals is told."""
        return Manner(color=self.color, width=self.width, verbose=self.verbose)


def has_color(environ: Mapping[str, str], kind: Kind) -> bool:
    """Whether a stream of that kind shows colours, if nothing is said on the command line."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    if environ.get("TERM") == "dumb":
        return False
    return kind == "terminal" or (kind == "pipe" and any(environ.get(name) for name in _SHOW_ANSI))


def is_live(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether lines can be written over: a terminal in front of a person, not the log of a CI service."""
    return stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI")


def kind_of(stream: TextIO) -> Kind:
    """What a stream is. One without a descriptor is kept in memory, to be read later as a file is."""
    if stream.isatty():
        return "terminal"
    descriptor = _descriptor(stream)
    return "file" if descriptor is None or stat.S_ISREG(os.fstat(descriptor).st_mode) else "pipe"


def width_of(stream: TextIO, environ: Mapping[str, str]) -> int | None:
    """Columns to write for: as COLUMNS says, else those of the terminal, at most 140; None where nobody knows."""
    said = environ.get("COLUMNS", "")
    if said.isascii() and said.isdecimal() and int(said):
        return min(int(said), WIDEST)
    descriptor = _descriptor(stream) if stream.isatty() else None
    if descriptor is None:
        return None
    try:
        return min(os.get_terminal_size(descriptor).columns, WIDEST) or None
    except OSError:  # a terminal that does not say
        return None


def _descriptor(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (OSError, AttributeError):  # io.UnsupportedOperation is an OSError
        return None
