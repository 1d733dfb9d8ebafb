"""What every meter of GPUs does: it chooses them, watches them around each window, and lets a gauge tell the energy."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.counters import CounterBank
from energygate.meters.nvidia.gpus import Gpu
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.session import GpuSession, faults_refuse, gpu_session
from energygate.meters.nvidia.watch import GpuWatch, WatchedGpu
from energygate.meters.opening import Opening
from energygate.meters.options import NvmlOptions
from energygate.model import MeterKind


class Gauge(Protocol):
    """What tells the energy of GPUs: their counters, or the sum of their power."""

    @property
    def opening(self) -> Opening:
        """What a window must lie in."""
        ...

    def begin(self, window: Window) -> Reading:
        """Read: the start of a window."""
        ...

    def end(self, start: Reading) -> Measured:
        """Read again. Raises MeasurementInvalid."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What is measured from now on, and how."""

    gauge: Gauge
    watch: GpuWatch
    domains: tuple[Domain, ...]
    notes: tuple[str, ...]


class GpuMeter(ABC):
    """NVIDIA GPUs that the workload can see. See `energygate.meters.base.Meter`.

    Parameters
    ----------
    environ : mapping, optional
        The workload's environment.
    kinship : Kinship, optional
        Whose processes may be on the GPUs.
    clock : callable
        Monotonic seconds.
    """

    name: str
    kind: MeterKind
    _gauge: Gauge
    _watch: GpuWatch

    def __init__(
        self,
        options: NvmlOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        kinship: Kinship | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or NvmlOptions()
        self._environ = environ or {}
        self._kinship = kinship or Kinship()
        self._clock = clock
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._hardware = Hardware()
        self._notes: tuple[str, ...] = ()
        self._forget()

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`gpu-0`, `gpu-1`, and so on by PCI bus id."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Whether others may be on the GPUs. The GPUs themselves are keys of the machine."""
        return {"shared": "allow"} if self._options.shared == "allow" else {}

    @property
    def hardware(self) -> Hardware:
        """The GPUs that are measured here, by any meter, and their driver."""
        return self._hardware

    @property
    def notes(self) -> tuple[str, ...]:
        """What is doubtful of the numbers, and what would make them steadier."""
        return self._notes

    def open(self) -> None:
        """Choose the GPUs and start to watch them. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            session = resources.enter_context(gpu_session(self._options, environ=self._environ, kinship=self._kinship))
            with faults_refuse():
                started = self._start(session, resources)
            self._gauge, self._watch = started.gauge, started.watch
            self._domains, self._hardware = started.domains, session.hardware
            self._notes = (*started.notes, *started.watch.notes)
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Look at the GPUs, then read."""
        if not self._gauge.opening.is_ours:  # a session of NVML does not outlive a fork: it must not be asked
            return Reading(window, self._clock())  # its end says so
        watched = self._watch.begin(window)
        return self._gauge.begin(window)._replace(before=watched)

    def end(self, start: Reading) -> Measured:
        """Read, then look at the GPUs: joules by domain since `start`. Raises MeasurementInvalid."""
        self._gauge.opening.require_whole(start)
        try:
            measured = self._gauge.end(start)
        finally:
            self._watch.end(start.before)
        elapsed_s = self._clock() - start.at_s
        return self._watch.judge(start.before, measured, start.window, elapsed_s=elapsed_s)

    def close(self) -> None:
        """Stop what reads, and shut NVML down."""
        self._resources.close()
        self._forget()

    @abstractmethod
    def _start(self, session: GpuSession, resources: ExitStack) -> Started:
        """Start to measure what there is; `resources` ends it. Raises MeterUnavailable or MeasurementInvalid."""

    def _watch_over(self, session: GpuSession, timed: Sequence[tuple[Gpu, float]]) -> GpuWatch:
        """Watch GPUs, each with the seconds by which an end of its window may be wrong."""
        before = session.found.processes
        return GpuWatch(
            [WatchedGpu(gpu, kinship=self._kinship, before=before[gpu.domain], edge_s=edge_s) for gpu, edge_s in timed]
        )

    def _forget(self) -> None:
        """Handles end with the session."""
        self._gauge = CounterBank((), clock=self._clock)
        self._watch = GpuWatch(())
