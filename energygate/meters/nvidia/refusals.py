"""Which of the chosen GPUs can be measured, and how: by their counter, or by summing up power where that is allowed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from energygate.errors import MeterUnavailable
from energygate.meters.nvidia.gpus import Gpu, leave_out
from energygate.meters.nvidia.processes import GpuProcess, Kinship
from energygate.meters.options import NvmlOptions

_GUEST: Final = 2  # NVML_GPU_VIRTUALIZATION_MODE_VGPU
_COUNTER: Final = "nvmlDeviceGetTotalEnergyConsumption"
_PART_OF_A_CHIP: Final = re.compile(r"tegra|jetson|orin|xavier|thor\b|nvgpu|gb10\b|^no name$", re.IGNORECASE)
_INTEGRATE: Final = "`nvml: {integrate_power: true}` in energygate.yml sums up its power readings instead, labelled."


class NoGpuForThisMeter(MeterUnavailable):
    """The GPUs can all be measured, and another meter does it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurable:
    """What of the chosen GPUs can be measured.

    Attributes
    ----------
    counted, uncounted : tuple of Gpu
        Those with an energy counter; those without, whose power is to be summed up.
    processes : mapping of domain to set of process ids
        What was on each GPU at the start; nothing for one that cannot tell.
    """

    counted: tuple[Gpu, ...]
    uncounted: tuple[Gpu, ...]
    processes: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """All of them, by PCI bus id."""
        return tuple(sorted((*self.counted, *self.uncounted), key=lambda gpu: gpu.bus))


def sort_out(gpus: Sequence[Gpu], options: NvmlOptions, kinship: Kinship) -> Measurable:
    """See how each GPU can be measured.

    Raises
    ------
    MeterUnavailable
        Where one cannot be, or would be measured wrongly; the message says how to leave it out.
    MeasurementInvalid
        Where one does not answer.
    """
    counted: list[Gpu] = []
    uncounted: list[Gpu] = []
    processes: dict[str, frozenset[int]] = {}
    for gpu in gpus:
        has_counter = gpu.ask(_COUNTER) is not None
        _refuse_parts(gpu, gpus, options)
        if has_counter:
            counted.append(gpu)
        elif options.integrate_power and gpu.power_w is not None:
            uncounted.append(gpu)
        else:
            raise _no_counter(gpu, gpus)
        found = gpu.processes() or ()  # where it cannot tell, a note says so
        processes[gpu.domain] = frozenset(process.pid for process in found)
        if options.shared == "refuse":
            _refuse_neighbours(gpu, gpus, found, kinship)
    return Measurable(counted=tuple(counted), uncounted=tuple(uncounted), processes=processes)


def _refuse_parts(gpu: Gpu, gpus: Sequence[Gpu], options: NvmlOptions) -> None:
    """Slices and guests: NVML counts something else than what the workload uses."""
    if options.shared == "refuse" and gpu.in_mig_mode:
        raise MeterUnavailable(
            f"{gpu} is in MIG mode.",
            why="NVML counts the energy of the board, not of a slice.",
            fix=f"Switch it off: `sudo nvidia-smi -i {gpu.bus} -mig 0`. If the whole board is yours alone: `nvml: "
            f"{{shared: allow}}` in energygate.yml. {leave_out(gpu, gpus)}",
        )
    if gpu.ask("nvmlDeviceGetVirtualizationMode") == _GUEST:
        raise MeterUnavailable(
            f"{gpu} is a vGPU.",
            why="The guest has no energy counter of its own.",
            fix=f"Use passthrough or bare metal. {leave_out(gpu, gpus)}",
        )


def _no_counter(gpu: Gpu, gpus: Sequence[Gpu]) -> MeterUnavailable:
    has_power = gpu.power_w is not None
    way_out = f"{_INTEGRATE} {leave_out(gpu, gpus)}" if has_power else leave_out(gpu, gpus)
    what = f"{gpu} has no energy counter{'' if has_power else ' and no power reading'}."
    if _PART_OF_A_CHIP.search(gpu.model):
        return MeterUnavailable(
            what,
            why="Tegra, Jetson and GB10 are part of a larger chip, and NVML counts no energy there.",
            fix=f"Measure on a discrete GPU, Volta or newer. {way_out}",
        )
    if not gpu.driver_knows(_COUNTER):
        return MeterUnavailable(
            what,
            why="The NVIDIA driver is too old to show one, and without it GPU energy is unknown.",
            fix=f"Update the driver. {way_out}",
        )
    return MeterUnavailable(
        what,
        why="NVML counts energy from Volta on; without a counter GPU energy is unknown.",
        fix=f"Use such a GPU. {way_out}",
    )


def _refuse_neighbours(gpu: Gpu, gpus: Sequence[Gpu], found: Sequence[GpuProcess], kinship: Kinship) -> None:
    foreign = kinship.foreign(process.pid for process in found)
    if not foreign:
        return
    named = ", ".join(str(process) for process in found if process.pid in foreign)
    raise MeterUnavailable(
        f"Another process is on {gpu}: {named}.",
        why="NVML counts the whole GPU, so its energy would be counted as the workload's.",
        fix="End it. If it is the server that is measured, or may stay: `nvml: {shared: allow}` in energygate.yml. "
        f"{leave_out(gpu, gpus)}",
    )
