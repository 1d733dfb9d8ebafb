"""The arithmetic of cumulative counters, and the thread that reads them often enough to see every wrap-around.

A counter here never wraps and never jumps: what cannot be explained by energy that was used is a fault, which adds
nothing, starts a new epoch, and makes exactly the windows that contain it invalid (docs/measuring.md).
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Measured, Reading, Window
from energygate.units import format_quantity, uj_to_j

LARGEST_COUNT: Final = 0xFFFFFFFF  # a RAPL counter has 32 bits
_READING_S: Final = 0.01  # how far apart the clock and the counter may be read
_STILL_S: Final = 0.2  # no processor, memory or GPU uses nothing for so long: a counter that says so is broken
_KEEP_ALIVE_S: Final = (0.5, 10.0)


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
        if step_uj < 0:
            step_uj += self._modulus_uj
        fault = self._lost or self._fault(step_uj, at_s - self.last_at_s)
        if fault is None:
            self.total_uj += step_uj
        else:
            self.faults.append(fault)
        self.last_uj, self.last_at_s, self._lost = raw_uj, at_s, None

    def lose(self, fault: Fault) -> None:
        """Say that the counter could not be read. What it counts until the next good reading belongs to no window."""
        self.faults.append(fault)
        self._lost = fault

    def _fault(self, step_uj: int, elapsed_s: float) -> Fault | None:
        spec = self.spec
        if step_uj < 0:
            return Fault(
                InvalidCode.COUNTER_RESET,
                f"{spec.source} fell by {format_quantity(uj_to_j(-step_uj), 'J')}, and without a known range that is a "
                f"counter that began again: the energy of {spec.domain} is unknown.",
            )
        if elapsed_s > self._watch_s:
            return Fault(
                InvalidCode.UNWATCHED,
                f"{spec.source} was not read for {format_quantity(elapsed_s, 's')}, and at up to "
                f"{format_quantity(spec.bound_w, 'W')} it may have wrapped more than once: the energy of "
                f"{spec.domain} is unknown.",
            )
        if step_uj > self._bound_uw * (elapsed_s + self._slack_s):
            return Fault(
                InvalidCode.IMPLAUSIBLE,
                f"{spec.source} rose by {format_quantity(uj_to_j(step_uj), 'J')} in {format_quantity(elapsed_s, 's')}, "
                f"more than {format_quantity(spec.bound_w, 'W')}: it was set back or is broken, so the energy of "
                f"{spec.domain} is unknown.",
            )
        return None


class CounterBank:
    """The counters of one meter, read together under one lock.

    Parameters
    ----------
    counters : sequence of Counter
        In the meter's own order.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, counters: Sequence[Counter], *, clock: Callable[[], float]) -> None:
        self._counters = tuple(counters)
        self._clock = clock
        self._lock = threading.Lock()

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
        with self._lock:
            at_s = self._settle()
            totals_uj = tuple([counter.total_uj for counter in self._counters])
            return Reading(window, at_s, totals_uj, tuple([len(counter.faults) for counter in self._counters]))

    def end(self, start: Reading) -> Measured:
        """Read every counter: joules by domain since `start`. Raises MeasurementInvalid."""
        with self._lock:
            ended_s = self._settle()
            return Measured(self._used_j(start, elapsed_s=ended_s - start.at_s))

    def _refresh(self) -> float:
        at_s = self._clock()
        for counter in self._counters:
            counter.refresh(at_s)
        return at_s

    def _settle(self) -> float:
        return self._refresh()

    def _used_j(self, start: Reading, *, elapsed_s: float) -> dict[str, float]:
        used_uj: dict[str, int] = {}
        for counter, total_uj, epoch in zip(self._counters, start.totals_uj, start.epochs, strict=True):
            if len(counter.faults) > epoch:
                fault = counter.faults[epoch]
                raise MeasurementInvalid(fault.code, fault.sentence)
            if counter.total_uj == total_uj and elapsed_s > max(_STILL_S, 10 * counter.spec.update_interval_s):
                still = _stands_still(counter.spec, elapsed_s)
                raise MeasurementInvalid(still.code, still.sentence)
            domain = counter.spec.domain
            used_uj[domain] = used_uj.get(domain, 0) + counter.total_uj - total_uj
        return {domain: uj_to_j(energy_uj) for domain, energy_uj in used_uj.items()}


class AligningBank(CounterBank):
    """Counters that are refreshed seldom: both ends of a window wait until each has just changed.

    Aligning both ends makes the spread of a window's energy 6.5 times smaller; what it catches too much is idle power.

    Parameters
    ----------
    sleep : callable
        Waits for a number of seconds.
    """

    def __init__(
        self, counters: Sequence[Counter], *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        super().__init__(counters, clock=clock)
        self._sleep = sleep
        self._patience_s = max(1.0, *(5 * counter.spec.update_interval_s for counter in counters))

    def _settle(self) -> float:
        began_s = at_s = self._refresh()
        waiting = [(counter, counter.last_uj, len(counter.faults)) for counter in self._counters]
        while waiting and at_s - began_s < self._patience_s:
            self._sleep(0.002)
            at_s = self._clock()
            for counter, _, _ in waiting:
                counter.refresh(at_s)
            waiting = [
                (counter, last_uj, epoch)
                for counter, last_uj, epoch in waiting
                if counter.last_uj == last_uj and len(counter.faults) == epoch
            ]
        for counter, _, _ in waiting:
            counter.lose(_stands_still(counter.spec, at_s - began_s))
        return at_s


def _stands_still(spec: CounterSpec, waited_s: float) -> Fault:
    return Fault(
        InvalidCode.READ_ERROR,
        f"{spec.source} did not change for {format_quantity(waited_s, 's')}, though it is refreshed every "
        f"{format_quantity(spec.update_interval_s, 's')}: the energy of {spec.domain} is unknown.",
    )


class KeepAlive:
    """A daemon thread that calls `refresh` every `every_s` seconds; start and stop it with `with`.

    A thread of this process and no helper process: one that polls loses the race when a wrap-around comes just before
    the end of a window.
    """

    def __init__(self, refresh: Callable[[], None], *, every_s: float, name: str) -> None:
        self._refresh = refresh
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"energygate-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._refresh()
