"""Energy by model where there is no counter: CPU seconds times watts per core. Never called a measurement."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

import msgspec

from energygate.children import adopted_orphans
from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.opening import Opening
from energygate.meters.options import EstimateOptions
from energygate.meters.process_stat import PROC
from energygate.meters.processes import others_cpu_s, own_cpu_s
from energygate.model import MeterKind
from energygate.units import format_percent, format_quantity, uj_to_j

_DOMAIN: Final = "cpu-estimate"
_ROUNDING_S: Final = 1e-4  # CPU clocks count nanoseconds and usage counts microseconds of each process


class Estimate:
    """CPU seconds of our own process tree and of `Window.pids`, at `watts_per_core`, plus `base_w`.

    Parameters
    ----------
    options : EstimateOptions
        The model.
    machine : str
        Fingerprint of this machine without meters, for the calibration to be of it.
    clock : callable
        Monotonic seconds.
    """

    name = "estimate"
    kind: MeterKind = "estimate"

    def __init__(
        self, options: EstimateOptions, *, machine: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._detail = _how_good(options, machine)
        self._clock = clock
        self._faults: list[MeasurementInvalid] = []
        self._resources = ExitStack()
        self._opening = Opening()

    @property
    def domains(self) -> tuple[Domain, ...]:
        """One for the whole model, which says how good it is."""
        return (Domain(name=_DOMAIN, part="cpu", update_interval_s=0.01, detail=self._detail),)

    @property
    def constants(self) -> Mapping[str, object]:
        """The model, and its calibration."""
        return dict(msgspec.to_builtins(self._options))

    @property
    def hardware(self) -> Hardware:
        """Nothing that the machine does not say itself."""
        return Hardware()

    @property
    def notes(self) -> tuple[str, ...]:
        """The model, and how good it is."""
        return (f"an estimate by model, no measurement: {self._detail}.",)

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
            return Reading(window, self._clock(), (0,), (len(self._faults),), opening=self._opening)
        used_uj = self._energy_uj(others_s + own_cpu_s())
        return Reading(window, self._clock(), (used_uj,), (0,), opening=self._opening)

    def end(self, start: Reading) -> Measured:
        """Count the CPU seconds again, our own first. Raises MeasurementInvalid."""
        own_s, elapsed_s = own_cpu_s(), self._clock() - start.at_s
        self._opening.require_whole(start)
        if epoch := start.epochs[0]:
            raise self._faults[epoch - 1]
        used_uj = self._energy_uj(own_s + others_cpu_s(start.window.pids)) - start.totals_uj[0]
        if used_uj < -self._energy_uj(_ROUNDING_S):
            raise MeasurementInvalid(
                InvalidCode.READ_ERROR,
                f"The CPU seconds of the process tree fell by "
                f"{format_quantity(uj_to_j(-used_uj) / self._options.watts_per_core, 's')}: a process ended that "
                "nobody waited for, so what it used is unknown.",
            )
        return Measured({_DOMAIN: uj_to_j(max(used_uj, 0)) + self._options.base_w * elapsed_s})

    def close(self) -> None:
        """Leave orphans to the system again: what a window would not see of them is in no number."""
        self._resources.close()
        self._opening = Opening()

    def _energy_uj(self, cpu_s: float) -> int:
        return round(self._options.watts_per_core * cpu_s * 1e6)


def _how_good(options: EstimateOptions, machine: str) -> str:
    """The model and its error, in words, for wherever an estimate shows."""
    model = f"{format_quantity(options.watts_per_core, 'W')} per busy core, {format_quantity(options.base_w, 'W')} base"
    found = options.calibrated
    if found is None:
        return f"{model}; not calibrated, so its error is unknown"
    if found.fingerprint != machine:
        return f"{model}; calibrated on another machine or set-up ({found.fingerprint}), so its error here is unknown"
    fit = f"error {format_percent(found.error)}, R2 {found.r2:.2g}"
    return f"{model}; calibrated {found.date} against rapl: {fit}"
