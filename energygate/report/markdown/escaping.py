"""Making foreign text fit for Markdown: every string that is not ours (benchmark, reason, label) is shown as code.

Inside code GitHub links no mention, no number of an issue, and no address.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final
from urllib.parse import quote

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SEPARATORS: Final = frozenset({"Zl", "Zp"})
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SHORT: Final = 12
_IN_ADDRESS: Final = ":/?#@!$&*+,;=%~"  # brackets and blanks would end a link


def code(text: str, limit: int = 80) -> str:
    """Show foreign text as code in one table cell: no markup, no line break, no invisible character."""
    return span(text, limit).replace("|", "\\|")


def span(text: str, limit: int = 80) -> str:
    """Show foreign text as code outside of tables, where a backslash before `|` would be shown too."""
    shown = _visible(text, limit)
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def element(text: str, limit: int = 80) -> str:
    """Show foreign text as code inside an HTML element, where Markdown is not parsed."""
    return f"<code>{html.escape(_visible(text, limit))}</code>"


def commit(name: str | None, repository_url: str = "") -> str:
    """Show a commit in 12 digits, as a link where the repository is known; what is no commit is only text."""
    shown = span((name or "no commit")[:_SHORT])
    if name is None or not repository_url or not _COMMIT.fullmatch(name):
        return shown
    return link(shown, f"{repository_url}/commit/{name}")


def link(shown: str, url: str) -> str:
    """Link a text that is fit to be shown."""
    return f"[{shown}]({quote(url, safe=_IN_ADDRESS)})"


def commands(typed: Iterable[str]) -> str:
    """Show lines that can be typed or copied as they stand."""
    return block(typed, language="sh")


def block(shown: Iterable[str], *, language: str = "text") -> str:
    """Show lines as they stand."""
    lines = list(shown)
    fence = "`" * max([3, *(_longest_run(line) + 1 for line in lines)])
    return "\n".join([f"{fence}{language}", *lines, fence])


def listed(items: Sequence[str], most: int) -> str:
    """Join the first few, and count the others."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return f"{', '.join(items[:most])}{more}"


def _visible(text: str, limit: int) -> str:
    spaced = "".join(" " if char.isspace() or unicodedata.category(char) in _SEPARATORS else char for char in text)
    shown = "".join(char for char in spaced if unicodedata.category(char) not in _INVISIBLE)
    shown = " ".join(shown.split()) or "(empty)"
    return shown if len(shown) <= limit else shown[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _longest_run(text: str) -> int:
    """How many backticks follow each other at most."""
    return max((len(list(run)) for char, run in groupby(text) if char == "`"), default=0)
