"""Watching the machine around a trial: what is recorded of it, and what makes the trial invalid."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from energygate.clock import Clock
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise, NoiseLimits, noise_in
from energygate.measure.load import Load, Sample, load_between, sample, tree_cpu_s
from energygate.measure.machine import Roots
from energygate.measure.sensors import Sensed, Sensors, settings_changed, throttled_between
from energygate.meters.base import Window
from energygate.meters.group import MeterGroup
from energygate.units import format_percent

_PATIENCE_S: Final = 30.0
_SILENT_S: Final = 3.0  # a shorter wait is not worth a line
_LOOK_S: Final = 0.5  # a tick of 10 ms is then 2 % of it, well below the limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen during one window.

    Attributes
    ----------
    conditions : mapping
        What a Run stores.
    fault : MeasurementInvalid or None
        Why the window does not count although its energy was read right.
    noise : Noise or None
        What others did too much of.
    unknown : str
        Why nobody knows what others did although it matters; empty where it is known, or in no number.
    """

    conditions: dict[str, Any] = field(default_factory=dict)
    fault: MeasurementInvalid | None = None
    noise: Noise | None = None
    unknown: str = ""


class Watch(Protocol):
    """Looks at the machine before the meters begin, and after they end."""

    def begin(self, window: Window) -> Callable[[], Observed]:
        """Look once; what this returns looks again, and tells the difference."""
        ...

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Before the first trial, wait until others do little. Gives a note if they don't."""
        ...


class Unwatched:
    """Sees nothing: recorded windows are played back, or a single window is nobody's trial."""

    def begin(self, window: Window) -> Callable[[], Observed]:
        """Look at nothing."""
        del window
        return Observed

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Wait for nothing."""
        return ()


class AlreadyQuiet:
    """A watch of a machine that another process has waited for: it holds the machine while this one measures."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def begin(self, window: Window) -> Callable[[], Observed]:
        """Look as the watch does."""
        return self._watch.begin(window)

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Wait for nothing."""
        return ()


class MachineWatch:
    """Looks at the processors. See `Watch`.

    Parameters
    ----------
    own_s : callable
        CPU seconds so far of what works for a window; see `measure.load.sample`.
    tell : callable
        Who hears of a wait for a quiet machine that takes long.

    Notes
    -----
    Throttled processors, or a governor other than at the start, make a trial invalid whatever the meter: the work
    itself ran differently. Load does so by `limits` alone.
    """

    def __init__(
        self,
        roots: Roots,
        *,
        limits: NoiseLimits,
        clock: Clock,
        own_s: Callable[[Window], float | None] = tree_cpu_s,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._roots = roots
        self._limits = limits
        self._clock = clock
        self._own_s = own_s
        self._tell = tell
        self._sensors = Sensors(roots.sysfs)
        self._at_start = self._sensors.look()
        self._waited = False

    def begin(self, window: Window) -> Callable[[], Observed]:
        """Look once; what this returns looks again, and tells the difference."""
        sensed, used = self._sensors.look(), self._sample(window)

        def end() -> Observed:
            used_after = self._sample(window)
            return self._observed(sensed, self._sensors.look(), used, used_after)

        return end

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Wait at most 30 s until others use less than half of what makes a trial noisy; once in a session."""
        if self._waited or self._limits.foreign >= 1:
            return ()
        self._waited = True
        started, first = self._clock.now_s(), self._sample(Window())
        before, told = first, False
        while True:
            self._clock.sleep(_LOOK_S)
            after = self._sample(Window())
            load = load_between(before, after)
            if load.foreign is None or load.foreign - load.tick_error < self._limits.foreign / 2:
                return ()
            waited_s = self._clock.now_s() - started
            if waited_s >= _PATIENCE_S:
                return (_never_quiet(load_between(first, after)),)
            if waited_s >= _SILENT_S and not told:
                self._tell(_waiting(load_between(first, after)))
                told = True
            before = after

    def _sample(self, window: Window) -> Sample:
        return sample(window, proc=self._roots.proc, clock=self._clock, own_s=self._own_s)

    def _observed(self, sensed: Sensed, sensed_after: Sensed, used: Sample, used_after: Sample) -> Observed:
        load = load_between(used, used_after)
        throttled = throttled_between(sensed, sensed_after)
        changed = settings_changed(self._at_start, sensed) or settings_changed(self._at_start, sensed_after)
        conditions = {
            "foreign": _rounded(load.foreign),
            "pressure": _rounded(load.pressure),
            "steal": _rounded(load.steal),
            "load_1min": used_after.load_1min,
            "involuntary_switches": used_after.switches - used.switches,
            "throttled": throttled,
            "temp_start_c": sensed.temperature_c,
            "temp_end_c": sensed_after.temperature_c,
            **{name: sensed_after.settings.get(name) for name in ("governor", "epp", "turbo", "power_limits_w")},
        }
        return Observed(
            conditions={"cpu": conditions},
            fault=_fault(changed, throttled),
            noise=noise_in(load, self._limits),
            unknown=load.unknown if self._limits.foreign < 1 else "",
        )


def watch_for(
    meters: MeterGroup, *, roots: Roots, limits: NoiseLimits, clock: Clock, tell: Callable[[str], None]
) -> Watch:
    """Give what watches the trials of these meters.

    Nothing is watched where windows are played back. Where no meter counts the whole machine foreign load is in no
    number: it is recorded and decides nothing.
    """
    if meters.is_replay:
        return Unwatched()
    limits = limits if meters.counts_the_machine else NoiseLimits.none()
    return MachineWatch(roots, limits=limits, clock=clock, tell=tell)


def _fault(changed: tuple[str, ...], throttled: int | None) -> MeasurementInvalid | None:
    if changed:
        return MeasurementInvalid(
            InvalidCode.GOVERNOR_CHANGED,
            f"the processors are set otherwise than when the session began ({'; '.join(changed)}). "
            "Keep what changes it (thermald, power-profiles-daemon, tuned, a laptop's charger) from doing so.",
        )
    if throttled:
        times = "once" if throttled == 1 else f"{throttled} times"
        return MeasurementInvalid(
            InvalidCode.THROTTLED,
            f"the processors were slowed down {times} because they were too hot. Cool the machine, lower its power "
            "limit, or set trials.cooldown.",
        )
    return None


def _waiting(load: Load) -> str:
    busy = format_percent(load.foreign or 0.0)
    return f"waiting for a quiet machine, at most {_PATIENCE_S:g} s: other work keeps {busy} of it busy"


def _never_quiet(load: Load) -> str:
    busy = format_percent(load.foreign or 0.0)
    return f"the machine was {busy} busy with other work for {_PATIENCE_S:g} s before the first trial"


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
