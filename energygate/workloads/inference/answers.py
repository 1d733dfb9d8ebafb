"""What an answer says: is it complete, how many tokens, in which time, or what went wrong."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from energygate.errors import InvalidCode, MeasurementInvalid, work_failed
from energygate.model import Work
from energygate.workloads.dataset import Request
from energygate.workloads.inference.exchange import Reply
from energygate.workloads.inference.stream import Chunk, Streamed
from energygate.workloads.text import Redactor
from energygate.workloads.tokens import work_from_usage

WithoutUsage = Literal["refuse", "accept"]

FINISHED: Final = ("stop", "length", "tool_calls")
_LONGEST_MS: Final = 1e12  # 30 years: more is no time
_HINTS: Final = {
    401: "Check the key in the variable that endpoint.api_key_env names.",
    403: "Check the key in the variable that endpoint.api_key_env names.",
    404: "Check endpoint.url and endpoint.model.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How a server split the time of one answer. The first output token's time lies in `prefill_s`."""

    prefill_s: float
    decode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One complete answer."""

    work: Work
    finish: str
    model: str | None
    text: str = field(repr=False)
    timings: Timings | None = None


class NoUsage(MeasurementInvalid):
    """A complete answer that does not say its tokens: another way of asking, or of counting, may."""

    def __init__(self) -> None:
        super().__init__(InvalidCode.WORK_FAILED, "the answer has no usage, so its tokens are unknown")


def count_answer(
    reply: Reply | Streamed,
    request: Request,
    *,
    fixed_output: bool,
    show: Redactor,
    without_usage: WithoutUsage = "refuse",
) -> Counted:
    """Read one answer.

    Parameters
    ----------
    fixed_output : bool
        Whether it must have exactly as many tokens as were asked for.
    without_usage : {"refuse", "accept"}
        Whether an answer counts that does not say its tokens, because somebody else counts them.

    Raises
    ------
    NoUsage
        If all is well but that it does not say its tokens.
    MeasurementInvalid
        If it is an error, incomplete, or other work than was asked for.
    """
    said = reply if isinstance(reply, Streamed) else _as_stream(reply, show=show)
    _require_whole(said, show=show)
    work = _work(said, without_usage=without_usage)
    finish = said.finish or ""
    (_require_exactly if fixed_output else _require_possible)(work, request.max_tokens, finish)
    return Counted(work=work, finish=finish, model=said.model, text=said.text, timings=_timings(said.timings))


def _as_stream(reply: Reply, *, show: Redactor) -> Streamed:
    """Take an answer in one piece for a stream of one chunk."""
    if reply.status != 200:
        raise work_failed(status_sentence(reply, show=show))
    whole = Streamed()
    whole.take(_decode(reply, show=show))
    return whole


def _require_whole(said: Streamed, *, show: Redactor) -> None:
    if said.broken is not None:
        raise work_failed(f"status 200, but {said.broken}")
    if said.error is not None:
        raise work_failed(f"status 200, but an error: {show(_message(said.error)) or 'no text'}")
    if not said.chunks:
        raise work_failed("status 200, but a stream without data")
    if not said.choices:
        raise work_failed("status 200, but no choices, so there is no answer")
    if said.finish is None:
        raise work_failed("no finish_reason, so the answer may be cut off")
    if said.finish not in FINISHED:
        raise work_failed(f"finish_reason {show(said.finish)!r}, not one of {', '.join(FINISHED)}")


def _work(said: Streamed, *, without_usage: WithoutUsage) -> Work:
    if said.usage is None:
        if without_usage == "refuse":
            raise NoUsage
        return Work(requests=1)
    if said.is_outrun:
        raise work_failed("content came after the last usage, so the tokens of the answer are unknown")
    if said.has_fallen:
        raise work_failed("a usage says fewer tokens than the one before it, so neither is believed")
    work = work_from_usage(said.usage)
    for name in ("input_tokens", "output_tokens"):
        if getattr(work, name) == 0:
            # Joules would be divided by nothing: a server that does not count writes zeros.
            raise work_failed(f"usage says 0 {name.replace('_', ' ')}, so the tokens of the answer are unknown")
    return msgspec.structs.replace(work, requests=1)


def _require_possible(work: Work, asked: int, finish: str) -> None:
    tokens = work.output_tokens
    if tokens is not None and tokens > asked:
        raise work_failed(
            f"{tokens} tokens, more than the {asked} that were asked for: does the server know max_tokens?"
        )
    if finish == "length" and tokens is not None and tokens < asked:
        raise work_failed(f"{tokens} of {asked} tokens, {_full(work)}")


def _full(work: Work) -> str:
    """Say how much a context holds that was full before the answer was as long as asked for."""
    both = (work.input_tokens or 0) + (work.output_tokens or 0)
    return f"the context is full: {both} tokens with the input"


def _require_exactly(work: Work, asked: int, finish: str) -> None:
    tokens = work.output_tokens
    if finish == "length" and tokens in {asked, None}:
        return
    counted = "an unknown number" if tokens is None else str(tokens)
    if finish == "length" and tokens is not None and tokens < asked:
        why = _full(work)
    else:
        why = f"finish_reason {finish!r}: requests.fixed_output asks for exactly {asked} and 'length'"
    raise MeasurementInvalid(InvalidCode.WORK_DIFFERS, f"{counted} of {asked} tokens, {why}")


def _timings(found: object) -> Timings | None:
    """Read llama.cpp's `timings`; of an unknown shape they are unknown, because they are shown and never gated."""
    if not isinstance(found, dict):
        return None
    prefill_s, decode_s = _seconds(found.get("prompt_ms")), _seconds(found.get("predicted_ms"))
    return None if prefill_s is None or decode_s is None else Timings(prefill_s=prefill_s, decode_s=decode_s)


def _seconds(ms: object) -> float | None:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms <= _LONGEST_MS:
        return None
    return ms / 1000


def status_sentence(reply: Reply, *, show: Redactor) -> str:
    """Describe an answer with another status than 200, with what can be done about it where that is known."""
    said = show(error_text(reply.body)) or "no text"
    hint = _HINTS.get(reply.status)
    return f"HTTP {reply.status}, {said}" + (f". {hint}" if hint else "")


def error_text(body: bytes) -> str:
    """Give the server's own message if the body is an error object, else the body. Not yet fit to be shown."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode("utf-8", errors="replace")
    error = document.get("error", document.get("detail")) if isinstance(document, dict) else None
    return body.decode("utf-8", errors="replace") if error is None else _message(error)


def _message(error: Any) -> str:
    """Give the text of an error object: a string, or one with a `message`; otherwise all of it."""
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else msgspec.json.encode(error).decode()


def _decode(reply: Reply, *, show: Redactor) -> Chunk:
    try:
        return msgspec.json.decode(reply.body, type=Chunk)
    except msgspec.DecodeError as error:
        # The body is not shown, because it may hold an answer.
        kind = show(reply.content_type) or "no content type"
        raise work_failed(f"status 200, but no chat completion ({kind}, {len(reply.body)} bytes): {error}") from error
    except UnicodeDecodeError:
        # Without `from`: the cause would carry the body into a traceback.
        raise work_failed(f"status 200, but no chat completion: {len(reply.body)} bytes that are not UTF-8") from None
    except RecursionError:
        raise work_failed(f"status 200, but no chat completion: {len(reply.body)} bytes, nested too deeply") from None
