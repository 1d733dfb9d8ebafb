"""Time as a collaborator: whoever waits or times takes a clock, so that tests own it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Time and how to wait for it, in seconds."""

    def now_s(self) -> float:
        """Monotonic seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own monotonic clock."""

    now_s = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)
