"""Idle power before the first and after the last trial, and what its drift says of the trials between."""

import gc
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from energygate.clock import Clock
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.watch import Unwatched, Watch
from energygate.meters.base import Domain, Measured, Window
from energygate.meters.group import MeterGroup
from energygate.model import IDLE_UNKNOWN, Benchmark, Idle
from energygate.signals import interrupts_held_back
from energygate.units import format_percent, format_quantity

SHORTEST_IDLE_S: Final = 5.0
NOTHING_LOADED: Final = "nothing that energygate starts was running"
AS_THE_TEST_FOUND_IT: Final = "the test process with what it had loaded"
_MOST_DRIFT_OF_WORK: Final = 0.02  # of a benchmark's power: more is in its joules, on one side of the comparison
_COOLING_S: Final = 30.0
_STEADY: Final = 0.01  # two looks of 5 s that agree so well: of an excess that halves every 15 s, 4 % of idle is left
_COUNTING: Final = frozenset({"counter", "integrated", "scraped"})


def idle_window_s(domains: tuple[Domain, ...], wanted_s: float) -> float:
    """How long an idle window must be in seconds, so that every domain can tell its power."""
    return max([wanted_s, *(domain.least_window_s for domain in domains)])


@dataclass(slots=True, kw_only=True)
class IdlePower:
    """The two idle windows of one session.

    Parameters
    ----------
    wanted_s : float
        Shortest window in seconds; 0 measures none.
    watch : Watch
        Looks at the machine around each window: one with foreign load tells no idle power.
    """

    meters: MeterGroup
    clock: Clock
    wanted_s: float = 0.0
    watch: Watch = field(default_factory=Unwatched)
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
        """Let the machine cool down, then measure the second window, if there was a first."""
        if self._before_w is None or self.idle is not None:
            return
        after_w = self._measured(first=lambda: cool_down(self.meters, clock=self.clock))
        if after_w is not None:
            self.idle = Idle(
                before_w=dict(self._before_w), after_w=dict(after_w), duration_s=self.window_s, state=self._state
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """Why there is no idle power although it was asked for."""
        return (f"{IDLE_UNKNOWN}{self.unknown}",) if self.unknown else ()

    def _measured(self, *, first: Callable[[], object] = lambda: None) -> Mapping[str, float] | None:
        try:
            first()
            return measure_idle_w(self.meters, clock=self.clock, seconds=self.window_s, watch=self.watch)
        except MeasurementInvalid as fault:
            self.unknown = str(fault)
            return None


def measure_idle_w(meters: MeterGroup, *, clock: Clock, seconds: float, watch: Watch) -> Mapping[str, float]:
    """Watts by domain while nothing of ours runs for so long. Raises MeasurementInvalid."""
    if not any(meter.kind in _COUNTING for meter in meters.meters):
        raise MeasurementInvalid(InvalidCode.READ_ERROR, "an estimate has no idle power but the one it is given.")
    look_again = watch.begin(Window())
    measured, power_w = _rest(meters, clock=clock, seconds=seconds)
    observed = look_again()
    noise = observed.noise.fault if observed.noise is not None else None
    if fault := measured.fault or observed.fault or noise:
        raise fault
    return power_w


def cool_down(meters: MeterGroup, *, clock: Clock) -> None:
    """Wait until the machine draws the same in two short windows, or for 30 s. Raises MeasurementInvalid.

    Notes
    -----
    Work leaves it hot, and hot silicon leaks: the window before the work would be a colder machine's than the one
    after it. Where a window that the meters can tell takes long, nobody looks: the wait is then 30 s.
    """
    look_s = idle_window_s(meters.domains, SHORTEST_IDLE_S)
    if 2 * look_s > _COOLING_S:
        clock.sleep(_COOLING_S)
        return
    started_s, last_w = clock.now_s(), math.inf
    while clock.now_s() - started_s + look_s <= _COOLING_S:
        _, found_w = _rest(meters, clock=clock, seconds=look_s)  # that a GPU is still throttled is why this waits
        power_w = math.fsum(found_w.values())
        if abs(power_w - last_w) <= _STEADY * power_w:
            return
        last_w = power_w


def _rest(meters: MeterGroup, *, clock: Clock, seconds: float) -> tuple[Measured, Mapping[str, float]]:
    """Do nothing for so long: what the meters say of it, and watts by domain. Raises MeasurementInvalid."""
    with interrupts_held_back():
        gc.collect()
    readings = meters.begin(Window())
    started_s = clock.now_s()
    clock.sleep(seconds)
    elapsed_s = clock.now_s() - started_s  # as in a trial, so that what the ends add to both cancels
    measured = meters.end(readings)
    return measured, {domain: energy_j / elapsed_s for domain, energy_j in measured.energy_j.items()}


def with_idle_drift(benchmark: Benchmark, idle: Idle) -> Benchmark:
    """Say that the machine's own power moved too much for this benchmark, if it did and nothing else is said."""
    duration_s = math.fsum(trial.duration_s for trial in benchmark.valid)
    if benchmark.noisy is not None or duration_s <= 0:
        return benchmark
    power_w = math.fsum(trial.total_j for trial in benchmark.valid) / duration_s
    if idle.drift_w <= _MOST_DRIFT_OF_WORK * power_w:
        return benchmark
    share = f", {format_percent(idle.drift_w / power_w)} of what this benchmark draws" if power_w > 0 else ""
    before, after, moved = (format_quantity(w, "W") for w in (idle.total_before_w, idle.total_after_w, idle.drift_w))
    reason = (
        f"idle power moved by {moved} (from {before} to {after} in all) while it was measured{share}: that much of a "
        "change may be the machine's. Stop what else runs there, let it warm up or cool down, and measure again."
    )
    return msgspec.structs.replace(benchmark, noisy=reason)
