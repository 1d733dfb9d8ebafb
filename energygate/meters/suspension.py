"""Whether the machine slept inside a window: counters that went on, or began again, meanwhile are of no use."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.units import format_quantity

_LONGEST_S: Final = 0.1
_boottime_s = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class Suspension:
    """Compares the clock that stands still while the machine is suspended with the one that does not.

    Parameters
    ----------
    monotonic_s, boottime_s : callable
        CLOCK_MONOTONIC and CLOCK_BOOTTIME, in seconds.
    """

    def __init__(
        self,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        boottime_s: Callable[[], float] = _boottime_s,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._boottime_s = boottime_s

    def begin(self) -> float:
        """Seconds that the machine has slept so far."""
        # Reversed in `fault`: time that passes between two clocks can hide sleep, and never look like it.
        monotonic_s = self._monotonic_s()
        return self._boottime_s() - monotonic_s

    def fault(self, slept_before_s: float) -> MeasurementInvalid | None:
        """Say for how long the machine slept since `begin`, if it did."""
        slept_s = self._boottime_s() - self._monotonic_s() - slept_before_s
        if slept_s <= _LONGEST_S:
            return None
        return MeasurementInvalid(
            InvalidCode.SUSPENDED,
            f"the machine was suspended for {format_quantity(slept_s, 's')} while it was measured.",
        )
