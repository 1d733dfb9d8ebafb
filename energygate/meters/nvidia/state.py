"""The state of a GPU at one moment, and what the states around a window say of it."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.units import format_percent, format_quantity

# Bits of nvmlClocksEventReasons (nvml.h), by their names there.
REASONS: Final[Mapping[int, str]] = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}
_THROTTLED: Final = 0x8 | 0x40 | 0x80
_NOTED: Final = {0x4: "held at its power limit", 0x20: "slowed down by its driver to stay cool"}
_ABOVE_LIMIT: Final = 1.2
_SUSPECT: Final = 0.15
_FEWEST_GLANCES: Final = 5
_SUSPECT_FROM_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What is looked at during a window, too. None is what this GPU does not say."""

    power_w: float | None = None
    sm_mhz: int | None = None
    reasons: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuState:
    """A GPU at one end of a window.

    Attributes
    ----------
    foreign : frozenset of int or None
        Processes of others on it; None where this user or driver cannot tell.
    """

    glance: Glance
    temperature_c: int | None = None
    pstate: int | None = None
    foreign: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuWindow:
    """One GPU's window.

    Attributes
    ----------
    gpu : str
        Its name, as a person is told.
    glances : sequence of Glance
        What was seen between the ends.
    elapsed_s : float
        Seconds that `energy_j` belongs to.
    edge_s : float
        By how much those may be wrong: the counter's refresh interval at each end.
    before : frozenset of int
        Foreign processes that were there when the meter was opened.
    """

    gpu: str
    start: GpuState
    end: GpuState
    energy_j: float
    elapsed_s: float
    edge_s: float = 0.0
    glances: Sequence[Glance] = ()
    sm_mhz_max: int | None = None
    power_limit_w: float | None = None
    before: frozenset[int] = frozenset()

    @property
    def power_mean_w(self) -> float | None:
        """Mean power, in watts."""
        return self.energy_j / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def conditions(self) -> dict[str, Any]:
        """What a Run stores of it, null where the GPU does not say."""
        clocks_mhz = [glance.sm_mhz for glance in self._all if glance.sm_mhz is not None]
        foreign = _either(self.start.foreign, self.end.foreign)
        mask = self._reasons
        return {
            "sm_mhz": statistics.median(clocks_mhz) if clocks_mhz else None,
            "sm_mhz_max": self.sm_mhz_max,
            "temp_start_c": self.start.temperature_c,
            "temp_end_c": self.end.temperature_c,
            "reasons": None if mask is None else reason_names(mask),
            "power_limit_w": self.power_limit_w,
            "pstate": self.end.pstate,
            "pids_foreign": None if foreign is None else sorted(foreign),
            "power_mean_w": self.power_mean_w,
        }

    @property
    def fault(self) -> MeasurementInvalid | None:
        """Why the window does not count."""
        return self._implausible() or self._throttled() or self._disturbed()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it; the same words each time, so that they can be counted."""
        mask = self._reasons or 0
        noted = [f"{self.gpu} was {words} ({REASONS[bit]})." for bit, words in _NOTED.items() if mask & bit]
        suspect = [f"{self.gpu}: counter suspect: {SUSPECT}"] if self._counter_suspect else []
        return (*noted, *suspect)

    @property
    def _all(self) -> tuple[Glance, ...]:
        return (self.start.glance, *self.glances, self.end.glance)

    @property
    def _reasons(self) -> int | None:
        known = [glance.reasons for glance in self._all if glance.reasons is not None]
        mask = 0
        for reasons in known:
            mask |= reasons
        return mask if known else None

    def _implausible(self) -> MeasurementInvalid | None:
        if self.power_limit_w is None or self.power_mean_w is None:
            return None
        if self.energy_j <= _ABOVE_LIMIT * self.power_limit_w * (self.elapsed_s + 2 * self.edge_s):
            return None
        return MeasurementInvalid(
            InvalidCode.IMPLAUSIBLE,
            f"{self.gpu} drew {format_quantity(self.power_mean_w, 'W')} in the mean, and its limit is "
            f"{format_quantity(self.power_limit_w, 'W')}: its counter is broken or counts something else.",
        )

    def _throttled(self) -> MeasurementInvalid | None:
        names = reason_names((self._reasons or 0) & _THROTTLED)
        if not names:
            return None
        return MeasurementInvalid(
            InvalidCode.THROTTLED,
            f"{self.gpu} was slowed down by its hardware ({', '.join(names)}). See to its cooling and power supply.",
        )

    def _disturbed(self) -> MeasurementInvalid | None:
        came = sorted((_either(self.start.foreign, self.end.foreign) or frozenset()) - self.before)
        if not came:
            return None
        pids = ", ".join(f"pid {pid}" for pid in came)
        return MeasurementInvalid(
            InvalidCode.FOREIGN_GPU,
            f"A process of others came to {self.gpu}: {pids}. Its energy cannot be told from the workload's.",
        )

    @property
    def _counter_suspect(self) -> bool:
        """Whether counter and power readings disagree by more than 15 %, and more than the readings scatter.

        The reading at the start is left out: it is the mean of the second before the window.
        """
        powers_w = [glance.power_w for glance in (*self.glances, self.end.glance) if glance.power_w is not None]
        if self.power_mean_w is None or self.elapsed_s < _SUSPECT_FROM_S or len(powers_w) < _FEWEST_GLANCES:
            return False
        gap_w = abs(self.power_mean_w - statistics.fmean(powers_w))
        scatter_w = 3 * statistics.stdev(powers_w) / math.sqrt(len(powers_w))
        return gap_w > max(_SUSPECT * self.power_mean_w, scatter_w)


SUSPECT: Final = (
    f"it and the GPU's own power readings differ by more than {format_percent(_SUSPECT)}. See `nvidia-smi -q -d POWER`."
)


def reason_names(mask: int) -> list[str]:
    """Names of the bits of a mask of clocks event reasons: ``["sw_power_cap"]``."""
    bits = [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
    return [REASONS.get(bit, f"{bit:#x}") for bit in bits]


def _either(first: frozenset[int] | None, second: frozenset[int] | None) -> frozenset[int] | None:
    """Those seen at one end or the other; where none was, and one end could not tell, nothing is known."""
    seen = (first or frozenset()) | (second or frozenset())
    return None if not seen and None in {first, second} else seen
