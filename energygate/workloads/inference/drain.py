"""Waiting until a server has nothing to do: what it still works on for a request that was given up is nobody's."""

from collections.abc import Callable
from typing import Final

from energygate.clock import Clock, SystemClock
from energygate.errors import InvalidCode, MeasurementInvalid

_APART_S: Final = 0.05
_BLIND_S: Final = 10.0


class Drain:
    """Waits before and after each trial.

    Parameters
    ----------
    idle : callable
        Whether the server is idle; None if it does not say (`ServerCounters.idle`).
    timeout_s : float
        The most that is waited.
    """

    def __init__(self, idle: Callable[[], bool | None], *, timeout_s: float, clock: Clock | None = None) -> None:
        self._idle = idle
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._has_given_up = False

    def note_failure(self) -> None:
        """Remember that requests were given up: a server that says nothing of itself may still work on them."""
        self._has_given_up = True

    def wait(self) -> None:
        """Wait for two idle readings in a row.

        A server that does not say whether it is idle gets 10 s after a failure, and no wait otherwise.

        Raises
        ------
        MeasurementInvalid
            If it is still busy in the end, or cannot be asked.
        """
        deadline_s = self._clock.now_s() + self._timeout_s
        in_a_row = 0
        while in_a_row < 2:
            idle = self._idle()
            if idle is None:
                self._wait_blindly()
                return
            in_a_row = in_a_row + 1 if idle else 0
            if not idle and self._clock.now_s() >= deadline_s:
                raise MeasurementInvalid(
                    InvalidCode.FOREIGN_REQUESTS,
                    f"the server was still busy after {self._timeout_s:g} s (timeouts.drain). Does anybody else use "
                    "it, or does it need longer for a request that was given up?",
                )
            if in_a_row < 2:
                self._clock.sleep(_APART_S)
        self._has_given_up = False

    def _wait_blindly(self) -> None:
        if self._has_given_up:
            self._clock.sleep(_BLIND_S)
        self._has_given_up = False
