"""What an answer of the chat API says: is it complete, how many tokens, or what went wrong."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import Struct

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work
from energygate.workloads.dataset import Request
from energygate.workloads.http import Reply
from energygate.workloads.text import Redactor
from energygate.workloads.tokens import work_from_usage

FINISHED: Final = ("stop", "length", "tool_calls")
_HINTS: Final = {
    401: "Check the key in the variable that endpoint.api_key_env names.",
    403: "Check the key in the variable that endpoint.api_key_env names.",
    404: "Check endpoint.url and endpoint.model.",
}


class _Message(Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(Struct):
    choices: tuple[_Choice, ...] = ()
    usage: dict[str, Any] | None = None
    model: str | None = None
    error: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One complete answer."""

    work: Work
    finish: str
    model: str | None
    text: str = field(repr=False)


def count_answer(reply: Reply, request: Request, *, show: Redactor) -> Counted:
    """Read one answer.

    Raises
    ------
    MeasurementInvalid
        If it is an error, incomplete, or does not say its tokens.
    """
    if reply.status != 200:
        raise _failed(status_sentence(reply, show=show))
    completion = _decode(reply, show=show)
    if completion.error is not None:
        raise _failed(f"status 200, but an error: {show(error_text(reply.body))}")
    if not completion.choices:
        raise _failed("status 200, but no choices, so there is no answer")
    choice = completion.choices[0]
    work = work_from_usage(completion.usage)
    finish = _finish(choice, work, request, show=show)
    text = "".join(part for part in (choice.message.reasoning_content, choice.message.content) if part)
    return Counted(work=msgspec.structs.replace(work, requests=1), finish=finish, model=completion.model, text=text)


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
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else body.decode("utf-8", errors="replace")


def _decode(reply: Reply, *, show: Redactor) -> _Completion:
    try:
        return msgspec.json.decode(reply.body, type=_Completion)
    except msgspec.DecodeError as error:
        # The body is not shown, because it may hold an answer.
        kind = show(reply.content_type) or "no content type"
        raise _failed(f"status 200, but no chat completion ({kind}, {len(reply.body)} bytes): {error}") from error
    except UnicodeDecodeError:
        # Without `from`: the cause would carry the body into a traceback.
        raise _failed(f"status 200, but no chat completion: {len(reply.body)} bytes that are not UTF-8") from None
    except RecursionError:
        raise _failed(f"status 200, but no chat completion: {len(reply.body)} bytes, nested too deeply") from None


def _finish(choice: _Choice, work: Work, request: Request, *, show: Redactor) -> str:
    finish = choice.finish_reason
    if finish is None:
        raise _failed("no finish_reason, so the answer may be cut off")
    if finish not in FINISHED:
        raise _failed(f"finish_reason {show(finish)!r}, not one of {', '.join(FINISHED)}")
    if finish == "length" and (work.output_tokens or 0) < request.max_tokens:
        raise _failed(f"{work.output_tokens} of {request.max_tokens} tokens, the context is full")
    return finish


def _failed(sentence: str) -> MeasurementInvalid:
    return MeasurementInvalid(InvalidCode.WORK_FAILED, sentence)
