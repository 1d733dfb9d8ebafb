"""What is kept of a span: whose child it is, when it ended, and its counts. Nothing of what was asked or answered."""

from dataclasses import dataclass
from typing import Final

from energygate.model import Work

SpanId = tuple[bytes, bytes]  # trace, span
_REQUESTS: Final = frozenset({"chat", "text_completion", "generate_content"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One finished operation.

    Attributes
    ----------
    parent : (bytes, bytes) or None
        None for the root of its trace.
    end_ns : int
        Nanoseconds since 1970, by the clock of the process that sent it.
    work : Work
        Its tokens.
    operation : str or None
        `gen_ai.operation.name`.
    fault : str or None
        Why its counts cannot be believed.
    """

    id: SpanId
    parent: SpanId | None = None
    end_ns: int
    work: Work
    operation: str | None = None
    model: str | None = None
    finish: tuple[str, ...] = ()
    fault: str | None = None

    @property
    def has_tokens(self) -> bool:
        """Whether it says, rightly or not, how many tokens were made."""
        return self.work.output_tokens is not None or self.fault is not None

    @property
    def may_count(self) -> bool:
        """Whether it is a request to a model, unless one of its descendants is."""
        return self.has_tokens and (self.operation is None or self.operation in _REQUESTS)

    @property
    def lacks_tokens(self) -> bool:
        """Whether it calls itself a request to a model and does not say how many tokens were made."""
        return not self.has_tokens and self.operation in _REQUESTS
