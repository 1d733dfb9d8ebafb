"""Which GPUs are measured: those that the workload can see, by the rules of CUDA, or those that are named."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypeVar

from energygate.errors import MeterUnavailable

_VARIABLE: Final = "CUDA_VISIBLE_DEVICES"
_ORDER: Final = "CUDA_DEVICE_ORDER"
_BY_UUID: Final = "Name the GPUs in energygate.yml: `nvml: {gpus: [GPU-...]}`; `nvidia-smi -L` shows their UUIDs."


class Named(Protocol):
    """A GPU as far as it is chosen by name."""

    model: str
    uuid: str


AnyGpu = TypeVar("AnyGpu", bound=Named)


def choose_gpus(
    gpus: Sequence[AnyGpu], wanted: Literal["auto", "all"] | tuple[str, ...], environ: Mapping[str, str]
) -> list[AnyGpu]:
    """Pick from every GPU of the machine, by PCI bus id.

    Parameters
    ----------
    wanted : "auto", "all" or tuple of str
        What the workload can see, everything, or those with these UUIDs.
    environ : mapping
        The workload's environment.

    Returns
    -------
    list
        At least one, by PCI bus id.

    Raises
    ------
    MeterUnavailable
        Where it is not certain which ones are meant, or none is.

    Notes
    -----
    `CUDA_VISIBLE_DEVICES` is read as CUDA reads it: the list ends at the first number that is no device (CUDA C++
    Programming Guide, "CUDA Environment Variables").
    """
    if wanted == "all":
        return list(gpus)
    if wanted == "auto":
        value = environ.get(_VARIABLE)
        if value is None:
            return list(gpus)
        chosen = _visible(gpus, value, in_bus_order=_in_bus_order(environ))
    else:
        chosen = [_with_prefix(gpus, prefix, named_by="`nvml: {gpus: ...}`") for prefix in wanted]
    return [gpus[position] for position in sorted(set(chosen))]


def differing_variable(own: Mapping[str, str], other: Mapping[str, str]) -> str | None:
    """Name the variable by which CUDA may show two processes different GPUs, or None where it shows them the same.

    Parameters
    ----------
    own, other : mapping
        Their environments.
    """
    if own.get(_VARIABLE) != other.get(_VARIABLE):
        return _VARIABLE
    if _VARIABLE in own and _in_bus_order(own) != _in_bus_order(other):
        return _ORDER
    return None


def _in_bus_order(environ: Mapping[str, str]) -> bool:
    return environ.get(_ORDER) == "PCI_BUS_ID"


def _visible(gpus: Sequence[Named], value: str, *, in_bus_order: bool) -> list[int]:
    entries = [entry.strip() for entry in value.split(",")]
    if all(entry.startswith("GPU-") for entry in entries):
        chosen = [_with_prefix(gpus, entry, named_by=f"{_VARIABLE}={value}") for entry in entries]
    else:
        chosen = _numbered(len(gpus), entries, value)
        _require_certain_order(gpus, chosen, value, in_bus_order=in_bus_order)
    if len(set(chosen)) < len(chosen):
        raise _refusal(
            f"{_VARIABLE}={value} names a GPU twice.",
            why="CUDA then shows the workload none, so nothing of it would be measured.",
            fix="Name each GPU once.",
        )
    if not chosen:
        raise _refusal(
            f"{_VARIABLE}={value} shows the workload no GPU.",
            why="There is nothing to measure.",
            fix="Set it to the GPUs that the workload uses, or leave GPUs out with --energy-meters=rapl.",
        )
    return chosen


def _numbered(count: int, entries: Sequence[str], value: str) -> list[int]:
    """Positions in CUDA's order, up to the first entry that is no device."""
    chosen: list[int] = []
    for entry in entries:
        if entry.startswith("MIG-"):
            raise _refusal(
                f"{_VARIABLE}={value} names a MIG device.",
                why="NVML counts the energy of the board, not of a slice.",
                fix="Switch MIG off: `sudo nvidia-smi -mig 0`. If the board is yours alone, name its GPU in "
                "energygate.yml: `nvml: {gpus: [GPU-...], shared: allow}`.",
            )
        if re.fullmatch(r"-\d+|", entry):
            break
        if not entry.isdecimal():
            raise _refusal(
                f"{_VARIABLE}={value} holds {entry!r} where a number is expected.",
                why="Which GPUs the workload sees is unknown.",
                fix=_BY_UUID,
            )
        if int(entry) >= count:
            break
        chosen.append(int(entry))
    return chosen


def _require_certain_order(gpus: Sequence[Named], chosen: Sequence[int], value: str, *, in_bus_order: bool) -> None:
    """By default CUDA puts the fastest first: with several models its numbers are not places by PCI bus id."""
    models = sorted({gpu.model for gpu in gpus})
    if in_bus_order or len(models) < 2 or len(set(chosen)) in {0, len(gpus)}:
        return
    raise _refusal(
        f"{_VARIABLE}={value} counts in CUDA's own order, and the GPUs are of several models: {', '.join(models)}.",
        why="CUDA puts the fastest first, so which GPUs the workload sees is unknown.",
        fix=f"Set CUDA_DEVICE_ORDER=PCI_BUS_ID for the workload. {_BY_UUID}",
    )


def _with_prefix(gpus: Sequence[Named], prefix: str, *, named_by: str) -> int:
    found = [position for position, gpu in enumerate(gpus) if gpu.uuid.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    uuids = ", ".join(gpu.uuid for gpu in gpus)
    what = f"{named_by} names {prefix}, " + ("and no GPU is called so." if not found else "which several GPUs are.")
    raise _refusal(what, why="Which GPUs are meant is unknown.", fix=f"Name them in full. Here are: {uuids}.")


def _refusal(what: str, *, why: str, fix: str) -> MeterUnavailable:
    return MeterUnavailable(what, why=why, fix=fix)
