"""The first request: whether the server answers it, streamed or not, and who counts its tokens."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from energygate.errors import WorkloadError
from energygate.workloads.inference.answers import NoUsage, WithoutUsage, error_text
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.exchange import Exchange, Reply
from energygate.workloads.inference.reading import BadAnswer, Because, read_answers, require_own_model
from energygate.workloads.inference.stream import Streamed

Source = Literal["usage", "counters"]

_REFUSALS: Final = frozenset({400, 422})
_LOST: Final = "so requests are sent unstreamed, and there is no time to first token"
_NO_OPTIONS: Final = f"the server refuses stream_options, {_LOST}"
_NO_USAGE: Final = f"streamed answers have no token usage, {_LOST}"
_IN_ONE_PIECE: Final = f"the server answers in one piece though asked for a stream, {_LOST}"
_COUNTED_BY_SERVER: Final = "the answers have no token usage, so the server's own counters count the tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How requests are sent from here on, who counts, and what a person should know of it."""

    asking: Asking
    source: Source
    notes: tuple[str, ...] = ()


def probe(asking: Asking, *, has_counters: bool, because: Because) -> Probed:
    """Send the first request until an answer says its tokens: streamed, unstreamed, or as the suite says.

    Parameters
    ----------
    has_counters : bool
        Whether the server counts tokens itself, for answers that say none.
    because : callable
        Says why a request got no answer, from what its client saw of it.

    Raises
    ------
    WorkloadError
        If the server refuses it, or the tokens stay unknown.
    """
    wish, counting = asking.plan.suite.requests.stream, asking.plan.suite.tokens.source
    ways = (True, False) if wish == "auto" else (wish,)
    uncounted: Probed | None = None
    notes: tuple[str, ...] = ()
    for streamed in ways:
        way = replace(asking, streamed=streamed)
        exchange = way.post_first()
        is_last = streamed == ways[-1]
        if not is_last and _refuses_options(exchange):
            notes = (_NO_OPTIONS,)
            continue
        found = _settled(way, exchange, notes, because)
        if _has_usage(found.asking, exchange, because) or counting == "counters":
            return replace(found, source=counting)
        uncounted = uncounted or found
        notes = (_NO_USAGE,) if streamed else notes
    if uncounted is None or not has_counters:
        raise _unknown_tokens(asking, ways)
    return replace(uncounted, source="counters", notes=(*uncounted.notes, _COUNTED_BY_SERVER))


def _settled(asking: Asking, exchange: Exchange, notes: tuple[str, ...], because: Because) -> Probed:
    """Accept the way of asking, if all but usage is in order."""
    _read(asking, exchange, "accept", because)
    if asking.streamed and not isinstance(exchange.answered[0].reply, Streamed):
        if asking.plan.suite.requests.stream is True:
            raise WorkloadError(
                f"{asking.plan.name}: requests.stream is true, but the server answers in one piece.",
                fix="Set it to auto or false.",
            )
        return Probed(asking=replace(asking, streamed=False), source="usage", notes=(_IN_ONE_PIECE,))
    return Probed(asking=asking, source="usage", notes=notes)


def _has_usage(asking: Asking, exchange: Exchange, because: Because) -> bool:
    try:
        _read(asking, exchange, "refuse", because)
    except NoUsage:
        return False
    return True


def _read(asking: Asking, exchange: Exchange, without_usage: WithoutUsage, because: Because) -> None:
    try:
        answers = read_answers(exchange, asking, without_usage=without_usage, because=because)
    except BadAnswer as bad:
        if isinstance(bad.__cause__, NoUsage):
            raise bad.__cause__ from bad
        raise bad.before_trials(asking.plan) from bad
    require_own_model(answers, asking.plan)


def _refuses_options(exchange: Exchange) -> bool:
    replies = [answer.reply for answer in exchange.answered]
    return any(
        isinstance(reply, Reply) and reply.status in _REFUSALS and "stream_options" in error_text(reply.body)
        for reply in replies
    )


def _unknown_tokens(asking: Asking, ways: tuple[bool, ...]) -> WorkloadError:
    tried = "streamed or not" if len(ways) == 2 else "streamed" if ways[0] else "unstreamed"
    return WorkloadError(
        f"{asking.plan.name}: no token usage, {tried}.",
        why="Joules per token would be unknown.",
        fix="Use tokens.source: counters, or a server that reports usage.",
    )
