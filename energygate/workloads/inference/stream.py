"""An answer as it grows: what the chunks of a chat or completions stream have said so far.

Chunks are not tokens: the end-of-text token is counted and not sent, and a chunk may hold several. Only `usage` counts.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

_DONE: Final = b"[DONE]"
_COUNTS: Final = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")


class _Function(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(Struct, gc=False):
    function: _Function | None = None
    index: int | None = None


class Message(Struct, gc=False):
    """What an assistant says, or a part of it. vLLM names the reasoning `reasoning`, others `reasoning_content`."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class Choice(Struct, gc=False):
    """One choice: with `delta` in a chat stream, `message` in a whole chat answer, `text` in a completion."""

    delta: Message | None = None
    message: Message | None = None
    text: str | None = None
    finish_reason: str | None = None


class Chunk(Struct, gc=False):
    """One object of a stream, or a whole unstreamed answer. What is not listed is skipped undecoded."""

    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    model: str | None = None
    error: Any = None
    timings: Any = None


_DECODER: Final = msgspec.json.Decoder(Chunk)


class Streamed:
    """One answer, put together from its chunks. It holds a model's text, so its repr shows nothing.

    Attributes
    ----------
    chunks : int
        How many objects came; for messages, never for counting tokens.
    choices : int
        How many of them had a choice.
    finish, model : str or None
    usage : dict or None
        The last one: it stands in a chunk of its own, beside the last choice, or in every chunk.
    is_outrun : bool
        Whether content has come after it, whose tokens it cannot hold.
    has_fallen : bool
        Whether one of its counts was smaller than before.
    error : object
        A server may report a failure after status 200, and then still send ``[DONE]``.
    timings : object
        llama.cpp's, undecoded.
    broken : str or None
        Why a chunk could not be read.
    done : bool
        Whether ``[DONE]`` has come, after which nothing counts. It proves nothing: an error may precede it.
    """

    __slots__ = (
        "_counted", "_reasoning", "_said", "_tools", "broken", "choices", "chunks",
        "done", "error", "finish", "has_fallen", "is_outrun", "model", "timings", "usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self.chunks = 0
        self.choices = 0
        self.finish: str | None = None
        self.usage: dict[str, Any] | None = None
        self.is_outrun = False
        self.has_fallen = False
        self.model: str | None = None
        self.error: Any = None
        self.timings: Any = None
        self.broken: str | None = None
        self.done = False
        self._counted: dict[str, int] = {}
        self._reasoning: list[str] = []
        self._said: list[str] = []
        self._tools: dict[int, list[str]] = {}

    @property
    def failed(self) -> bool:
        """Whether what has come rules out a complete answer."""
        return self.error is not None or self.broken is not None

    @property
    def text(self) -> str:
        """All that was generated, reasoning first, tool calls last: the same as of an unstreamed answer."""
        calls = (piece for _, call in sorted(self._tools.items()) for piece in call)
        return "".join((*self._reasoning, *self._said, *calls))

    def add(self, payload: bytes) -> bool:
        """Add the payload of one data line; say whether it brought text, reasoning or a tool call."""
        if payload == _DONE:
            self.done = True
        if self.done or self.failed:
            return False
        try:
            chunk = _DECODER.decode(payload)
        except msgspec.DecodeError as error:
            self.broken = f"chunk {self.chunks + 1} cannot be read: {error}"
            return False
        except UnicodeDecodeError:
            self.broken = f"chunk {self.chunks + 1} cannot be read: {len(payload)} bytes that are not UTF-8"
            return False
        except RecursionError:
            self.broken = f"chunk {self.chunks + 1} cannot be read: {len(payload)} bytes, nested too deeply"
            return False
        return self.take(chunk)

    def take(self, chunk: Chunk) -> bool:
        """Add one decoded object; say whether it brought text, reasoning or a tool call."""
        self.chunks += 1
        if chunk.error is not None:
            self.error = chunk.error
        if chunk.usage is not None:
            self._note_usage(chunk.usage)
        if chunk.timings is not None:
            self.timings = chunk.timings
        if self.model is None:
            self.model = chunk.model
        if not chunk.choices:
            return False
        self.choices += 1
        choice = chunk.choices[0]
        if choice.finish_reason:  # some send "" until the end
            self.finish = choice.finish_reason
        heard = self._heard(choice)
        if heard and chunk.usage is None and self.usage is not None:
            self.is_outrun = True
        return heard

    def _note_usage(self, usage: dict[str, Any]) -> None:
        self.usage, self.is_outrun = usage, False
        for name in _COUNTS:
            count = usage.get(name)
            if isinstance(count, int):
                self.has_fallen |= count < self._counted.get(name, count)
                self._counted[name] = count

    def _heard(self, choice: Choice) -> bool:
        if choice.text:
            self._said.append(choice.text)
        said = choice.delta or choice.message
        if said is None:
            return bool(choice.text)
        if reasoning := said.reasoning_content or said.reasoning:
            self._reasoning.append(reasoning)
        if said.content:
            self._said.append(said.content)
        if said.tool_calls:
            self._note_calls(said.tool_calls)
        return bool(choice.text or reasoning or said.content or said.tool_calls)

    def _note_calls(self, calls: list[_ToolCall]) -> None:
        for place, call in enumerate(calls):
            pieces = self._tools.setdefault(place if call.index is None else call.index, [])
            if call.function is not None:
                pieces += filter(None, (call.function.name, call.function.arguments))
