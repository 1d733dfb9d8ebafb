"""Energy by model where there is no counter: CPU seconds times watts per core. Never called a measurement."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Final

from energygate.errors import ConfigError, InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.processes import PROC, adopted_orphans, others_cpu_s, own_cpu_s
from energygate.model import MeterKind
from energygate.units import format_quantity, uj_to_j

_DOMAIN: Final = Domain(name="cpu-estimate", part="cpu", update_interval_s=0.01)
_ROUNDING_S: Final = 1e-4  # CPU clocks count nanoseconds and usage counts microseconds of each process


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateConstants:
    """The model's two numbers. They are part of what must agree for two readings to be comparable.

    Attributes
    ----------
    watts_per_core : float
        Power in watts of one busy core; positive.
    base_w : float
        Power in watts that is used whether anything runs or not.
    """

    watts_per_core: float = 5.0
    base_w: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.watts_per_core) and self.watts_per_core > 0):
            raise ConfigError(
                f"estimate.watts_per_core is {self.watts_per_core}.",
                why="No energy could be told from the work.",
                fix="Give a positive number of watts, such as 5.0.",
            )
        if not (math.isfinite(self.base_w) and self.base_w >= 0):
            raise ConfigError(
                f"estimate.base_w is {self.base_w}.",
                why="A machine does not give energy back.",
                fix="Give a number of watts from 0 up.",
            )


class Estimate:
    """CPU seconds of our own process tree and of `Window.pids`, at `watts_per_core`, plus `base_w`.

    Parameters
    ----------
    constants : EstimateConstants
        The model.
    clock : callable
        Monotonic seconds.
    """

    name = "estimate"
    kind: MeterKind = "estimate"
    domains: tuple[Domain, ...] = (_DOMAIN,)

    def __init__(self, constants: EstimateConstants, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._constants = constants
        self._clock = clock
        self._faults: list[MeasurementInvalid] = []
        self._resources = ExitStack()

    @property
    def constants(self) -> Mapping[str, object]:
        """`watts_per_core` and `base_w`."""
        return asdict(self._constants)

    def open(self) -> None:
        """Keep double-forked children in the tree from now on. Raises MeterUnavailable."""
        self.close()
        if not (PROC / "self/stat").exists():
            raise MeterUnavailable(
                f"There is no {PROC}/self/stat.",
                why="The estimate counts CPU seconds from Linux's /proc.",
                fix="Run on Linux, or with /proc mounted.",
            )
        self._resources.enter_context(adopted_orphans())

    def begin(self, window: Window) -> Reading:
        """Count the CPU seconds so far, our own last: counting costs some."""
        try:
            others_s = others_cpu_s(window.pids)
        except MeasurementInvalid as fault:  # kept for the end: a window that begins must end
            self._faults.append(fault)
            return Reading(window, self._clock(), (0,), (len(self._faults),))
        return Reading(window, self._clock(), (self._energy_uj(others_s + own_cpu_s()),), (0,))

    def end(self, start: Reading) -> Measured:
        """Count the CPU seconds again, our own first. Raises MeasurementInvalid."""
        own_s, elapsed_s = own_cpu_s(), self._clock() - start.at_s
        if epoch := start.epochs[0]:
            raise self._faults[epoch - 1]
        used_uj = self._energy_uj(own_s + others_cpu_s(start.window.pids)) - start.totals_uj[0]
        if used_uj < -self._energy_uj(_ROUNDING_S):
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"The CPU seconds of the process tree fell by "
                f"{format_quantity(uj_to_j(-used_uj) / self._constants.watts_per_core, 's')}: a process ended that "
                "nobody waited for, so what it used is unknown.",
            )
        return Measured({_DOMAIN.name: uj_to_j(max(used_uj, 0)) + self._constants.base_w * elapsed_s})

    def close(self) -> None:
        """Leave orphans to the system again."""
        self._resources.close()

    def _energy_uj(self, cpu_s: float) -> int:
        return round(self._constants.watts_per_core * cpu_s * 1e6)
