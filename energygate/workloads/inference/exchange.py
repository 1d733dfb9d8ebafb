"""What a closed loop of requests brought: answers, or the first request without one."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from energygate.workloads.inference.stream import Streamed


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, content type and body of one answer. The body may hold a model's text, so no repr shows it."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One request that got an answer, whatever its status.

    Attributes
    ----------
    reply : Reply or Streamed
        A stream with status 200, or anything else as one body.
    duration_s : float
        From sending to the last byte, or to the ``[DONE]`` of a stream.
    first_s : float or None
        From sending to the first chunk with text, reasoning or a tool call; unknown of an unstreamed answer.
    """

    position: int
    reply: Reply | Streamed
    duration_s: float
    first_s: float | None = None

    @property
    def failed(self) -> bool:
        """Whether it is known already that this is no answer to count."""
        return self.reply.failed if isinstance(self.reply, Streamed) else self.reply.status != 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The first request that got none, and why."""

    position: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a closed loop brought. `unanswered` or a failed answer stopped it before its end.

    Attributes
    ----------
    begun : tuple of Streamed
        Every stream of it, also those that have no end.
    overslept : bool
        Whether the end of an answer may have been seen late, because the server did not close its connection as before.
    """

    answered: tuple[Answered, ...]
    unanswered: Unanswered | None
    duration_s: float
    client_cpu_s: float
    begun: tuple[Streamed, ...] = ()
    overslept: bool = False

    @property
    def is_cut_off(self) -> bool:
        """Whether a failure ended it: requests that were in flight then were given up."""
        return self.unanswered is not None or any(answer.failed for answer in self.answered)

    def texts(self) -> Iterator[str]:
        """Give what the model has said, the latest first, also where that ends in the middle."""
        for stream in reversed(self.begun):
            yield stream.text
        for reply in (answer.reply for answer in reversed(self.answered) if isinstance(answer.reply, Reply)):
            whole = Streamed()
            whole.add(reply.body)
            yield whole.text
