"""What a suite asks of its server, and how its requests are named in messages instead of being shown."""

from dataclasses import dataclass, field

from energygate.workloads.dataset import Request
from energygate.workloads.suites import InferenceSuite
from energygate.workloads.text import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A suite with the texts that it names.

    Attributes
    ----------
    requests : tuple of Request
        Sent in this order, once a pass.
    system : str or None
        Precedes each conversation.
    show : Redactor
        Makes what the server says fit to be shown.
    """

    suite: InferenceSuite
    requests: tuple[Request, ...]
    system: str | None = field(default=None, repr=False)
    show: Redactor

    @property
    def name(self) -> str:
        """The suite's, which begins each message about the server."""
        return self.suite.name

    @property
    def most_output_tokens(self) -> int:
        """Output tokens of one pass if every answer is as long as it may be."""
        return sum(request.max_tokens for request in self.requests)

    def request(self, position: int) -> Request:
        """The request at a position of several passes."""
        return self.requests[position % len(self.requests)]

    def where(self, position: int, *, passes: int) -> str:
        """Name a position of several passes: `request 17 of 32 (prompts.jsonl:1)`."""
        return f"request {position + 1} of {len(self.requests) * passes} ({self.request(position).origin})"
