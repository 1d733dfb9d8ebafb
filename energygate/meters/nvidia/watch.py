"""Looks at GPUs at both ends of each window and, with the keep-alive reads, between them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakSet

from energygate.errors import MeasurementInvalid
from energygate.meters.base import Measured, Window
from energygate.meters.nvidia.gpus import Gpu
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.state import Glance, GpuState, GpuWindow

GLANCE_S: Final = 2.0  # five glances in the shortest window that the counter is checked in
_SM: Final = 1  # NVML_CLOCK_SM
_ON_THE_GPU: Final = 0  # NVML_TEMPERATURE_GPU


class WatchedGpu:
    """One GPU, and what it answers: a question that it did not answer once is not asked again.

    Parameters
    ----------
    before : frozenset of int
        The processes that were on it when the meter was opened.
    edge_s : float
        Its counter's refresh interval in seconds.

    Raises
    ------
    MeasurementInvalid
        Where it does not answer at all.
    """

    def __init__(self, gpu: Gpu, *, kinship: Kinship, before: frozenset[int], edge_s: float) -> None:
        self.gpu = gpu
        self.edge_s = edge_s
        self._kinship = kinship
        self._before = before
        self._has_power = gpu.power_w is not None
        self._has_clock = gpu.ask("nvmlDeviceGetClockInfo", _SM) is not None
        self._has_temperature = gpu.ask("nvmlDeviceGetTemperature", _ON_THE_GPU) is not None
        self._has_pstate = gpu.ask("nvmlDeviceGetPerformanceState") is not None
        self._lists_processes = gpu.processes() is not None
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        self._reasons = next((name for name in names if gpu.ask(name) is not None), None)
        self._sm_mhz_max = gpu.ask("nvmlDeviceGetMaxClockInfo", _SM)
        self._foreign_before = kinship.foreign(before) or frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """Why nobody would notice that others use it, if so."""
        if not self._lists_processes:
            reason = "NVML does not list them for this user or with this driver"
        elif not self._kinship.is_certain:
            reason = "in a pid namespace of its own; Docker: `--pid=host`"
        else:
            return ()
        return (
            f"other processes on {self.gpu.domain} cannot be seen here ({reason}), so one that comes goes unnoticed.",
        )

    def glance(self) -> Glance:
        """What it does now. Raises MeasurementInvalid."""
        gpu = self.gpu
        return Glance(
            power_w=gpu.power_w if self._has_power else None,
            sm_mhz=gpu.ask("nvmlDeviceGetClockInfo", _SM) if self._has_clock else None,
            reasons=gpu.ask(self._reasons) if self._reasons else None,
        )

    def state(self, window: Window) -> GpuState:
        """Its state at an end of `window`. Raises MeasurementInvalid."""
        gpu = self.gpu
        return GpuState(
            glance=self.glance(),
            temperature_c=gpu.ask("nvmlDeviceGetTemperature", _ON_THE_GPU) if self._has_temperature else None,
            pstate=gpu.ask("nvmlDeviceGetPerformanceState") if self._has_pstate else None,
            foreign=self._foreign(window.pids) if self._lists_processes else None,
        )

    def window(
        self, start: GpuState, end: GpuState, glances: Sequence[Glance], *, energy_j: float, elapsed_s: float
    ) -> GpuWindow:
        """Put together what is known of a window."""
        return GpuWindow(
            gpu=str(self.gpu),
            start=start,
            end=end,
            glances=glances,
            energy_j=energy_j,
            elapsed_s=elapsed_s,
            edge_s=self.edge_s,
            sm_mhz_max=self._sm_mhz_max,
            power_limit_w=self.gpu.power_limit_w,
            before=self._foreign_before,
        )

    def _foreign(self, pids: tuple[int, ...]) -> frozenset[int] | None:
        foreign = self._foreign_now(pids)
        if not foreign:
            return foreign
        # A process of ours that has just ended looks foreign; it is not there at the second look.
        again = self._foreign_now(pids)
        return None if again is None else foreign & again

    def _foreign_now(self, pids: tuple[int, ...]) -> frozenset[int] | None:
        found = self.gpu.processes()
        if found is None:
            return None
        return self._kinship.foreign([process.pid for process in found], ours=pids, before=self._before)


@dataclass(eq=False, slots=True, weakref_slot=True)
class WatchedWindow:
    """The states at the start of a window, and what was seen since.

    Attributes
    ----------
    fault : MeasurementInvalid or None
        The first look that failed.
    """

    starts: tuple[GpuState, ...] = ()
    glances: list[tuple[Glance, ...]] = field(default_factory=list)
    fault: MeasurementInvalid | None = None


class GpuWatch:
    """The GPUs of one meter. A window that nobody ends is forgotten with its reading."""

    def __init__(self, gpus: Sequence[WatchedGpu]) -> None:
        self._gpus = tuple(gpus)
        self._lock = threading.Lock()
        self._open: WeakSet[WatchedWindow] = WeakSet()

    @property
    def notes(self) -> tuple[str, ...]:
        """Of which GPU something is not seen."""
        return tuple(note for gpu in self._gpus for note in gpu.notes)

    def has_windows(self) -> bool:
        """Whether a window is open."""
        with self._lock:
            return bool(self._open)

    def begin(self, window: Window) -> WatchedWindow:
        """Look at every GPU; a look that fails makes the window invalid when it ends."""
        watched = WatchedWindow()
        try:
            watched.starts = tuple([gpu.state(window) for gpu in self._gpus])
        except MeasurementInvalid as fault:
            watched.fault = fault
        with self._lock:
            self._open.add(watched)
        return watched

    def glance(self) -> None:
        """Look at every GPU, for each window that is open."""
        with self._lock:
            if not (windows := list(self._open)):
                return
        try:
            seen = tuple([gpu.glance() for gpu in self._gpus])
        except MeasurementInvalid as fault:
            for watched in windows:
                watched.fault = watched.fault or fault
            return
        for watched in windows:
            watched.glances.append(seen)

    def end(self, watched: WatchedWindow) -> None:
        """Look no more for this window."""
        with self._lock:
            self._open.discard(watched)

    def judge(self, watched: WatchedWindow, measured: Measured, window: Window, *, elapsed_s: float) -> Measured:
        """Look at every GPU for the last time, and say what is wrong. Raises MeasurementInvalid where a look failed."""
        if watched.fault is not None:
            raise watched.fault
        ends = [gpu.state(window) for gpu in self._gpus]
        windows = [
            gpu.window(
                start,
                end,
                [seen[place] for seen in watched.glances],
                energy_j=measured.energy_j[gpu.gpu.domain],
                elapsed_s=elapsed_s,
            )
            for place, (gpu, start, end) in enumerate(zip(self._gpus, watched.starts, ends, strict=True))
        ]
        conditions: dict[str, Any] = {
            gpu.gpu.domain: each.conditions for gpu, each in zip(self._gpus, windows, strict=True)
        }
        return measured._replace(
            conditions=conditions,
            fault=next((each.fault for each in windows if each.fault is not None), measured.fault),
            notes=tuple(note for each in windows for note in each.notes),
        )
