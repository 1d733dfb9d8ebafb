"""NVIDIA GPUs without an energy counter, by summing up their power readings: `nvml-power`. No measurement of energy."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Measured, Reading, Window
from energygate.meters.nvidia.gpus import Gpu
from energygate.meters.nvidia.meter import GpuMeter, Started
from energygate.meters.nvidia.refusals import NoGpuForThisMeter
from energygate.meters.nvidia.session import GpuSession
from energygate.meters.opening import Opening
from energygate.model import MeterKind
from energygate.units import format_quantity, uj_to_j

SAMPLE_S: Final = 0.05
LONGEST_GAP_S: Final = 0.5
# A reading is the mean of the last second, so each end of a window is wrong by half a second of the power's step.
SHORTEST_WINDOW_S: Final = 30.0


class PowerSum:
    """Energy of one GPU as the trapezoid under its power readings; a gap among them starts a new epoch.

    Parameters
    ----------
    read_w : callable
        Watts now; raises MeasurementInvalid where they cannot be read.

    Attributes
    ----------
    total_j : float
        Energy since it was made.
    faults : list of MeasurementInvalid
        What ended each epoch; the present epoch is its length.
    """

    def __init__(self, source: str, read_w: Callable[[], float]) -> None:
        self.total_j = 0.0
        self.faults: list[MeasurementInvalid] = []
        self._source = source
        self._read_w = read_w
        self._last: tuple[float, float] | None = None

    @property
    def total_uj(self) -> int:
        """The same in whole microjoules, as a Reading has it."""
        return round(self.total_j * 1e6)

    def rest(self) -> None:
        """Nobody looks from now on, so what comes until the next reading belongs to no window."""
        self._last = None

    def sample(self, at_s: float) -> None:
        """Read the power at `at_s` seconds; what goes wrong becomes a fault."""
        try:
            power_w = self._read_w()
        except MeasurementInvalid as fault:
            self.faults.append(fault)
            self._last = None
            return
        if self._last is not None:
            self._add(*self._last, at_s, power_w)
        self._last = at_s, power_w

    def _add(self, before_s: float, before_w: float, at_s: float, power_w: float) -> None:
        if at_s - before_s <= LONGEST_GAP_S:
            self.total_j += (before_w + power_w) / 2 * (at_s - before_s)
            return
        self.faults.append(
            MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"{self._source} was not asked for its power for {format_quantity(at_s - before_s, 's')}, and more "
                f"than {LONGEST_GAP_S:g} s are no sum: its energy is unknown.",
            )
        )


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Reads the power of GPUs every 50 ms, by a thread that lives only while a window is open.

    Parameters
    ----------
    sums : mapping of domain to PowerSum
        The GPUs.
    has_windows : callable
        Whether a window is open.
    clock : callable
        Monotonic seconds.
    """

    sums: Mapping[str, PowerSum]
    has_windows: Callable[[], bool]
    clock: Callable[[], float]
    opening: Opening = field(default_factory=Opening)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, window: Window) -> Reading:
        """Take the first reading of a window that is open."""
        with self._lock:
            if self._thread is None:
                for each in self.sums.values():
                    each.rest()
            at_s = self._sample()
            totals_uj = tuple([each.total_uj for each in self.sums.values()])
            epochs = tuple([len(each.faults) for each in self.sums.values()])
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="energygate-nvml-power", daemon=True)
                self._thread.start()
            return Reading(window, at_s, totals_uj, epochs, opening=self.opening)

    def end(self, start: Reading) -> Measured:
        """Take the last reading of a window: joules by domain. Raises MeasurementInvalid."""
        self.opening.require_whole(start)
        with self._lock:
            at_s = self._sample()
            for each, epoch in zip(self.sums.values(), start.epochs, strict=True):
                if len(each.faults) > epoch:
                    raise each.faults[epoch]
            used_j = {
                domain: uj_to_j(each.total_uj - before_uj)
                for (domain, each), before_uj in zip(self.sums.items(), start.totals_uj, strict=True)
            }
            return Measured(used_j, fault=_too_short(at_s - start.at_s))

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if (thread := self._thread) is not None:
            thread.join()

    def _sample(self) -> float:
        at_s = self.clock()
        for each in self.sums.values():
            each.sample(at_s)
        return at_s

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            with self._lock:
                if not self.has_windows():
                    self._thread = None
                    return
                self._sample()


class NvmlPower(GpuMeter):
    """Integrated power of the NVIDIA GPUs that the workload can see and that have no energy counter."""

    name = "nvml-power"
    kind: MeterKind = "integrated"

    def _start(self, session: GpuSession, resources: ExitStack) -> Started:
        """Find the GPUs without a counter; nothing reads them yet."""
        gpus = session.found.uncounted
        if not gpus:
            raise NoGpuForThisMeter("Every GPU here has an energy counter.", why="nvml reads them.")
        watch = self._watch_over(session, [(gpu, SAMPLE_S) for gpu in gpus])
        sums = {gpu.domain: PowerSum(str(gpu), _power(gpu)) for gpu in gpus}
        sampler = Sampler(sums=sums, has_windows=watch.has_windows, clock=self._clock)
        resources.callback(sampler.close)
        domains = tuple(gpu.as_domain(SAMPLE_S, shortest_window_s=SHORTEST_WINDOW_S) for gpu in gpus)
        notes = tuple(f"{gpu} has no energy counter: its energy is integrated power." for gpu in gpus)
        return Started(gauge=sampler, watch=watch, domains=domains, notes=notes)


def _too_short(duration_s: float) -> MeasurementInvalid | None:
    """A window that is too short is told all the same: how much longer it must be follows from it."""
    if duration_s >= SHORTEST_WINDOW_S:
        return None
    return MeasurementInvalid(
        InvalidCode.TOO_SHORT,
        f"The window was {format_quantity(duration_s, 's')} long, and integrated power needs {SHORTEST_WINDOW_S:g} s: "
        "a reading is the mean of the last second, so both ends are blurred. Repeat the work inside the window.",
    )


def _power(gpu: Gpu) -> Callable[[], float]:
    def read_w() -> float:
        power_w = gpu.power_w
        if power_w is None:
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR, f"{gpu} does not show its power any more. Its energy is unknown."
            )
        return power_w

    return read_w
