"""What NVML says of each GPU: who it is, its counter, and how often that counter is refreshed."""

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain
from energygate.meters.counters import CounterSpec
from energygate.meters.nvidia.library import said
from energygate.meters.nvidia.processes import GpuProcess
from energygate.units import mj_to_uj

RESOLUTION_J: Final = 0.001
_UNKNOWN_LIMIT_W: Final = 2000.0
_CHANGES: Final = 11
_LONGEST_WATCH_S: Final = 3.0


class Gpu:
    """One GPU with a handle that holds until nvmlShutdown.

    Parameters
    ----------
    nvml : module
        The bindings, initialised.
    handle : object
        NVML's own.
    bus : str
        PCI bus id; NVML's own order may change at a reboot, this one does not.
    position : int
        Place by PCI bus id, from 0, among all GPUs of the machine.
    """

    def __init__(self, nvml: Any, handle: Any, *, bus: str, position: int) -> None:
        self._nvml = nvml
        self._handle = handle
        self.bus = bus
        self.domain = f"gpu-{position}"
        self.model, self.uuid = "", ""
        self.model = self.ask("nvmlDeviceGetName") or "no name"
        self.uuid = self.ask("nvmlDeviceGetUUID") or "no UUID"

    def __str__(self) -> str:
        return f"{self.domain} ({self.model}, {self.uuid})" if self.uuid else f"{self.domain} (PCI bus {self.bus})"

    def ask(self, call: str, *arguments: object) -> Any:
        """What NVML answers; None where it says that this GPU or driver has no such thing.

        Raises
        ------
        MeasurementInvalid
            At any other error.
        """
        nvml = self._nvml
        try:
            return getattr(nvml, call)(self._handle, *arguments)
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
            return None
        except nvml.NVMLError as error:
            raise self._fault(error, f"{self} does not answer {call}: {said(error)}.") from error

    def driver_knows(self, call: str) -> bool:
        """Whether the driver has that function, whatever it says of this GPU."""
        nvml = self._nvml
        try:
            getattr(nvml, call)(self._handle)
        except nvml.NVMLError_FunctionNotFound:
            return False
        except nvml.NVMLError_NotSupported:
            pass
        return True

    def read_uj(self) -> int:
        """The counter in microjoules. Raises MeasurementInvalid."""
        nvml = self._nvml
        try:
            return mj_to_uj(nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except nvml.NVMLError as error:
            sentence = f"The energy counter of {self} cannot be read: {said(error)}. Its energy is unknown."
            raise self._fault(error, sentence) from error

    @property
    def power_w(self) -> float | None:
        """Watts now: the mean of the last second on most GPUs. None where there is no such reading."""
        power_mw = self.ask("nvmlDeviceGetPowerUsage")
        return None if power_mw is None else power_mw / 1000

    @property
    def power_limit_w(self) -> float | None:
        """The power that the driver enforces, in watts."""
        limit_mw = self.ask("nvmlDeviceGetEnforcedPowerLimit")
        return None if limit_mw is None else limit_mw / 1000

    @property
    def in_mig_mode(self) -> bool:
        """Whether it is cut into slices."""
        mode = self.ask("nvmlDeviceGetMigMode")
        return mode is not None and bool(mode[0])

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """What computes on it; None where this user or driver cannot tell. Raises MeasurementInvalid."""
        nvml = self._nvml
        try:
            # The unversioned call of the bindings fails in a way of its own where the driver has not the newest.
            found = self.ask("nvmlDeviceGetComputeRunningProcesses_v3")
            if found is None:
                found = self.ask("nvmlDeviceGetComputeRunningProcesses_v2")
        except MeasurementInvalid as fault:
            if isinstance(fault.__cause__, nvml.NVMLError_NoPermission):
                return None
            raise
        return None if found is None else tuple(_process(each) for each in found)

    def counter(self, update_interval_s: float) -> CounterSpec:
        """The counter as it may be used, refreshed every `update_interval_s` seconds."""
        limit_w = self.power_limit_w
        bound_w = _UNKNOWN_LIMIT_W if limit_w is None else 1.5 * limit_w
        return CounterSpec(domain=self.domain, source=str(self), bound_w=bound_w, update_interval_s=update_interval_s)

    def as_domain(self, update_interval_s: float, *, shortest_window_s: float | None = None) -> Domain:
        """The domain, with the model and UUID that tell it apart."""
        return Domain(
            name=self.domain,
            part="gpu",
            update_interval_s=update_interval_s,
            resolution_j=RESOLUTION_J,
            shortest_window_s=shortest_window_s,
            detail=f"{self.model} {self.uuid}",
        )

    def _fault(self, error: Exception, sentence: str) -> MeasurementInvalid:
        lost = isinstance(error, self._nvml.NVMLError_GpuIsLost)
        return MeasurementInvalid(InvalidCode.GPU_LOST if lost else InvalidCode.READ_ERROR, sentence)


def find_gpus(nvml: Any) -> list[Gpu]:
    """Every GPU by PCI bus id. Raises MeasurementInvalid where one does not say who it is."""
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    by_bus = sorted((_bus(nvml, handle), index) for index, handle in enumerate(handles))
    return [Gpu(nvml, handles[index], bus=bus, position=place) for place, (bus, index) in enumerate(by_bus)]


def leave_out(gpu: Gpu, gpus: Sequence[Gpu]) -> str:
    """How to measure without this one of `gpus`."""
    others = [other.uuid for other in gpus if other is not gpu]
    if not others:
        return "Or leave GPUs out with --energy-meters=rapl."
    return (
        f"Or leave it out: name the others in energygate.yml, `nvml: {{gpus: [{', '.join(others)}]}}`, or in "
        "CUDA_VISIBLE_DEVICES."
    )


def measure_update_intervals_s(
    gpus: Sequence[Gpu], *, clock: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[float, ...]:
    """Seconds between two refreshes of each GPU's counter: the median gap of ten, watched for 3 s at most.

    Raises
    ------
    MeterUnavailable
        Where a counter stands still.
    MeasurementInvalid
        Where a counter cannot be read.
    """
    last_uj = [gpu.read_uj() for gpu in gpus]
    changed_s: list[list[float]] = [[] for _ in gpus]
    give_up_s = clock() + _LONGEST_WATCH_S
    while clock() < give_up_s and any(len(times) < _CHANGES for times in changed_s):
        sleep(0.001)
        for i, gpu in enumerate(gpus):
            if (raw_uj := gpu.read_uj()) != last_uj[i]:
                last_uj[i] = raw_uj
                changed_s[i].append(clock())
    for gpu, times in zip(gpus, changed_s, strict=True):
        _require_movement(gpu, gpus, len(times))
    return tuple(statistics.median(later - earlier for earlier, later in pairwise(times)) for times in changed_s)


def _require_movement(gpu: Gpu, gpus: Sequence[Gpu], changes: int) -> None:
    if changes >= 2:
        return
    raise MeterUnavailable(
        f"The energy counter of {gpu} changed {changes} times in {_LONGEST_WATCH_S:g} s.",
        why="A counter that stands still would show no energy whatever runs.",
        fix=f"Update the driver. {leave_out(gpu, gpus)}",
    )


def _bus(nvml: Any, handle: Any) -> str:
    try:
        bus: str = nvml.nvmlDeviceGetPciInfo_v3(handle).busId
    except nvml.NVMLError_NotSupported:  # a GPU inside the processor is on no bus
        return ""
    return bus


def _process(found: Any) -> GpuProcess:
    used_b = found.usedGpuMemory
    return GpuProcess(pid=found.pid, memory_mib=None if used_b is None else used_b >> 20)
