"""How long a request may take, and how long it may bring nothing. Only content counts: a comment is no sign of life."""

import asyncio

from energygate.workloads.suites import Timeouts


class Patience:
    """The deadlines of one request, from the moment that this is made.

    Attributes
    ----------
    events : int
        How many chunks with content came.
    first_s : float or None
        When the first of them came, in seconds since the start.
    timer : asyncio.Timeout
        The request runs inside it.
    """

    def __init__(self, timeouts: Timeouts, *, streamed: bool) -> None:
        self._now_s = asyncio.get_running_loop().time
        self._timeouts = timeouts
        self._started_s = self._now_s()
        self._last_s = self._started_s + timeouts.request
        self.events = 0
        self.first_s: float | None = None
        first_s = self._started_s + timeouts.first_token if streamed else self._last_s
        self.timer = asyncio.timeout_at(min(first_s, self._last_s))

    @property
    def stall_s(self) -> float:
        """For how long nothing may come once something has."""
        return self._timeouts.stall

    @property
    def passed_s(self) -> float:
        """Seconds since the start."""
        return self._now_s() - self._started_s

    def more(self, events: int) -> None:
        """So many chunks with content have come."""
        now_s = self._now_s()
        if self.first_s is None:
            self.first_s = now_s - self._started_s
        self.events += events
        self.timer.reschedule(min(self._last_s, now_s + self._timeouts.stall))

    def whole(self) -> None:
        """It is no stream after all, so only the deadline of the whole request counts."""
        self.timer.reschedule(self._last_s)

    def exhausted(self) -> str:
        """Say which deadline has passed."""
        if (self.timer.when() or 0.0) >= self._last_s:
            what = "complete answer" if self.events else "answer"
            return f"no {what} within {self._timeouts.request:g} s (timeouts.request){self.so_far}"
        if self.events:
            return f"no token for {self._timeouts.stall:g} s (timeouts.stall){self.so_far}"
        return f"no token within {self._timeouts.first_token:g} s (timeouts.first_token)"

    @property
    def so_far(self) -> str:
        """What came before the failure; empty if nothing did."""
        return f" after {self.events} chunk{'s' if self.events > 1 else ''}" if self.events else ""
