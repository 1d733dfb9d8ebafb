"""What the A/A self-test found, on a terminal and as one JSON document."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from rich.text import Text

from energygate.history.self_test import Planted, SelfTest, Share, Spread
from energygate.report.rows import WORDS
from energygate.report.terminal import to_text
from energygate.units import MINUS, format_change, format_percent

_INDENT: Final = "    "
_DEPENDENT: Final = 0.3  # of neighbouring sessions: above, simulations gave several times the nominal alarms


def render_self_test(tests: Sequence[SelfTest], *, color: bool) -> str:
    """Render the self-test of each machine as text, ANSI-coloured if `color`."""
    return to_text((line for test in tests for line in _lines(test)), color=color)


def self_test_document(tests: Sequence[SelfTest]) -> dict[str, Any]:
    """Give the self-tests as one JSON document's value."""
    return {"schema": "energygate.aa/1", "machines": msgspec.to_builtins(list(tests))}


def _lines(test: SelfTest) -> Iterator[Text]:
    plural = "benchmark" if test.benchmarks == 1 else "benchmarks"
    yield Text(f"{test.machine} ({test.fingerprint}): {test.benchmarks} {plural}, {_how(test)}", style="bold")
    for share in test.shares:
        yield Text(f"{_INDENT}{_share(share)}", style="bold red" if share.is_too_large else "")
    for share in test.shares:
        if share.is_too_large:
            yield Text(f"{_INDENT}warning: {_too_many(share, test)}", style="bold red")
    if test.spread is not None:
        yield from _spread(test.spread)
    for planted in test.planted:
        yield Text(f"{_INDENT}{_planted(planted)}")


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


def _spread(spread: Spread) -> Iterator[Text]:
    yield Text(
        f"{_INDENT}sessions differ by {format_percent(spread.sd)}, by no more than {format_percent(spread.bound)} with "
        f"80 % confidence; gate.session_sd is {_setting(spread.assumed_sd)}"
    )
    dependent = spread.autocorrelation > _DEPENDENT
    words = "; neighbouring sessions are alike, so expect more alarms" if dependent else ""
    line = f"{_INDENT}autocorrelation of neighbouring sessions {spread.autocorrelation:.2f}{words}"
    yield Text(line.replace("-", MINUS, 1), style="yellow" if dependent else "")


def _planted(planted: Planted) -> str:
    total = sum(planted.outcomes.values())
    shares = [f"{format_percent(n / total)} {WORDS[outcome]}" for outcome, n in planted.outcomes.items()]
    what = "nothing planted" if planted.factor == 1 else f"{format_change(planted.factor)} planted"
    return f"{what}, {_comparisons(total)}: {', '.join(shares)}"


def _comparisons(count: int) -> str:
    return f"{count} comparison{'' if count == 1 else 's'}"
