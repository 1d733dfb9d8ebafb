"""Idle power before the first and after the last trial, and what its drift says of the trials between."""

import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from energygate.clock import Clock
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.signals import interrupts_held_back
from energygate.meters.base import Domain, Window
from energygate.meters.group import MeterGroup
from energygate.model import IDLE_UNKNOWN, Benchmark, Idle
from energygate.units import format_percent, format_quantity

SHORTEST_IDLE_S: Final = 5.0
NOTHING_LOADED: Final = "nothing that energygate starts was running"
AS_THE_TEST_FOUND_IT: Final = "the test process with what it had loaded"
_INTERVALS: Final = 100  # as many as a trial has: an edge error of one refresh interval is then at most 1 %
_MOST_DRIFT: Final = 0.02  # of a benchmark's power: more than that is in its joules, on one side of the comparison
_COUNTING: Final = frozenset({"counter", "integrated", "scraped"})


def idle_window_s(domains: tuple[Domain, ...], wanted_s: float) -> float:
    """How long an idle window must be in seconds, so that every domain can tell its power."""
    return max([wanted_s, *(_shortest_s(domain) for domain in domains)])


def _shortest_s(domain: Domain) -> float:
    told = domain.shortest_window_s
    return _INTERVALS * domain.update_interval_s if told is None else told


@dataclass(slots=True, kw_only=True)
class IdlePower:
    """The two idle windows of one session.

    Parameters
    ----------
    wanted_s : float
        Shortest window in seconds; 0 measures none.
    """

    meters: MeterGroup
    clock: Clock
    wanted_s: float = 0.0
    idle: Idle | None = None
    unknown: str = ""
    _before_w: Mapping[str, float] | None = None
    _state: str = ""

    @property
    def is_wanted(self) -> bool:
        """Whether there is something to measure: recorded windows know no idle one."""
        return self.wanted_s > 0 and not self.meters.is_replay

    @property
    def window_s(self) -> float:
        """How long each window is."""
        return idle_window_s(self.meters.domains, self.wanted_s)

    def measure_before(self, state: str) -> None:
        """Measure the first window; does nothing where that was done. `state` says what is loaded."""
        if self.is_wanted and self._before_w is None and not self.unknown:
            self._state = state
            self._before_w = self._measured()

    def measure_after(self) -> None:
        """Measure the second window, if there was a first."""
        if self._before_w is None or self.idle is not None:
            return
        after_w = self._measured()
        if after_w is not None:
            self.idle = Idle(
                before_w=dict(self._before_w), after_w=dict(after_w), duration_s=self.window_s, state=self._state
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """Why there is no idle power although it was asked for."""
        return (f"{IDLE_UNKNOWN}{self.unknown}",) if self.unknown else ()

    def _measured(self) -> Mapping[str, float] | None:
        try:
            return measure_idle_w(self.meters, clock=self.clock, seconds=self.window_s)
        except MeasurementInvalid as fault:
            self.unknown = str(fault)
            return None


def measure_idle_w(meters: MeterGroup, *, clock: Clock, seconds: float) -> Mapping[str, float]:
    """Watts by domain while nothing of ours runs for so long. Raises MeasurementInvalid."""
    if not any(meter.kind in _COUNTING for meter in meters.meters):
        raise MeasurementInvalid(InvalidCode.READ_ERROR, "an estimate has no idle power but the one it is given.")
    with interrupts_held_back():
        gc.collect()
    readings = meters.begin(Window())
    started_s = clock.now_s()
    clock.sleep(seconds)
    elapsed_s = clock.now_s() - started_s  # as in a trial, so that what the ends add to both cancels
    measured = meters.end(readings)
    if measured.fault is not None:
        raise measured.fault
    return {domain: energy_j / elapsed_s for domain, energy_j in measured.energy_j.items()}


def with_idle_drift(benchmark: Benchmark, idle: Idle) -> Benchmark:
    """Say that the machine's own power moved too much for this benchmark, if it did and nothing else is said."""
    duration_s = math.fsum(trial.duration_s for trial in benchmark.valid)
    if benchmark.noisy is not None or duration_s <= 0:
        return benchmark
    power_w = math.fsum(trial.total_j for trial in benchmark.valid) / duration_s
    if idle.drift_w <= _MOST_DRIFT * power_w:
        return benchmark
    share = f", {format_percent(idle.drift_w / power_w)} of what this benchmark draws" if power_w > 0 else ""
    reason = (
        f"idle power moved from {format_quantity(idle.total_before_w, 'W')} to "
        f"{format_quantity(idle.total_after_w, 'W')} while it was measured{share}: that much of a change may be the "
        "machine's. Stop what else runs there, let it warm up or cool down, and measure again."
    )
    return msgspec.structs.replace(benchmark, noisy=reason)
