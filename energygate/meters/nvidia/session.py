"""From an NVML session to the GPUs that are measured in it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Hardware
from energygate.meters.nvidia.gpus import find_gpus
from energygate.meters.nvidia.hardware import gpu_hardware, persistence_advice
from energygate.meters.nvidia.library import NO_GPU_FIX, UNKNOWN, nvml_session, said
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.refusals import Measurable, sort_out
from energygate.meters.nvidia.visible import choose_gpus
from energygate.meters.options import NvmlOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSession:
    """GPUs with handles that hold until the session ends."""

    found: Measurable
    hardware: Hardware

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before the first window."""
        return persistence_advice(self.hardware)


@contextmanager
def gpu_session(options: NvmlOptions, *, environ: Mapping[str, str], kinship: Kinship) -> Iterator[GpuSession]:
    """Start NVML, choose the GPUs and see how they can be measured.

    Raises
    ------
    MeterUnavailable
        Where NVML does not start, or a chosen GPU cannot be measured.
    """
    with nvml_session() as nvml:
        with faults_refuse():
            session = _chosen(nvml, options, environ, kinship)
        yield session


@contextmanager
def faults_refuse() -> Iterator[None]:
    """Make of a GPU that does not answer a meter that cannot be opened."""
    try:
        yield
    except MeasurementInvalid as fault:
        raise MeterUnavailable(
            fault.sentence,
            why=UNKNOWN,
            fix="See `nvidia-smi`; a lost GPU comes back with a restart of the machine. Or leave it out: name the "
            "others in energygate.yml, `nvml: {gpus: [GPU-...]}`, or in CUDA_VISIBLE_DEVICES.",
        ) from fault


def _chosen(nvml: Any, options: NvmlOptions, environ: Mapping[str, str], kinship: Kinship) -> GpuSession:
    try:
        gpus = find_gpus(nvml)
        if not gpus:
            raise MeterUnavailable("NVML shows no GPU.", why="There is nothing to measure.", fix=NO_GPU_FIX)
        found = sort_out(choose_gpus(gpus, options.gpus, environ), options, kinship)
        return GpuSession(found=found, hardware=gpu_hardware(nvml, found.gpus))
    except nvml.NVMLError as error:
        raise MeterUnavailable(f"NVML failed: {said(error)}.", why=UNKNOWN, fix="See `nvidia-smi`.") from error
