"""What has been received, shared between the receiver's threads and the trial that counts."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from energygate.workloads.spans.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of wall-clock time, in nanoseconds since 1970, its ends included."""

    begin_ns: int
    end_ns: int

    def __contains__(self, span: Span) -> bool:
        return self.begin_ns <= span.end_ns <= self.end_ns


@dataclass(slots=True)
class Inbox:
    """Spans, and why others could not be taken."""

    _spans: list[Span] = field(default_factory=list)
    _refusals: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, spans: Iterable[Span]) -> None:
        """Keep what came."""
        with self._lock:
            self._spans.extend(spans)

    def refuse(self, why: str) -> None:
        """Remember that something came which could not be taken."""
        with self._lock:
            self._refusals.append(why)

    def ended_in(self, interval: Interval) -> int:
        """How many spans of that time have come and were not taken out yet."""
        with self._lock:
            return sum(span in interval for span in self._spans)

    def take(self) -> tuple[tuple[Span, ...], tuple[str, ...]]:
        """Hand over all spans and refusals."""
        with self._lock:
            spans, refusals = tuple(self._spans), tuple(self._refusals)
            self._spans.clear()
            self._refusals.clear()
        return spans, refusals
