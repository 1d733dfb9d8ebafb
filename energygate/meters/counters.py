"""The arithmetic of cumulative counters.

A counter here never wraps and never jumps: what cannot be explained by energy that was used is a fault, which adds
nothing, starts a new epoch, and makes exactly the windows that contain it invalid (docs/measuring.md).
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Measured, Reading, Window
from energygate.meters.opening import Opening
from energygate.units import format_quantity, uj_to_j

LARGEST_COUNT: Final = 0xFFFFFFFF  # a RAPL counter has 32 bits
_READING_S: Final = 0.01  # how far apart the clock and the counter may be read
_STILL_S: Final = 0.2  # no processor, memory or GPU uses nothing for so long: a counter that says so is broken
_LOOKS: Final = 50  # at a counter that should move; the first finds nearly every one that does
_KEEP_ALIVE_S: Final = (0.5, 10.0)
_PROMPT_S: Final = 1.0  # a reading that took longer may be as late as that: the process was stopped in it


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSpec:
    """What is known of a counter before it is read.

    Attributes
    ----------
    domain : str
        The domain that its energy belongs to; several counters may share one.
    source : str
        What a person would look at: a path, a GPU.
    bound_w : float
        Power in watts that only a broken counter exceeds.
    range_uj : int or None
        The largest value in microjoules; None if unknown, and then a falling counter is a reset.
    """

    domain: str
    source: str
    bound_w: float
    update_interval_s: float
    range_uj: int | None = None

    @property
    def modulus_uj(self) -> int | None:
        """What one wrap-around is worth in microjoules: one step above the largest value."""
        return None if self.range_uj is None else self.range_uj + round(self.range_uj / LARGEST_COUNT)

    @property
    def watch_s(self) -> float:
        """Longest time between two readings, in seconds, in which at most one wrap-around is possible."""
        return math.inf if self.modulus_uj is None else uj_to_j(self.modulus_uj) / self.bound_w

    @property
    def still_s(self) -> float:
        """Longest time between two readings, in seconds, in which a counter that works may stand still."""
        return max(_STILL_S, 10 * self.update_interval_s)

    @property
    def keep_alive_s(self) -> float:
        """Time between two keep-alive readings, in seconds: a quarter of the shortest time to a wrap-around."""
        range_j = math.inf if self.range_uj is None else uj_to_j(self.range_uj)
        low, high = _KEEP_ALIVE_S
        return min(max(range_j / (4 * self.bound_w), low), high)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an epoch ended."""

    code: InvalidCode
    sentence: str


class Counter:
    """One counter of microjoules, unwrapped.

    Parameters
    ----------
    read_uj : callable
        Reads the source; raises MeasurementInvalid where it cannot, and so does the constructor.
    at_s : float
        Monotonic seconds now.

    Attributes
    ----------
    total_uj : int
        Energy used since the counter was made.
    faults : list of Fault
        The fault that ended each epoch; the present epoch is its length.
    """

    def __init__(self, spec: CounterSpec, read_uj: Callable[[], int], *, at_s: float) -> None:
        self.spec = spec
        self.domain = spec.domain
        self.total_uj = 0
        self.faults: list[Fault] = []
        self.last_uj = read_uj()
        self.last_at_s = at_s
        self._read_uj = read_uj
        self._lost: Fault | None = None
        self._modulus_uj = spec.modulus_uj or 0
        self._watch_s = spec.watch_s
        self._bound_uw = spec.bound_w * 1e6
        self._slack_s = 2 * spec.update_interval_s + _READING_S
        self._still_s = spec.still_s

    def refresh(self, at_s: float) -> None:
        """Read the source; what goes wrong becomes a fault."""
        try:
            raw_uj = self._read_uj()
        except MeasurementInvalid as error:
            self.lose(Fault(error.code, error.sentence))
        else:
            self.advance(raw_uj, at_s)

    def advance(self, raw_uj: int, at_s: float) -> None:
        """Take the raw value `raw_uj`, in microjoules, that was read at `at_s` seconds."""
        step_uj = raw_uj - self.last_uj
        if step_uj < 0 and self.last_uj <= self._modulus_uj:  # one above its own range does not wrap there
            step_uj += self._modulus_uj
        elapsed_s = at_s - self.last_at_s
        may_uj = self._bound_uw * (elapsed_s + self._slack_s)
        moves = step_uj or elapsed_s <= self._still_s
        if 0 <= step_uj <= may_uj and elapsed_s <= self._watch_s and moves and self._lost is None:
            self.total_uj += step_uj
        else:
            self.faults.append(self._lost or self._fault(step_uj, elapsed_s))
            self._lost = None
        self.last_uj, self.last_at_s = raw_uj, at_s

    def lose(self, fault: Fault) -> None:
        """Say that the counter could not be read. What it counts until the next good reading belongs to no window."""
        self.faults.append(fault)
        self._lost = fault

    def _fault(self, step_uj: int, elapsed_s: float) -> Fault:
        """Why the step cannot be energy that was used."""
        spec = self.spec
        if step_uj < 0:
            known = "without a known range" if spec.range_uj is None else "from above its range"
            return Fault(
                InvalidCode.COUNTER_RESET,
                f"{spec.source} fell by {format_quantity(uj_to_j(-step_uj), 'J')}, and {known} that is a counter that "
                f"began again: the energy of {spec.domain} is unknown.",
            )
        if elapsed_s > self._watch_s:
            return _unwatched(spec, elapsed_s)
        if step_uj == 0:
            return stands_still(spec, elapsed_s)
        return Fault(
            InvalidCode.IMPLAUSIBLE,
            f"{spec.source} rose by {format_quantity(uj_to_j(step_uj), 'J')} in {format_quantity(elapsed_s, 's')}, "
            f"more than {format_quantity(spec.bound_w, 'W')}: it was set back or is broken, so the energy of "
            f"{spec.domain} is unknown.",
        )


