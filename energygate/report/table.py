"""A table of benchmarks on a terminal: a line for each, and sentences below it.

A benchmark's name is a node id, which is long, and a log is searched for it line by line. So it is never cut or broken,
and always stands on one line with its verdict: beside the figures where it fits, else above them, whose columns stay
the same. A table of rich cuts or folds what is too long for its column, and no cell of it can run on over the next
ones: only the measuring of widths is rich's.
"""

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.cells import cell_len
from rich.text import Text

NARROWEST: Final = 80  # what a table is made for where nobody knows the window
_GAP: Final = 2
_BENCHMARK: Final = "benchmark"
_HANGING: Final = 4
_LEAST: Final = 20  # narrower, a sentence is a column of single words
# A number and its unit; a p-value, the sign before a number.
_BOUND: Final = re.compile(r"(?<=\d) |(?<=\bp) (?=[<\d])|(?<=[<>\u00d7]) (?=\d)")
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of figures; `gap` is how far it stands from what is on its left."""

    head: str
    justify: Literal["left", "right"] = "right"
    gap: int = _GAP

    def placed(self, cell: Text, width: int) -> Text:
        """Give the cell as wide as the column, with its gap."""
        missing = " " * (width - cell.cell_len)
        left, right = (missing, "") if self.justify == "right" else ("", missing)
        return Text.assemble(" " * self.gap, left, cell, right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One benchmark.

    Attributes
    ----------
    word : Text
        What was found, in a word.
    figures : tuple of tuple of Text
        A cell for each column, line by line; none where nothing is known in numbers.
    below : tuple of Text
        Sentences.
    """

    word: Text
    name: str
    figures: tuple[tuple[Text, ...], ...] = ()
    below: tuple[Text, ...] = ()


def harmless(text: str) -> str:
    """Keep a name or reason from a file from steering the terminal: no control or invisible characters."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    kept = "".join(char for char in spaced if unicodedata.category(char) not in _UNPRINTABLE)
    return kept.replace("##[", "## [")  # a CI runner takes that for a command, anywhere in a line of its log


def sentence(text: str, *, width: int | None, style: str = "", indent: int = 0, hanging: int = _HANGING) -> Text:
    """Break a sentence at its words, later lines further in; in one line where nobody knows the window.

    A log has no window, and is searched line by line.
    """
    text = harmless(text)
    if width is None:
        return Text(f"{' ' * indent}{text}", style=style)
    bound = _BOUND.sub("\N{NO-BREAK SPACE}", text)
    lines = textwrap.wrap(
        bound,
        max(width, indent + hanging + _LEAST),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text("\n".join(lines).replace("\N{NO-BREAK SPACE}", " "), style=style)


def table(first: str, columns: Sequence[Column], entries: Sequence[Entry], *, width: int | None) -> Iterator[Text]:
    """Give the lines of a table; columns of which every cell is empty are left out.

    Parameters
    ----------
    first : str
        What stands above the words.
    width : int or None
        Of the window; None where nobody knows it.
    """
    layout = _Layout.of(first, columns, entries, width=width or NARROWEST)
    if layout.kept:
        yield from layout.headings(first)
    for entry in entries:
        yield from layout.lines(entry)
        yield from (_below(each, layout.indent, width) for each in entry.below)


def _below(said: Text, indent: int, width: int | None) -> Text:
    return sentence(said.plain, width=width, style=str(said.style), indent=indent, hanging=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How wide everything is.

    Attributes
    ----------
    kept : tuple of (int, Column, int)
        The place, the column and the width of those that are shown.
    names : int
        How wide the column of names is; 0 where every name stands above its figures.
    indent : int
        Where figures and sentences begin: below the words only where the window is too narrow for that.
    """

    words: int
    names: int
    indent: int
    kept: tuple[tuple[int, Column, int], ...]

    @classmethod
    def of(cls, first: str, columns: Sequence[Column], entries: Sequence[Entry], *, width: int) -> "_Layout":
        lines = [line for entry in entries for line in entry.figures]
        widths = [max((line[at].cell_len for line in lines), default=0) for at in range(len(columns))]
        kept = tuple(
            (at, column, max(widths[at], cell_len(column.head))) for at, column in enumerate(columns) if widths[at]
        )
        words = max([cell_len(first), *(entry.word.cell_len for entry in entries)]) + _GAP
        figures = sum(column.gap + wide for _, column, wide in kept)
        room = width - words - figures
        fitting = [wide for entry in entries if entry.figures and (wide := _width(entry.name)) <= room]
        names = max(cell_len(_BENCHMARK), *fitting) if fitting else 0
        return cls(
            words=words,
            names=names if names <= room else 0,
            indent=words if words + figures - _GAP <= width else _GAP,
            kept=kept,
        )

    def headings(self, first: str) -> Iterator[Text]:
        """Give what stands above the columns; where figures stand below words, those have a line of their own."""
        is_below = self.indent != self.words
        if is_below:
            yield Text(f"{_padded(first, self.words)}{_BENCHMARK}", style="dim")
        heads = (Text(column.head) for _, column, _ in self.kept)
        cells = [column.placed(head, wide) for head, (_, column, wide) in zip(heads, self.kept, strict=True)]
        name = _padded(_BENCHMARK, self.names) if self.names else ""
        start = " " * self.indent if is_below else _padded(first, self.words)
        line = Text.assemble(start, name, *self._trimmed(cells))
        line.rstrip()
        line.stylize("dim")
        yield line

    def lines(self, entry: Entry) -> Iterator[Text]:
        name = harmless(entry.name)
        beside = bool(entry.figures) and cell_len(name) <= self.names
        start = Text.assemble(entry.word, " " * (self.words - entry.word.cell_len))
        if not beside:
            yield Text.assemble(start, name)
        for at, figures in enumerate(entry.figures):
            shown = beside and at == 0
            before = start if shown else Text(" " * self.indent)
            cells = [column.placed(figures[place], wide) for place, column, wide in self.kept]
            line = Text.assemble(before, _padded(name if shown else "", self.names), *self._trimmed(cells))
            line.rstrip()
            yield line

    def _trimmed(self, cells: list[Text]) -> list[Text]:
        """Without the first gap where no name stands before it: the words have theirs."""
        return cells if self.names else [cells[0][self.kept[0][1].gap :], *cells[1:]]


def _width(name: str) -> int:
    return cell_len(harmless(name))


def _padded(text: str, width: int) -> str:
    return f"{text}{' ' * (width - cell_len(text))}"
