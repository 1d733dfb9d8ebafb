"""NVIDIA GPUs without an energy counter, by summing up their power readings: `nvml-power`. No measurement of energy."""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.nvidia.gpus import Gpu
from energygate.meters.nvidia.nvml import FORKED
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.refusals import NoGpuForThisMeter
from energygate.meters.nvidia.session import faults_refuse, gpu_session, shared_constants
from energygate.meters.nvidia.watch import GpuWatch, Watch, WatchedGpu
from energygate.meters.options import NvmlOptions
from energygate.model import MeterKind
from energygate.units import format_quantity

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


@dataclass(eq=False, slots=True, weakref_slot=True)
class OpenWindow:
    """A window in which power is summed up, and each GPU's sum and epoch at its start."""

    watch: Watch
    totals_j: tuple[float, ...] = ()
    epochs: tuple[int, ...] = ()


@dataclass(slots=True)
class Sampler:
    """Reads the power of GPUs every 50 ms, by a thread that lives only while a window is open.

    A window that nobody ends is forgotten with its reading.
    """

    sums: Sequence[PowerSum]
    clock: Callable[[], float]
    _open: "WeakSet[OpenWindow]" = field(default_factory=WeakSet)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self, window: OpenWindow) -> float:
        """Take the first reading of a window; give its time in seconds."""
        with self._lock:
            if self._thread is None:
                for each in self.sums:
                    each.rest()
            at_s = self._sample()
            window.totals_j = tuple([each.total_j for each in self.sums])
            window.epochs = tuple([len(each.faults) for each in self.sums])
            self._open.add(window)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="energygate-nvml-power", daemon=True)
                self._thread.start()
            return at_s

    def end(self, window: OpenWindow) -> tuple[float, list[float]]:
        """Take the last reading of a window: its time in seconds, and joules. Raises MeasurementInvalid."""
        with self._lock:
            at_s = self._sample()
            self._open.discard(window)
            for each, epoch in zip(self.sums, window.epochs, strict=True):
                if len(each.faults) > epoch:
                    raise each.faults[epoch]
            used_j = zip(self.sums, window.totals_j, strict=True)
            return at_s, [each.total_j - before_j for each, before_j in used_j]

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if (thread := self._thread) is not None:
            thread.join()

    def _sample(self) -> float:
        at_s = self.clock()
        for each in self.sums:
            each.sample(at_s)
        return at_s

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            with self._lock:
                if not self._open:
                    self._thread = None
                    return
                self._sample()


class NvmlPower:
    """Integrated power of the NVIDIA GPUs that the workload can see and that have no energy counter.

    Parameters
    ----------
    environ : mapping, optional
        The workload's environment.
    kinship : Kinship, optional
        Whose processes may be on the GPUs.
    clock : callable
        Monotonic seconds.
    """

    name = "nvml-power"
    kind: MeterKind = "integrated"

    def __init__(
        self,
        options: NvmlOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        kinship: Kinship | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or NvmlOptions(integrate_power=True)
        self._environ = environ or {}
        self._kinship = kinship or Kinship()
        self._clock = clock
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._hardware = Hardware()
        self._notes: tuple[str, ...] = ()
        self._opened_by = 0
        self._forget()

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`gpu-0`, `gpu-1`, and so on by PCI bus id."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Whether others may be on the GPUs. That it is no counter is in its kind."""
        return shared_constants(self._options)

    @property
    def hardware(self) -> Hardware:
        """The measured GPUs, those with a counter too, and their driver."""
        return self._hardware

    @property
    def notes(self) -> tuple[str, ...]:
        """Which numbers are no measurement of energy."""
        return self._notes

    def open(self) -> None:
        """Find the GPUs without a counter. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            session = resources.enter_context(gpu_session(self._options, environ=self._environ, kinship=self._kinship))
            gpus = session.found.uncounted
            if not gpus:
                raise NoGpuForThisMeter("Every GPU here has an energy counter.", why="nvml reads them.")
            with faults_refuse():
                self._watch = GpuWatch([_watched(gpu, self._kinship, session.found.processes) for gpu in gpus])
            self._sampler = Sampler([PowerSum(str(gpu), _power(gpu)) for gpu in gpus], self._clock)
            resources.callback(self._sampler.close)
            self._domains = tuple(gpu.as_domain(SAMPLE_S, shortest_window_s=SHORTEST_WINDOW_S) for gpu in gpus)
            self._hardware, self._opened_by = session.hardware, os.getpid()
            self._notes = tuple(f"{gpu} has no energy counter: its energy is integrated power." for gpu in gpus)
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Look at the GPUs, and start to sum up their power."""
        if os.getpid() != self._opened_by:
            return Reading(window, self._clock())  # its end says so
        open_window = OpenWindow(self._watch.begin(window))
        return Reading(window, self._sampler.begin(open_window), before=open_window)

    def end(self, start: Reading) -> Measured:
        """Give the joules by domain since `start`. Raises MeasurementInvalid."""
        if os.getpid() != self._opened_by or start.before is None:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, FORKED)
        ended_s, used_j = self._sampler.end(start.before)
        names = [domain.name for domain in self._domains]
        measured = Measured(dict(zip(names, used_j, strict=True)))
        return self._watch.end(start.before.watch, measured, start.window, elapsed_s=ended_s - start.at_s)

    def close(self) -> None:
        """End the thread and shut NVML down."""
        self._resources.close()
        self._forget()

    def _forget(self) -> None:
        """Handles end with the session."""
        self._sampler = Sampler((), self._clock)
        self._watch = GpuWatch(())


def _watched(gpu: Gpu, kinship: Kinship, processes: Mapping[str, frozenset[int]]) -> WatchedGpu:
    return WatchedGpu(gpu, kinship=kinship, before=processes[gpu.domain], edge_s=SAMPLE_S)


def _power(gpu: Gpu) -> Callable[[], float]:
    def read_w() -> float:
        power_w = gpu.power_w
        if power_w is None:
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR, f"{gpu} does not show its power any more. Its energy is unknown."
            )
        return power_w

    return read_w
