"""Whether the machine slept inside a window: counters that went on, or began again, meanwhile are of no use."""

import time
from collections.abc import Callable
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Reading, Window
from energygate.units import format_quantity

_LONGEST_S: Final = 0.1


def _boottime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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

    def begin(self, window: Window) -> Reading:
        """Read both clocks."""
        return Reading(window, self._monotonic_s(), before=self._boottime_s())

    def fault(self, start: Reading) -> MeasurementInvalid | None:
        """Say for how long the machine slept since `start`, if it did."""
        # In the reverse order of `begin`: time that passes between two clocks can hide sleep, and never look like it.
        boottime_s = self._boottime_s() - start.before
        slept_s = boottime_s - (self._monotonic_s() - start.at_s)
        if slept_s <= _LONGEST_S:
            return None
        return MeasurementInvalid(
            InvalidCode.SUSPENDED,
            f"the machine was suspended for {format_quantity(slept_s, 's')} while it was measured.",
        )
