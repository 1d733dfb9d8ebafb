"""A server that answers before its model is loaded: it says 503, as llama.cpp does to all but a few questions."""

from collections.abc import Callable
from typing import Final, TypeVar

from energygate.clock import Clock
from energygate.errors import WorkloadError
from energygate.workloads.text import ended

T = TypeVar("T")
UNAVAILABLE: Final = 503
_POLL_S: Final = 0.25


class StillLoading(WorkloadError):  # noqa: N818  reads as the state it is
    """The server says 503: it may answer later."""


class Loading:
    """How long a server may go on loading, from the moment that this is made.

    Parameters
    ----------
    within_s : float
        What `server.ready.timeout` allows; 0 for a server that somebody else runs, which is not waited for.
    """

    def __init__(self, within_s: float, *, clock: Clock) -> None:
        self._within_s = within_s
        self._clock = clock
        self._started_s = clock.now_s()

    def outlasted(self, ask: Callable[[], T]) -> T:
        """Ask until something else comes than that it is loading. Raises WorkloadError once its time is over."""
        while True:
            try:
                return ask()
            except StillLoading as refusal:
                if not self._within_s:
                    raise
                if self._clock.now_s() - self._started_s >= self._within_s:
                    raise WorkloadError(
                        f"{ended(refusal.what)} It has said so for {self._within_s:g} s.",
                        fix="Raise server.ready.timeout.",
                    ) from refusal
            self._clock.sleep(_POLL_S)
