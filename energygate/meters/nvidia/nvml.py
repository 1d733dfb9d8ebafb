"""NVIDIA GPUs through NVML's total-energy counter: `nvml`."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from energygate.meters.aligning import AligningBank
from energygate.meters.counters import Counter
from energygate.meters.keep_alive import KeepAlive
from energygate.meters.nvidia.gpus import measure_update_intervals_s
from energygate.meters.nvidia.meter import GpuMeter, Started
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.refusals import NoGpuForThisMeter
from energygate.meters.nvidia.session import GpuSession
from energygate.meters.nvidia.watch import GLANCE_S
from energygate.meters.options import NvmlOptions
from energygate.model import MeterKind


class Nvml(GpuMeter):
    """Energy of the NVIDIA GPUs that the workload can see.

    A window waits at both ends until each counter has just changed, because counters are refreshed as seldom as ten
    times a second.

    Parameters
    ----------
    environ : mapping, optional
        The workload's environment.
    kinship : Kinship, optional
        Whose processes may be on the GPUs.
    clock, sleep : callable
        Monotonic seconds; waits for seconds.
    """

    name = "nvml"
    kind: MeterKind = "counter"

    def __init__(
        self,
        options: NvmlOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        kinship: Kinship | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(options, environ=environ, kinship=kinship, clock=clock)
        self._sleep = sleep

    def _start(self, session: GpuSession, resources: ExitStack) -> Started:
        """Measure how often the counters are refreshed, and start the keep-alive thread."""
        gpus = session.found.counted
        if not gpus:
            raise NoGpuForThisMeter("No GPU here has an energy counter.", why="nvml-power sums up their power instead.")
        intervals_s = measure_update_intervals_s(gpus, clock=self._clock, sleep=self._sleep)
        at_s = self._clock()
        timed = list(zip(gpus, intervals_s, strict=True))
        bank = AligningBank(
            [Counter(gpu.counter(interval_s), gpu.read_uj, at_s=at_s) for gpu, interval_s in timed],
            clock=self._clock,
            sleep=self._sleep,
        )
        watch = self._watch_over(session, timed)

        def keep_alive() -> None:
            bank.refresh()
            watch.glance()

        every_s = min(GLANCE_S, bank.keep_alive_s)
        resources.enter_context(KeepAlive(keep_alive, every_s=every_s, name=self.name))
        domains = tuple(gpu.as_domain(interval_s) for gpu, interval_s in timed)
        return Started(gauge=bank, watch=watch, domains=domains, notes=session.notes)
