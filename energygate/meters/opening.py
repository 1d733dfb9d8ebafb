"""From `open` to `close` of a meter, in the process that opened it: no window outlives that."""

import os

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Reading


class _Process:
    """Which process it is: a fork copies what a meter holds, but neither its threads nor who holds a lock."""

    forks = 0

    @classmethod
    def fork(cls) -> None:
        """Be another process from now on."""
        cls.forks += 1


os.register_at_fork(after_in_child=_Process.fork)


class Opening:
    """What a meter holds open. Each `open` and each `close` begins another one."""

    __slots__ = ("_forks",)

    def __init__(self) -> None:
        self._forks = _Process.forks

    @property
    def is_ours(self) -> bool:
        """Whether this process made it, and not the one that it was forked from."""
        return self._forks == _Process.forks

    def require_whole(self, start: Reading) -> None:
        """Raise MeasurementInvalid unless the window began in this opening, and ends in this process."""
        if not self.is_ours:
            raise MeasurementInvalid(
                InvalidCode.UNWATCHED,
                "This process was forked from the one that opened the meter, so nothing is read in between here. Open "
                "meters in the process that measures.",
            )
        if start.opening is not self:
            raise MeasurementInvalid(InvalidCode.UNWATCHED, "The meter was closed or opened anew inside the window.")