class CounterBank:
    """The counters of one meter, read together under one lock.

    Parameters
    ----------
    counters : sequence of Counter
        In the meter's own order.
    clock, sleep : callable
        Monotonic seconds; waits for seconds.

    Attributes
    ----------
    opening : Opening
        What a window must lie in.
    """

    def __init__(
        self,
        counters: Sequence[Counter],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._counters = tuple(counters)
        self._no_energy_uj = dict.fromkeys((counter.domain for counter in counters), 0)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self.opening = Opening()

    @property
    def keep_alive_s(self) -> float:
        """Time between two keep-alive readings, in seconds: what the hastiest counter needs."""
        return min(counter.spec.keep_alive_s for counter in self._counters)

    def refresh(self) -> None:
        """Read every counter, so that no wrap-around is missed."""
        with self._lock:
            self._refresh()

    def begin(self, window: Window) -> Reading:
        """Read every counter: the start of a window."""
        if not (self._counters and self.opening.is_ours):
            return Reading(window, self._clock())  # its end says so
        with self._lock:
            at_s = self._settle()
            totals_uj = tuple([counter.total_uj for counter in self._counters])
            epochs = tuple([len(counter.faults) for counter in self._counters])
            return Reading(window, at_s, totals_uj, epochs, opening=self.opening)

    def end(self, start: Reading) -> Measured:
        """Read every counter: joules by domain since `start`. Raises MeasurementInvalid."""
        self.opening.require_whole(start)
        with self._lock:
            elapsed_s = self._settle() - start.at_s
            used_j = self._used_j(start, elapsed_s=elapsed_s)
            if elapsed_s > _STILL_S:
                self._require_moving()
            return Measured(used_j)

    def _refresh(self) -> float:
        clock = self._clock
        began_s = at_s = clock()
        for counter in self._counters:
            before_s = counter.last_at_s
            counter.refresh(at_s)
            # A reading lets other threads run, for long where they hold the interpreter: each has its own time.
            after_s = clock()
            if after_s - at_s > _PROMPT_S and after_s - before_s > counter.spec.watch_s:
                counter.lose(_unwatched(counter.spec, after_s - before_s))
            at_s = after_s
        return began_s

    def _settle(self) -> float:
        return self._refresh()

    def _require_moving(self) -> None:
        """Raise MeasurementInvalid where a counter has stopped: since when, and so what is missing, nobody knows."""
        stood = [(counter, counter.last_uj) for counter in self._counters]
        for _ in range(_LOOKS):
            self._sleep(_STILL_S / _LOOKS)
            self._refresh()
            stood = [(counter, last_uj) for counter, last_uj in stood if counter.last_uj == last_uj]
            if not stood:
                return
        still = stands_still(stood[0][0].spec, _STILL_S)
        raise MeasurementInvalid(still.code, still.sentence)

    def _used_j(self, start: Reading, *, elapsed_s: float) -> dict[str, float]:
        used_uj = self._no_energy_uj.copy()
        for counter, total_uj, epoch in zip(self._counters, start.totals_uj, start.epochs, strict=True):
            step_uj = counter.total_uj - total_uj
            if len(counter.faults) > epoch:
                fault = counter.faults[epoch]
                raise MeasurementInvalid(fault.code, fault.sentence)
            if step_uj == 0 and elapsed_s > counter.spec.still_s:  # also where readings in between were closer
                still = stands_still(counter.spec, elapsed_s)
                raise MeasurementInvalid(still.code, still.sentence)
            used_uj[counter.domain] += step_uj
        return {domain: uj_to_j(energy_uj) for domain, energy_uj in used_uj.items()}


def _unwatched(spec: CounterSpec, elapsed_s: float) -> Fault:
    return Fault(
        InvalidCode.UNWATCHED,
        f"{spec.source} was not read for {format_quantity(elapsed_s, 's')}, and at up to "
        f"{format_quantity(spec.bound_w, 'W')} it may have wrapped more than once: the energy of {spec.domain} is "
        "unknown.",
    )


def stands_still(spec: CounterSpec, waited_s: float) -> Fault:
    """Say that a counter did not change for so long, in seconds."""
    return Fault(
        InvalidCode.READ_ERROR,
        f"{spec.source} did not change for {format_quantity(waited_s, 's')}, though it is refreshed every "
        f"{format_quantity(spec.update_interval_s, 's')}: the energy of {spec.domain} is unknown. Update the firmware "
        "and the driver, or use another meter (--energy-meters).",
    )
