"""What NVML says of each GPU: who it is, whether its counter may be used, and how often that counter is refreshed."""

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain
from energygate.meters.counters import CounterSpec
from energygate.units import mj_to_uj

RESOLUTION_J: Final = 0.001
_UNKNOWN_LIMIT_W: Final = 2000.0
_GUEST: Final = 2  # NVML_GPU_VIRTUALIZATION_MODE_VGPU
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
        Place by PCI bus id, from 0.
    """

    def __init__(self, nvml: Any, handle: Any, *, bus: str, position: int) -> None:
        self._nvml = nvml
        self._handle = handle
        self.bus = bus
        self.domain = f"gpu-{position}"
        self.model: str = nvml.nvmlDeviceGetName(handle)
        self.uuid: str = nvml.nvmlDeviceGetUUID(handle)

    def __str__(self) -> str:
        return f"{self.domain} ({self.model}, {self.uuid})"

    def read_uj(self) -> int:
        """The counter in microjoules. Raises MeasurementInvalid."""
        nvml = self._nvml
        try:
            return mj_to_uj(nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except nvml.NVMLError as error:
            lost = isinstance(error, nvml.NVMLError_GpuIsLost)
            code = InvalidCode.GPU_LOST if lost else InvalidCode.READ_ERROR
            raise MeasurementInvalid(
                code, f"The energy counter of {self} cannot be read: {error}. Its energy is unknown."
            ) from error

    def refuse_what_misleads(self) -> None:
        """Raise MeterUnavailable where the counter is missing or counts something else than this GPU."""
        nvml = self._nvml
        if self._ask(nvml.nvmlDeviceGetMigMode, [0, 0])[0]:
            raise MeterUnavailable(
                f"{self} is in MIG mode.",
                why="NVML counts the energy of the board, not of a slice.",
                fix=f"Switch it off: `sudo nvidia-smi -i {self.bus} -mig 0`.",
            )
        if self._ask(nvml.nvmlDeviceGetVirtualizationMode, 0) == _GUEST:
            raise MeterUnavailable(
                f"{self} is a vGPU.",
                why="The guest has no energy counter of its own.",
                fix="Use passthrough or bare metal.",
            )
        if self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption, None) is None:
            raise MeterUnavailable(
                f"{self} has no energy counter.",
                why="NVML counts energy from Volta on, and not on Tegra; without it GPU energy is unknown.",
                fix="Use such a GPU, or leave GPUs out with --energy-meters=rapl.",
            )

    def counter(self, update_interval_s: float) -> CounterSpec:
        """The counter as it may be used, refreshed every `update_interval_s` seconds."""
        limit_mw = self._ask(self._nvml.nvmlDeviceGetEnforcedPowerLimit, None)
        bound_w = _UNKNOWN_LIMIT_W if limit_mw is None else 1.5 * limit_mw / 1000
        return CounterSpec(domain=self.domain, source=str(self), bound_w=bound_w, update_interval_s=update_interval_s)

    def as_domain(self, update_interval_s: float) -> Domain:
        """The domain, with the model and UUID that tell it apart."""
        return Domain(
            name=self.domain,
            part="gpu",
            update_interval_s=update_interval_s,
            resolution_j=RESOLUTION_J,
            detail=f"{self.model} {self.uuid}",
        )

    def _ask(self, call: Callable[[Any], Any], absent: Any) -> Any:
        """What NVML answers; "not supported" is an answer, every other error is not."""
        try:
            return call(self._handle)
        except (self._nvml.NVMLError_NotSupported, self._nvml.NVMLError_FunctionNotFound):
            return absent


def find_gpus(nvml: Any) -> list[Gpu]:
    """Every GPU by PCI bus id."""
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    by_bus = sorted((nvml.nvmlDeviceGetPciInfo_v3(handle).busId, index) for index, handle in enumerate(handles))
    return [Gpu(nvml, handles[index], bus=bus, position=place) for place, (bus, index) in enumerate(by_bus)]


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
    return tuple(_median_gap_s(gpu, times) for gpu, times in zip(gpus, changed_s, strict=True))


def _median_gap_s(gpu: Gpu, times: list[float]) -> float:
    if len(times) < 2:
        raise MeterUnavailable(
            f"The energy counter of {gpu} changed {len(times)} times in {_LONGEST_WATCH_S:g} s.",
            why="A counter that stands still would show no energy whatever runs.",
            fix="Update the driver, or leave GPUs out with --energy-meters=rapl.",
        )
    return statistics.median(later - earlier for earlier, later in pairwise(times))
