"""GPUs as keys of the machine, and what would make their numbers steadier."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from energygate.meters.base import Hardware
from energygate.meters.nvidia.gpus import Gpu

_SM: Final = 1  # NVML_CLOCK_SM


def gpu_hardware(nvml: Any, gpus: Sequence[Gpu]) -> Hardware:
    """The keys of the measured GPUs, by PCI bus id. Raises MeasurementInvalid, and NVML's own errors."""
    driver = nvml.nvmlSystemGetDriverVersion()
    return Hardware(
        hard={
            "gpus": [_keys(gpu) for gpu in gpus],
            "gpu_driver": {"major": driver.partition(".")[0], "cuda": _cuda_version(nvml)},
        },
        soft={
            "gpu_driver_version": driver,
            "gpu_persistence": [_switch(gpu.ask("nvmlDeviceGetPersistenceMode")) for gpu in gpus],
            "gpu_uuids": [gpu.uuid for gpu in gpus],
        },
    )


def persistence_advice(hardware: Hardware) -> tuple[str, ...]:
    """What to do where the driver does not stay loaded."""
    if False not in hardware.soft.get("gpu_persistence", ()):
        return ()
    advice = (
        "Persistence mode is off: the driver may unload between runs, and GPUs start slow and cold. "
        "`sudo nvidia-smi -pm 1` switches it on."
    )
    return (advice,)


def clock_advice(hardware: Hardware) -> tuple[str, ...]:
    """How to hold the clocks of these GPUs, and how to undo it; it is never done unasked."""
    gpus: Sequence[Mapping[str, Any]] = hardware.hard.get("gpus", ())
    clocks_mhz = [gpu["sm_mhz_max"] for gpu in gpus if gpu["sm_mhz_max"] is not None]
    if not clocks_mhz:
        return ()
    advice = (
        "GPU clocks follow temperature and power, and energy follows clocks. `sudo nvidia-smi -pm 1; sudo nvidia-smi "
        f"-lgc N,N` holds them at N MHz (one that the GPUs keep under load, at most {min(clocks_mhz)}), and "
        "`sudo nvidia-smi -rgc` undoes it."
    )
    return (advice,)


def _keys(gpu: Gpu) -> dict[str, Any]:
    memory = gpu.ask("nvmlDeviceGetMemoryInfo")
    limit_w = gpu.power_limit_w
    ecc = gpu.ask("nvmlDeviceGetEccMode")
    return {
        "model": gpu.model,
        "memory_gib": None if memory is None else round(memory.total / 2**30),
        "power_limit_w": None if limit_w is None else round(limit_w),
        "ecc": None if ecc is None else bool(ecc[0]),
        "mig": gpu.in_mig_mode,
        "sm_mhz_max": gpu.ask("nvmlDeviceGetMaxClockInfo", _SM),
    }


def _switch(state: int | None) -> bool | None:
    return None if state is None else bool(state)


def _cuda_version(nvml: Any) -> str | None:
    """12080 is 12.8; None where the driver is too old to say."""
    try:
        version = nvml.nvmlSystemGetCudaDriverVersion_v2()
    except nvml.NVMLError_FunctionNotFound:
        return None
    return f"{version // 1000}.{version % 1000 // 10}"
