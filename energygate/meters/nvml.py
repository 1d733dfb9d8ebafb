"""NVIDIA GPUs through NVML's total-energy counter: `nvml`. The only importer of pynvml."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.counters import AligningBank, Counter, CounterBank, KeepAlive
from energygate.meters.gpus import find_gpus, measure_update_intervals_s
from energygate.model import MeterKind

_UNKNOWN = "Without NVML the energy of GPUs is unknown."
_NO_GPU_FIX = "Use a machine with an NVIDIA GPU, or leave GPUs out with --energy-meters=rapl."


class Nvml:
    """Energy of every NVIDIA GPU of the machine.

    A window waits at both ends until each counter has just changed, because counters are refreshed as seldom as ten
    times a second.

    Parameters
    ----------
    clock, sleep : callable
        Monotonic seconds; waits for seconds.
    """

    name = "nvml"
    kind: MeterKind = "counter"

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._resources = ExitStack()
        self._domains: tuple[Domain, ...] = ()
        self._bank = CounterBank((), clock=clock)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`gpu-0`, `gpu-1`, and so on by PCI bus id."""
        return self._domains

    @property
    def constants(self) -> Mapping[str, object]:
        """Nothing: the GPUs themselves are part of the fingerprint."""
        return {}

    def open(self) -> None:
        """Find the GPUs, measure how often they refresh, start the keep-alive thread. Raises MeterUnavailable."""
        self.close()
        import pynvml  # noqa: PLC0415  30 ms that only a measuring run pays

        with ExitStack() as resources:
            _initialise(pynvml)
            resources.callback(pynvml.nvmlShutdown)  # one session until close: the driver may restart the counters
            try:
                self._watch_gpus(pynvml)
            except pynvml.NVMLError as error:
                raise MeterUnavailable(
                    f"NVML failed: {_said(error)}.", why=_UNKNOWN, fix="See `nvidia-smi`."
                ) from error
            except MeasurementInvalid as error:
                raise MeterUnavailable(error.sentence, why=_UNKNOWN, fix="See `nvidia-smi`.") from error
            resources.enter_context(KeepAlive(self._bank.refresh, every_s=self._bank.keep_alive_s, name=self.name))
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Wait until each GPU's counter changes: that is the start."""
        return self._bank.begin(window)

    def end(self, start: Reading) -> Measured:
        """Wait until each GPU's counter changes: joules by domain since `start`. Raises MeasurementInvalid."""
        return self._bank.end(start)

    def close(self) -> None:
        """Stop the thread and shut NVML down."""
        self._resources.close()
        self._bank = CounterBank((), clock=self._clock)  # handles end with the session

    def _watch_gpus(self, nvml: Any) -> None:
        gpus = find_gpus(nvml)
        if not gpus:
            raise MeterUnavailable("NVML shows no GPU.", why="There is nothing to measure.", fix=_NO_GPU_FIX)
        for gpu in gpus:
            gpu.refuse_what_misleads()
        intervals_s = measure_update_intervals_s(gpus, clock=self._clock, sleep=self._sleep)
        at_s = self._clock()
        watched = list(zip(gpus, intervals_s, strict=True))
        self._bank = AligningBank(
            [Counter(gpu.counter(interval_s), gpu.read_uj, at_s=at_s) for gpu, interval_s in watched],
            clock=self._clock,
            sleep=self._sleep,
        )
        self._domains = tuple(gpu.as_domain(interval_s) for gpu, interval_s in watched)


def _initialise(nvml: Any) -> None:
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound as error:
        raise MeterUnavailable(
            "The library libnvidia-ml.so.1 is not here: no NVIDIA driver is installed, or the container was started "
            "without it.",
            why=_UNKNOWN,
            fix=f"Install the driver (Docker: `--gpus all`). {_NO_GPU_FIX}",
        ) from error
    except nvml.NVMLError_DriverNotLoaded as error:
        raise MeterUnavailable(
            "The NVIDIA driver is installed and not loaded.",
            why=_UNKNOWN,
            fix="Load it: `sudo modprobe nvidia`, and see `nvidia-smi`.",
        ) from error
    except nvml.NVMLError as error:
        raise MeterUnavailable(
            f"NVML does not start: {_said(error)}.", why=_UNKNOWN, fix="See `nvidia-smi`."
        ) from error


def _said(error: Exception) -> str:
    """NVML's own words; some of its sentences have a full stop and some have none."""
    return str(error).rstrip(".")
