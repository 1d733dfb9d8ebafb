"""NVML's library through its Python bindings: the only importer of pynvml."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

from energygate.errors import MeterUnavailable
from energygate.meters.opening import Opening

UNKNOWN: Final = "Without NVML the energy of GPUs is unknown."
NO_GPU_FIX: Final = "Use a machine with an NVIDIA GPU, or leave GPUs out with --energy-meters=rapl."
_MARK: Final = "_nvmlGetFunctionPointer"  # what NVIDIA's own bindings have, and what others under their name have not
_RIGHT_BINDINGS: Final = "`pip uninstall pynvml && pip install --force-reinstall nvidia-ml-py`"
_NOT_NVIDIAS: Final = f"The module pynvml is not NVIDIA's own, so GPUs cannot be read right: {_RIGHT_BINDINGS}."


class NoDriver(MeterUnavailable):
    """No driver is installed, or none is loaded: as it is where there is no GPU."""


def bindings_fault(path: Sequence[str] | None = None) -> str | None:
    """Say what is wrong with the installed bindings, and the command that mends it; None if nothing is.

    Nothing is imported: the deprecated distribution warns at import.

    Parameters
    ----------
    path : sequence of str, optional
        Folders to look in instead of `sys.path`.
    """
    spec = PathFinder.find_spec("pynvml", path)
    if spec is None or spec.origin is None:
        return "The module pynvml is missing, so GPUs cannot be read: `pip install nvidia-ml-py`."
    if _MARK not in Path(spec.origin).read_text(encoding="utf-8", errors="replace"):
        return _NOT_NVIDIAS
    found = distributions(name="pynvml") if path is None else distributions(name="pynvml", path=list(path))
    if any(True for _ in found):
        return (
            "The deprecated distribution pynvml is installed, which warns at import and may overwrite NVIDIA's own "
            f"bindings: {_RIGHT_BINDINGS}."
        )
    return None


@contextmanager
def nvml_session() -> Iterator[Any]:
    """Give the bindings, initialised until the end: the driver may restart its counters without a client.

    Raises
    ------
    MeterUnavailable
        Where NVML does not start.
    """
    nvml = _bindings()
    _initialise(nvml)
    opening = Opening()
    try:
        yield nvml
    finally:
        if opening.is_ours:  # a forked child shares the descriptors: it must not end its parent's session
            with suppress(nvml.NVMLError):  # nothing more is read
                nvml.nvmlShutdown()


def said(error: Exception) -> str:
    """NVML's own words; some of its sentences have a full stop and some have none."""
    return str(error).rstrip(".")


def _bindings() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the deprecated distribution warns; `energygate doctor` says what to do
        try:
            import pynvml  # noqa: PLC0415  30 ms that only a measuring run pays
        except ImportError as error:
            raise MeterUnavailable(bindings_fault() or _NOT_NVIDIAS, why=UNKNOWN) from error
    if not hasattr(pynvml, _MARK):
        raise MeterUnavailable(_NOT_NVIDIAS, why=UNKNOWN)
    return pynvml


def _initialise(nvml: Any) -> None:
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound as error:
        raise NoDriver(
            "The library libnvidia-ml.so.1 is not here: no NVIDIA driver is installed, or the container was started "
            "without it.",
            why=UNKNOWN,
            fix=f"Install the driver (Docker: `--gpus all`). {NO_GPU_FIX}",
        ) from error
    except nvml.NVMLError_DriverNotLoaded as error:
        raise NoDriver(
            "The NVIDIA driver is installed and not loaded.",
            why=UNKNOWN,
            fix="Load it: `sudo modprobe nvidia`, and see `nvidia-smi`.",
        ) from error
    except nvml.NVMLError_LibRmVersionMismatch as error:
        raise MeterUnavailable(
            "The NVIDIA driver that is loaded is not the one that is installed: its library and its kernel module "
            "differ in version.",
            why=UNKNOWN,
            fix="Reboot, or reload the module: `sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia; sudo modprobe "
            "nvidia`. A container must be started anew after an update of the driver.",
        ) from error
    except nvml.NVMLError_FunctionNotFound as error:
        raise MeterUnavailable(
            "The NVIDIA driver is too old: its library does not know how to start NVML.",
            why=UNKNOWN,
            fix="Update the driver; `nvidia-smi` shows its version.",
        ) from error
    except nvml.NVMLError_NoPermission as error:
        raise MeterUnavailable(
            "NVML does not start: this user may not use the NVIDIA devices.",
            why=UNKNOWN,
            fix="Give the runner's user access to /dev/nvidia*, and see `nvidia-smi`.",
        ) from error
    except nvml.NVMLError as error:
        raise MeterUnavailable(f"NVML does not start: {said(error)}.", why=UNKNOWN, fix="See `nvidia-smi`.") from error
