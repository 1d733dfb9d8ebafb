"""The figures as Markdown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from characteristics.campaign import (
    CHANGES,
    INTERLEAVED,
    SIZES,
    STORED,
    TWO_STAGES,
    Found,
    power,
    resized,
)
from characteristics.demands import Demand
from characteristics.peer_rules import PEERS
from characteristics.replay import Replayed
from characteristics.sessions import CLBG, DAYS_BY_JOULES, DAYS_BY_TOKENS, UNIVOCITY, Across
from characteristics.shares import Share
from characteristics.simulated_demands import SDS
from characteristics.simulation import Setting

OURS: Final = (TWO_STAGES, INTERLEAVED, STORED)
_NOT_SEEN: Final = "-"
_UNCHANGED: Final = {
    DAYS_BY_TOKENS: "vllm4090, J/token, days",
    DAYS_BY_JOULES: "vllm4090, J, days",
    CLBG: "clbg2017, blocks",
    UNIVOCITY: "univocity, 25 days",
}
_OUTCOMES: Final = ("pass", "inconclusive", "suspect", "regressed")


def beside_peers(simulated: Mapping[Setting, Found], suite: Setting) -> str:
    """Alarms, power and cost of every rule on one kind of suite."""
    heads = ["rule", "benchmarks", *(f"PRs of {size}" for size in SIZES)]
    heads += [f"+{100 * change:.0f} %" for change in CHANGES] + ["trials"]
    by_size = {size: simulated[resized(suite, size)] for size in SIZES}
    rows = [
        [
            _name(rule),
            percent(by_size[20][rule, "alarms per benchmark"]),
            *(percent(by_size[size][rule, "alarms"]) for size in SIZES),
            *(percent(by_size[20][rule, power(change)]) for change in CHANGES),
            f"{by_size[20][rule, 'trials'].value:.1f}".removesuffix(".0"),
        ]
        for rule in (*OURS, *(peer.name for peer in PEERS))
    ]
    return markdown(heads, rows)


def of_demands(demands: Iterable[Demand]) -> str:
    """What was demanded, what was found, and whether that keeps it."""
    rows = [[each.what, each.where, bound(each), found(each), _kept(each)] for each in demands]
    heads = ["figure", "where", "demanded", "found", "kept"]
    return markdown(heads, rows, words=len(heads))


def _kept(demand: Demand) -> str:
    if demand.kept:
        return "yes"
    return "missed, [as is known](#what-was-missed)" if demand.known_miss else "**missed**"


def of_queues(simulated: Mapping[Setting, Found], session_sd: float) -> str:
    """How many unchanged benchmarks are queued because all of them are, and how many of the rest."""
    whole, part = (
        " / ".join(_most(simulated, figure, sd, session_sd) for sd in SDS)
        for figure in ("queued as a whole", "queued in part")
    )
    return (
        f"Where sessions vary by {100 * session_sd:.0f} %, {whole} % of unchanged pull requests are queued as a whole, "
        f"for the session differs throughout; in the others {part} % of the benchmarks are queued.\n"
    )


def _most(simulated: Mapping[Setting, Found], figure: str, sd: float, session_sd: float) -> str:
    """The largest share that one kind of suite has, whatever its noise and size."""
    suites = (each for each in simulated if each.sd == sd and each.session_sd == session_sd and each.benchmarks > 1)
    return percent(max((simulated[each][TWO_STAGES, figure] for each in suites), key=lambda share: share.value))


def line(demand: Demand) -> str:
    """The same in a sentence."""
    return f"{demand.what}, {demand.where}: {found(demand)} ({bound(demand)})"


def of_replays(replays: Sequence[Replayed]) -> str:
    """Real noise within a session."""
    names = ["p < 0.01", "p < 0.05", "alarms", "passes", "fails at +5 %", "fails at +10 %"]
    rows = [[each.source, str(each.cells), *(percent(each.figures[name]) for name in names)] for each in replays]
    return markdown(["source", "cells", "p < 0.01", "p < 0.05", "PRs of 20", "pass", "+5 %", "+10 %"], rows)


def of_sessions(kinds: Sequence[Across]) -> str:
    """Real sessions against stored ones."""
    rows = [
        [
            each.what,
            str(each.count),
            *(str(each.outcomes.get(outcome, 0)) for outcome in _OUTCOMES),
            _NOT_SEEN if math.isnan(each.shift) else f"{100 * math.expm1(each.shift):+.0f} %",
        ]
        for each in kinds
    ]
    return markdown(["head against stored sessions", "comparisons", *_OUTCOMES, "common shift"], rows)


def of_peers_on_real(
    halves: Mapping[str, Mapping[str, Share]], kinds: Sequence[Across], replays: Sequence[Replayed]
) -> str:
    """How often every rule fails real measurements of unchanged code."""
    unchanged = [each for each in kinds if each.what in _UNCHANGED]
    within = {each.source: each.figures["alarms per benchmark"] for each in replays}
    ours = [
        _name("energygate"),
        *(percent(within[source]) for source in halves),
        *(percent(Share.of(each.outcomes.get("regressed", 0), each.count)) for each in unchanged),
    ]
    rows = [
        [
            peer.name,
            *(_or_not(fails.get(peer.name)) for fails in (*halves.values(), *(each.peers for each in unchanged))),
        ]
        for peer in PEERS
        if peer.sees != "runs"
    ]
    return markdown(["rule", *halves, *(_UNCHANGED[each.what] for each in unchanged)], [ours, *rows])


def percent(share: Share) -> str:
    """A share in percent: `0.3`, `12`, `100`."""
    value = 100 * share.value
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """A table; its first columns are words, and the others numbers."""
    lines = [heads, [*["---"] * words, *["--:"] * (len(heads) - words)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _name(rule: str) -> str:
    return f"**{rule}**" if rule.startswith("energygate") else rule


def _or_not(share: Share | None) -> str:
    return _NOT_SEEN if share is None else percent(share)


def bound(demand: Demand) -> str:
    """The bounds: `≤ 1 / 2 / 3.5 %`."""
    sign = "\N{LESS-THAN OR EQUAL TO}" if demand.relation == "at most" else "\N{GREATER-THAN OR EQUAL TO}"
    return f"{sign} {' / '.join(f'{bound:g}' for bound in demand.bounds)} {demand.unit}".rstrip()


def found(demand: Demand) -> str:
    """The figures: `0.10 / 0.73 / 12.1`."""
    return " / ".join(
        f"{figure.value:.2f}" if demand.unit == "%" and figure.value < 9.95 else f"{figure.value:.1f}"
        for figure in demand.found
    )
