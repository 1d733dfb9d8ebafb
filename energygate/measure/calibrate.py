"""Fitting the estimate to a real counter: package power against busy processors, by least squares."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Final

from energygate.clock import Clock, SystemClock
from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.measure.load import Sample, load_between, sample, tree_cpu_s
from energygate.meters.base import Meter, Window
from energygate.units import format_percent, format_quantity

LEVEL_S: Final = 5.0
_MOST_LEVELS: Final = 9
_FEWEST_LEVELS: Final = 5  # a line through three points always looks good
_SETTLE_S: Final = 0.3  # until the busy processes have started and the clock has risen
_MOST_FOREIGN: Final = 0.05
_LEAST_R2: Final = 0.9
# It ends when its input does: however this process ends, nothing is left running.
_BURN: Final = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
while True: pass
"""
_QUIET: Final = "Calibrate on a quiet machine whose clock is steady: `energygate doctor` says what is not."


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One window: how many processors were to be busy, how many were, and what the packages drew."""

    wanted: int
    busy: float
    power_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Power as `base_w` + `watts_per_core` for each busy processor.

    Attributes
    ----------
    r2 : float
        Share of the power's variance that it explains.
    error : float
        Standard deviation of the residuals, as a fraction of the mean power.
    """

    watts_per_core: float
    base_w: float
    r2: float
    error: float


def busy_levels(processors: int) -> tuple[int, ...]:
    """How many processors to keep busy, from none to all: evenly spread, few enough for big machines.

    A small machine goes through them more than once, or the fit could not be told from chance.
    """
    steps = min(processors, _MOST_LEVELS - 1)
    once = [round(step * processors / steps) for step in range(steps + 1)]
    return tuple(once * -(-_FEWEST_LEVELS // len(once)))


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep that many processors busy while it lasts."""
    with ExitStack() as started:
        for _ in range(count):
            process = started.enter_context(
                subprocess.Popen(  # noqa: S603  our own interpreter, and our own text
                    [sys.executable, "-I", "-S", "-c", _BURN], stdin=subprocess.PIPE, start_new_session=True
                )
            )
            started.callback(process.kill)
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """Measures power with more and more processors busy.

    Attributes
    ----------
    meter : Meter
        `rapl`, closed; it is closed again.
    seconds : float
        How long each level is measured.
    processors : int
        How many there are to use.
    most_foreign : float
        The share of the machine that others may use.
    busy : callable
        Gives a context in which that many processors are busy.
    own_s : callable
        CPU seconds of our own process tree.
    """

    meter: Meter
    seconds: float = LEVEL_S
    processors: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    most_foreign: float = _MOST_FOREIGN
    proc: Path = Path("/proc")
    busy: Callable[[int], AbstractContextManager[None]] = busy_processes
    own_s: Callable[[Window], float | None] = tree_cpu_s
    clock: Clock = field(default_factory=SystemClock)

    def measure(self, ready: Callable[[], object] = lambda: None) -> Iterator[Level]:
        """Each level in turn.

        Parameters
        ----------
        ready : callable
            Called when the meter is open, before the first level.

        Raises
        ------
        MeterUnavailable
            The meter cannot measure here, or others use the machine; the reason is named.
        """
        with ExitStack() as opened:
            self.meter.open()
            opened.callback(self.meter.close)
            ready()
            for wanted in busy_levels(self.processors):
                with self.busy(wanted):
                    self.clock.sleep(_SETTLE_S)
                    level = self._level(wanted)
                yield level

    def _level(self, wanted: int) -> Level:
        before = self._sample()
        start = self.meter.begin(Window())
        self.clock.sleep(self.seconds)
        after = self._sample()
        elapsed_s = self.clock.now_s() - start.at_s  # the counter is read at once, and then looked at for a while
        try:
            energy_j = self.meter.end(start).energy_j
        except MeasurementInvalid as fault:
            raise _no_model(f"{self.meter.name} had a fault: {fault.sentence.rstrip('.')}") from fault
        packages_j = sum(energy_j[domain.name] for domain in self.meter.domains if domain.part == "cpu")
        return Level(wanted=wanted, busy=self._busy(before, after), power_w=packages_j / elapsed_s)

    def _sample(self) -> Sample:
        return sample(Window(), proc=self.proc, clock=self.clock, own_s=self.own_s)

    def _busy(self, before: Sample, after: Sample) -> float:
        """Busy processors by the kernel's count: others' work costs power too, so it is not taken off."""
        load = load_between(before, after)
        if before.busy_s is None or after.busy_s is None or load.foreign is None:
            raise _no_model("it is not known how busy the processors were")
        if load.foreign > self.most_foreign + load.tick_error:
            raise _no_model(f"other processes used {format_percent(round(load.foreign, 3))} of the machine")
        return (after.busy_s - before.busy_s) / (after.at_s - before.at_s)


def fit(levels: Sequence[Level]) -> Fit:
    """Ordinary least squares; through the origin where the base would be below 0. Raises MeterUnavailable."""
    busy, power_w = [level.busy for level in levels], [level.power_w for level in levels]
    mean_busy, mean_w = fmean(busy), fmean(power_w)
    spread = sum((x - mean_busy) ** 2 for x in busy)
    if not spread:
        raise _no_model("the number of busy processors never changed")
    slope = sum((x - mean_busy) * (y - mean_w) for x, y in zip(busy, power_w, strict=True)) / spread
    base_w, free = mean_w - slope * mean_busy, len(levels) - 2
    if base_w < 0:
        slope = sum(x * y for x, y in zip(busy, power_w, strict=True)) / sum(x * x for x in busy)
        base_w, free = 0.0, len(levels) - 1
    if slope <= 0:
        raise _no_model(f"power does not rise with busy processors ({format_quantity(slope, 'W')} per processor)")
    residual = sum((y - base_w - slope * x) ** 2 for x, y in zip(busy, power_w, strict=True))
    total = sum((y - mean_w) ** 2 for y in power_w)
    r2 = 1 - residual / total
    if r2 < _LEAST_R2:
        raise _no_model(f"busy processors explain only {format_percent(max(r2, 0.0))} of how power changes, not 90 %")
    return Fit(watts_per_core=slope, base_w=base_w, r2=r2, error=(residual / free) ** 0.5 / mean_w)


def _no_model(reason: str) -> MeterUnavailable:
    return MeterUnavailable(
        f"The estimate cannot be calibrated: {reason}.",
        why="Its watts would describe something else than the work; nothing was written.",
        fix=_QUIET,
    )
