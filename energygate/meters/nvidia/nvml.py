"""NVIDIA GPUs through NVML's total-energy counter: `nvml`."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.counters import AligningBank, Counter, CounterBank, KeepAlive
from energygate.meters.nvidia.gpus import measure_update_intervals_s
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.refusals import Measurable, NoGpuForThisMeter
from energygate.meters.nvidia.session import faults_refuse, gpu_session, shared_constants
from energygate.meters.nvidia.watch import GLANCE_S, GpuWatch, WatchedGpu
from energygate.meters.options import NvmlOptions
from energygate.model import MeterKind

FORKED: Final = (
    "This process was forked after NVML was opened, and a session of NVML does not outlive a fork: the energy of GPUs "
    "is unknown. Measure in the process that opened the meter."
)


class Nvml:
    """Energy of the NVIDIA GPUs that the workload can see.

    A window waits at both ends until each counter has just changed, because counters are refreshed as seldom as ten
    times a second.

    Parameters
    ----------
    environ : mapping, optional
        The workload's environment.
    kinship : Kinship, optional
        Whose processes may be on the GPUs.
    clock, sleep : callable
        Monotonic seconds; waits for seconds.
    """

    name = "nvml"
    kind: MeterKind = "counter"

    def __init__(
        self,
        options: NvmlOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        kinship: Kinship | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options or NvmlOptions()
        self._environ = environ or {}
        self._kinship = kinship or Kinship()
        self._clock = clock
        self._sleep = sleep
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
        """Whether others may be on the GPUs. The GPUs themselves are keys of the machine."""
        return shared_constants(self._options)

    @property
    def hardware(self) -> Hardware:
        """The measured GPUs and their driver."""
        return self._hardware

    @property
    def notes(self) -> tuple[str, ...]:
        """What would make the numbers unsteady."""
        return self._notes

    def open(self) -> None:
        """Find the GPUs, measure how often they refresh, start the keep-alive thread. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            session = resources.enter_context(gpu_session(self._options, environ=self._environ, kinship=self._kinship))
            with faults_refuse():
                self._watch_counters(session.found)
            self._hardware, self._notes, self._opened_by = session.hardware, session.notes, os.getpid()
            every_s = min(GLANCE_S, self._bank.keep_alive_s)
            resources.enter_context(KeepAlive(self._keep_alive, every_s=every_s, name=self.name))
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Look at the GPUs, then wait until each one's counter changes: that is the start."""
        if os.getpid() != self._opened_by:
            return Reading(window, self._clock())  # its end says so
        watch = self._watch.begin(window)
        return self._bank.begin(window)._replace(before=watch)

    def end(self, start: Reading) -> Measured:
        """Wait until each GPU's counter changes: joules by domain since `start`. Raises MeasurementInvalid."""
        if os.getpid() != self._opened_by or start.before is None:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, FORKED)
        measured = self._bank.end(start)
        elapsed_s = self._clock() - start.at_s
        return self._watch.end(start.before, measured, start.window, elapsed_s=elapsed_s)

    def close(self) -> None:
        """Stop the thread and shut NVML down."""
        self._resources.close()
        self._forget()

    def _forget(self) -> None:
        """Handles end with the session."""
        self._bank = CounterBank((), clock=self._clock)
        self._watch = GpuWatch(())

    def _watch_counters(self, found: Measurable) -> None:
        gpus = found.counted
        if not gpus:
            raise NoGpuForThisMeter("No GPU here has an energy counter.", why="nvml-power sums up their power instead.")
        intervals_s = measure_update_intervals_s(gpus, clock=self._clock, sleep=self._sleep)
        at_s = self._clock()
        timed = list(zip(gpus, intervals_s, strict=True))
        self._bank = AligningBank(
            [Counter(gpu.counter(interval_s), gpu.read_uj, at_s=at_s) for gpu, interval_s in timed],
            clock=self._clock,
            sleep=self._sleep,
        )
        self._watch = GpuWatch(
            [
                WatchedGpu(gpu, kinship=self._kinship, before=found.processes[gpu.domain], edge_s=interval_s)
                for gpu, interval_s in timed
            ]
        )
        self._domains = tuple(gpu.as_domain(interval_s) for gpu, interval_s in timed)

    def _keep_alive(self) -> None:
        self._bank.refresh()
        self._watch.glance()
