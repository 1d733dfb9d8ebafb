"""One time for all that measuring in turn takes: making both sides ready, their first runs, and every block."""

from dataclasses import dataclass
from typing import Final, Self

from energygate.clock import Clock

FOREVER_S: Final = 1e9
MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """When it has to end.

    Attributes
    ----------
    minutes : float or None
        How long it may take in all; None for as long as it takes.
    """

    clock: Clock
    started_s: float
    minutes: float | None

    @classmethod
    def begin(cls, clock: Clock, minutes: float | None) -> Self:
        """Let the time begin."""
        return cls(clock=clock, started_s=clock.now_s(), minutes=minutes)

    @property
    def left_s(self) -> float:
        """What is left of it; never less than nothing."""
        if self.minutes is None:
            return FOREVER_S
        return max(0.0, self.started_s + self.minutes * MINUTE_S - self.clock.now_s())
