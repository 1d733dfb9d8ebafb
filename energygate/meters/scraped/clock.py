"""The server's clock, by which samples are dated, against ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from energygate.meters.scraped.scrapes import Unscrapable
from energygate.units import format_quantity

_APART_S: Final = 1.0
_STEP_S: Final = 0.1  # a clock that moves by more than that in a window was set
_DRIFT: Final = 1e-3  # of the window's duration: twice the most that a clock is slewed by (adjtimex: 500 ppm)


@dataclass(frozen=True, slots=True)
class ServerClock:
    """What to add to our monotonic seconds, and by how much that may be off."""

    ahead_s: float
    error_s: float


def compare_clocks(
    server_s: Callable[[], float], *, clock: Callable[[], float], now: Callable[[], float]
) -> ServerClock:
    """Ask the server for its time, between two looks at our clock.

    Raises
    ------
    Unscrapable
        It is more than a second from our wall clock: then one of the two is wrong.
    """
    asked_s, wall_s = clock(), now()
    then_s = server_s()
    took_s = clock() - asked_s
    apart_s = then_s - wall_s
    if not -_APART_S <= apart_s <= _APART_S + took_s:
        direction = "ahead of" if apart_s > 0 else "behind"
        raise Unscrapable(
            f"The server's clock is {format_quantity(abs(apart_s), 's')} {direction} this machine's.",
            fix="Let both follow a time server: `timedatectl set-ntp true`.",
        )
    return ServerClock(ahead_s=then_s - (asked_s + took_s / 2), error_s=took_s / 2)


def refuse_steps(before: ServerClock, after: ServerClock, *, duration_s: float) -> None:
    """Raise Unscrapable where the server's clock was set inside a window of `duration_s`."""
    moved_s = after.ahead_s - before.ahead_s
    if abs(moved_s) > _STEP_S + _DRIFT * duration_s + before.error_s + after.error_s:
        raise Unscrapable(
            f"The server's clock moved by {format_quantity(abs(moved_s), 's')} inside the window.",
            fix="Let a time server slew it, not step it.",
        )
