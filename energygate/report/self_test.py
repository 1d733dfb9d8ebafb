"""What the A/A self-test found, on a terminal and as one JSON document."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from energygate.history.self_test import Planted, SelfTest, Share, Spread
from energygate.report.rows import WORDS
from energygate.report.table import sentence
from energygate.report.terminal import to_text
from energygate.units import MINUS, format_change, format_percent

_INDENT: Final = 4
_Line = tuple[str, str, int]  # words, their style, and how far in
_DEPENDENT: Final = 0.3  # of neighbouring sessions: above, simulations gave several times the nominal alarms


def render_self_test(tests: Sequence[SelfTest], *, color: bool, width: int | None = None) -> str:
    """Render the self-test of each machine as text, ANSI-coloured if `color`.

    Parameters
    ----------
    width : int or None
        As in `render_terminal`.
    """
    said = (line for test in tests for line in _lines(test))
    lines = (sentence(words, width=width, style=style, indent=indent) for words, style, indent in said)
    return to_text(lines, color=color)


def self_test_document(tests: Sequence[SelfTest]) -> dict[str, Any]:
    """Give the self-tests as one JSON document's value."""
    return {"schema": "energygate.aa/1", "machines": msgspec.to_builtins(list(tests))}


def _lines(test: SelfTest) -> Iterator[_Line]:
    plural = "benchmark" if test.benchmarks == 1 else "benchmarks"
    yield f"{test.machine} ({test.fingerprint}): {test.benchmarks} {plural}, {_how(test)}", "bold", 0
    for share in test.shares:
        yield _share(share), "bold red" if share.is_too_large else "", _INDENT
    for share in test.shares:
        if share.is_too_large:
            yield f"warning: {_too_many(share, test)}", "bold red", _INDENT
    if test.spread is not None:
        yield from _spread(test.spread)
    for planted in test.planted:
        yield _planted(planted), "", _INDENT


def _how(test: SelfTest) -> str:
    if test.spread is None:
        return "one commit interleaved with itself"
    return f"{test.spread.sessions} sessions, each compared with the others"


def _share(share: Share) -> str:
    seen = format_percent(share.found / share.of)
    bounds = f"{_number(share.low)} \N{HORIZONTAL ELLIPSIS} {_number(share.high)}"
    return f"p < {share.level:g} in {seen} (95 % CI {bounds}), {share.found} of {_comparisons(share.of)}"


def _number(share: float) -> str:
    return format_percent(share).removesuffix(" %")


def _too_many(share: Share, test: SelfTest) -> str:
    cure = "measure on a quieter machine, or with longer trials"
    if test.spread is not None and test.spread.bound > test.spread.assumed_sd:
        cure = f"set gate.session_sd: {_setting(test.spread.bound)}"
    return f"more alarms than the {format_percent(share.level)} that were promised: {cure}."


def _setting(share: float) -> str:
    return format_percent(share).replace(" ", "")


def _spread(spread: Spread) -> Iterator[_Line]:
    differ = (
        f"sessions differ by {format_percent(spread.sd)}, by no more than {format_percent(spread.bound)} with "
        f"80 % confidence; gate.session_sd is {_setting(spread.assumed_sd)}"
    )
    yield differ, "", _INDENT
    dependent = spread.autocorrelation > _DEPENDENT
    words = "; neighbouring sessions are alike, so expect more alarms" if dependent else ""
    line = f"autocorrelation of neighbouring sessions {spread.autocorrelation:.2f}{words}"
    yield line.replace("-", MINUS, 1), "yellow" if dependent else "", _INDENT


def _planted(planted: Planted) -> str:
    total = sum(planted.outcomes.values())
    shares = [f"{format_percent(n / total)} {WORDS[outcome]}" for outcome, n in planted.outcomes.items()]
    what = "nothing planted" if planted.factor == 1 else f"{format_change(planted.factor)} planted"
    return f"{what}, {_comparisons(total)}: {', '.join(shares)}"


def _comparisons(count: int) -> str:
    return f"{count} comparison{'' if count == 1 else 's'}"
