"""Hand-written stand-ins for what measuring takes from outside: a clock, a meter, a watcher and a workload."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fakes import a_machine

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.session import Session
from energygate.measure.watch import Observed, Unwatched, Watch
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.group import MeterGroup
from energygate.model import MeterKind, Source, Trial
from energygate.workloads.base import WorkDone

RUN_ID = "20261122T031500Z-1a2b3c4d5e"
STARTED = dt.datetime(2026, 11, 22, 3, 15, tzinfo=dt.UTC)


class HandClock:
    """Time stands still until somebody sleeps; every sleep is remembered."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self.slept: list[float] = []

    def now_s(self) -> float:
        """Monotonic seconds."""
        return self.at_s

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        self.at_s += seconds
        self.slept.append(seconds)

    def work(self, seconds: float) -> None:
        """Let that much time pass, as work does."""
        self.at_s += seconds


class ConstantPower:
    """A meter of domains at constant power, on a clock moved by hand.

    Parameters
    ----------
    power_w : mapping of domain to watts
    faults : mapping of window number to MeasurementInvalid
        Which windows, counted from 0 and warm-ups included, end in a fault.
    seen : mapping of window number to Measured
        What it says of those windows beside their energy.
    """

    def __init__(
        self,
        clock: HandClock,
        *,
        power_w: Mapping[str, float] | None = None,
        domains: Sequence[Domain] | None = None,
        faults: Mapping[int, MeasurementInvalid] | None = None,
        seen: Mapping[int, Measured] | None = None,
        name: str = "rapl",
        kind: MeterKind = "counter",
    ) -> None:
        self.name = name
        self.kind = kind
        self.domains = tuple(domains or (Domain(name="package-0", part="cpu"),))
        self.constants: Mapping[str, object] = {}
        self.windows: list[Window] = []
        self.events: list[str] = []
        self._clock = clock
        self._power_w = power_w or {"package-0": 50.0}
        self._faults = faults or {}
        self._seen = seen or {}

    def open(self) -> None:
        """Nothing to open."""

    def begin(self, window: Window) -> Reading:
        """Remember the window."""
        self.windows.append(window)
        self.events.append("begin")
        return Reading(window, self._clock.now_s())

    def end(self, start: Reading) -> Measured:
        """Give watts times seconds, or the fault of this window."""
        self.events.append("end")
        if fault := self._faults.get(len(self.windows) - 1):
            raise fault
        elapsed_s = self._clock.now_s() - start.at_s
        energy_j = {domain: power_w * elapsed_s for domain, power_w in self._power_w.items()}
        return self._seen.get(len(self.windows) - 1, Measured())._replace(energy_j=energy_j)

    def close(self) -> None:
        """Nothing to close."""
        self.events.append("close")


class Watcher:
    """Remembers what its session began, and what a series told: name, done, wanted, the trial's reason or `warm-up`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.heard: list[tuple[str, int, int, str | None]] = []

    def began(self, name: str) -> None:
        """Take note."""
        self.begun.append(name)

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Take note."""
        self.heard.append((name, done, wanted, "warm-up" if trial is None else trial.invalid))

    def waiting(self, line: str) -> None:
        """No test waits for long."""
        raise AssertionError(line)


class ScriptedWatch:
    """Sees what its script says, window by window, warm-ups included; nothing once the script is over.

    Parameters
    ----------
    notes : tuple of str
        What it says of the wait before the first trial.
    """

    def __init__(self, *seen: Observed, notes: tuple[str, ...] = ()) -> None:
        self.windows: list[Window] = []
        self._seen = iter(seen)
        self._notes = [notes]

    def begin(self, window: Window) -> Callable[[], Observed]:
        """Look at the script."""
        self.windows.append(window)
        return lambda: next(self._seen, Observed())

    def wait_until_quiet(self) -> tuple[str, ...]:
        """Wait for nothing, once."""
        return self._notes.pop() if self._notes else ()


class ScriptedWorkload:
    """A workload that takes one second a pass, and does at each step what its script says.

    Parameters
    ----------
    steps : mapping of step to callable
        Called at `open`, `before`, `run`, `warmed_up`, `after` or `close`; what it raises, the workload raises.
    """

    definition: Mapping[str, object] = {"v": 1, "kind": "scripted"}
    labels: Mapping[str, str] = {"model": "m"}
    pids = (42,)
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        clock: HandClock,
        *,
        name: str = "a.energy.yml::one",
        steps: Mapping[str, Callable[[], Any]] | None = None,
        done: WorkDone | None = None,
        repeatable: bool = False,
        needs_calibration: bool = False,
        pass_s: float = 1.0,
        least_passes: int = 1,
        least_warmups: int = 0,
    ) -> None:
        self.name = name
        self.least_passes = least_passes
        self.least_warmups = least_warmups
        self.repeatable = repeatable
        self.needs_calibration = needs_calibration
        self._pass_s = pass_s
        self.events: list[str] = []
        self._clock = clock
        self._steps = steps or {}
        self.done = done or WorkDone()

    def open(self) -> None:
        """Start."""
        self._step("open")

    def before(self) -> None:
        """Get ready."""
        self._step("before")

    def run(self, passes: int) -> None:
        """Work for `pass_s` a pass."""
        self._clock.work(passes * self._pass_s)
        self._step("run")

    def warmed_up(self) -> None:
        """Find nothing wrong."""
        self._step("warmed_up")

    def after(self) -> WorkDone:
        """Say what was done."""
        self._step("after")
        return self.done

    def close(self) -> None:
        """Stop."""
        self._step("close")

    def _step(self, name: str) -> None:
        self.events.append(name)
        if name in self._steps:
            self._steps[name]()


def counter_reset() -> MeasurementInvalid:
    """A fault after which it is worth trying again."""
    return MeasurementInvalid(InvalidCode.COUNTER_RESET, "package-0 went backwards.")


def a_session(clock: HandClock, meter: ConstantPower, *, watch: Watch | None = None) -> Session:
    """Give a session that has measured nothing yet."""
    return Session(
        meters=MeterGroup([meter]),
        machine=a_machine(),
        source=Source(commit="a" * 40),
        run_id=RUN_ID,
        started_at=STARTED,
        clock=clock,
        progress=Watcher(),
        notes=("rapl: measures package-0.",),
        watch=watch or Unwatched(),
    )
