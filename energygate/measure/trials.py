"""Trials of one benchmark: warm-up, windows, validity, replacement of what is invalid.

`TrialSeries` decides which trial comes next and when to stop; whoever iterates over it does the work inside the
window that each trial opens. Nothing here looks at how large an energy is, except to see whether the counter can
resolve it: an outlier is a fact, not a fault.
"""

import gc
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol, Self

from energygate.clock import Clock
from energygate.errors import EnergyGateError, InvalidCode, MeasurementInvalid
from energygate.measure.signals import interrupts_held_back
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.group import MeterGroup
from energygate.model import MOST_COUNTED, Trial, Work
from energygate.workloads.tokens import work_from_usage

_NOT_WORTH_REPEATING: Final = frozenset({InvalidCode.GPU_LOST, InvalidCode.REPLAY_EXHAUSTED})
_TOO_SMALL: Final = frozenset({InvalidCode.TOO_SHORT, InvalidCode.TOO_LITTLE_ENERGY})
_INTERVALS_PER_TRIAL: Final = 100  # an edge error of one refresh interval is then at most 1 % (docs/measuring.md)
_STEPS_PER_TRIAL: Final = 1000
_HEADROOM: Final = 1.3  # a machine that other work shares runs faster again at any moment
_SHORTEST: Final = 0.8  # of the wanted duration: below it a trial is invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """How many trials, and how long.

    Attributes
    ----------
    count, warmup : int
        Trials that count, and trials before them that are discarded; both fixed beforehand.
    min_time_s, min_time_gpu_s : float
        Shortest trial without and with a GPU among the domains, in seconds.
    cooldown_s : float
        Pause before each trial that counts, in seconds.
    max_invalid : float
        Share of invalid trials above which the benchmark is invalid.
    """

    count: int = 10
    warmup: int = 1
    min_time_s: float = 1.0
    min_time_gpu_s: float = 10.0
    cooldown_s: float = 0.0
    max_invalid: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a trial needs so that its meters can resolve it: seconds and joules.

    Attributes
    ----------
    setting : str
        Which setting asks for that many seconds; empty where the meters do, and no setting can lower them.
    """

    duration_s: float = 0.0
    energy_j: float = 0.0
    setting: str = ""

    @classmethod
    def of(cls, domains: tuple[Domain, ...], settings: TrialSettings) -> Self:
        """Derive it from the slowest and the coarsest domain."""
        gpu = any(domain.part == "gpu" for domain in domains)
        slowest_s = max((domain.update_interval_s for domain in domains), default=0.0)
        coarsest_j = max((domain.resolution_j for domain in domains), default=0.0)
        set_s = settings.min_time_gpu_s if gpu else settings.min_time_s
        needed_s = _INTERVALS_PER_TRIAL * slowest_s
        setting = "trials.min_time_gpu" if gpu else "trials.min_time"
        return cls(
            duration_s=max(set_s, needed_s),
            energy_j=_STEPS_PER_TRIAL * coarsest_j,
            setting=setting if set_s > needed_s else "",
        )


class Progress(Protocol):
    """Who wants to hear how far it is."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Report one finished trial of `name`; `trial` is None for a warm-up."""
        ...


@dataclass(slots=True, kw_only=True)
class OpenTrial:
    """One trial while it is measured: a context manager around the work, and the place to count it.

    Attributes
    ----------
    sync : callable
        Called before both readings: pass `torch.cuda.synchronize` where work is queued on a GPU.
    """

    meters: MeterGroup
    window: Window
    clock: Clock
    iterations: int = 1
    sync: Callable[[], object] = lambda: None
    work: dict[str, int] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    started_s: float = 0.0
    duration_s: float = 0.0
    measured: Measured | None = None
    fault: MeasurementInvalid | None = None
    recorded: bool = False
    _readings: tuple[Reading, ...] | None = None

    def __enter__(self) -> Self:
        if self._readings is not None:
            raise EnergyGateError("This trial was entered before.", fix="Enter each trial of `trials()` once.")
        with interrupts_held_back():
            gc.collect()
        self.sync()
        self._readings = self.meters.begin(self.window)
        self.started_s = self.clock.now_s()
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        assert self._readings is not None  # noqa: S101  __enter__ has run
        if error is None:
            self.sync()
        self.duration_s = self.clock.now_s() - self.started_s
        if error is not None and not isinstance(error, Exception):
            return False  # an interrupt says nothing about the work: this trial never was
        try:
            self.measured = self.meters.end(self._readings)
        except MeasurementInvalid as fault:
            self.fault = fault
        if error is None:
            return False
        if isinstance(error, MeasurementInvalid):
            self.fault = error
            return True
        self.fault = MeasurementInvalid(InvalidCode.WORK_FAILED, f"the workload raised {type(error).__name__}.")
        return False

    def reject(self, fault: MeasurementInvalid) -> None:
        """Say why this trial does not count, for example because its answers were cut off."""
        if self.fault is None:
            self.fault = fault

    def add(self, **counts: int) -> None:
        """Count work: requests, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens."""
        if self.recorded:
            raise EnergyGateError(
                "This trial is recorded already, so what is added now would be lost.",
                fix="Call add before the loop over trials() goes on.",
            )
        for name, count in counts.items():
            if name not in Work.__struct_fields__:
                raise TypeError(f"unknown count {name!r}: one of {', '.join(Work.__struct_fields__)}")
            if type(count) is not int or count < 0:  # a bool is no count
                raise TypeError(f"{name} must be a whole number from 0, not {count!r}")
            if count > MOST_COUNTED:
                raise TypeError(f"{name} must be at most {MOST_COUNTED}, and is more")
            self.work[name] = self.work.get(name, 0) + count

    def add_usage(self, usage: object) -> None:
        """Count one request and the tokens of its `usage`, as OpenAI, Anthropic and Ollama write it."""
        work = work_from_usage(usage)
        known = {name: getattr(work, name) for name in Work.__struct_fields__}
        self.add(requests=1, **{name: n for name, n in known.items() if n is not None and name != "requests"})

    @property
    def is_over(self) -> bool:
        """Whether the window was opened and closed."""
        return self.measured is not None or self.fault is not None

    @property
    def energy_j(self) -> dict[str, float]:
        """Joules by domain. Raises MeasurementInvalid where there is no valid reading."""
        if self.fault is not None:
            raise self.fault
        if self.measured is None:
            raise EnergyGateError("This trial is not over yet.", fix="Read its energy after the `with` block.")
        return dict(self.measured.energy_j)

    @property
    def total_j(self) -> float:
        """Joules of all domains. Raises as `energy_j` does."""
        return sum(self.energy_j.values())

    @property
    def j_per_request(self) -> float | None:
        """Joules per counted request, or None where none was counted."""
        return self._per("requests")

    @property
    def j_per_output_token(self) -> float | None:
        """Joules per counted output token, or None where none was counted."""
        return self._per("output_tokens")

    def _per(self, count: str) -> float | None:
        done = self.work.get(count)
        return self.total_j / done if done else None

    def finish(self, *, index: int, epoch_s: float) -> Trial:
        """Freeze it. `epoch_s` is when the run began, on the same clock."""
        measured = self.measured or Measured()
        return Trial(
            index=index,
            started_s=max(0.0, self.started_s - epoch_s),
            duration_s=self.duration_s if measured.duration_s is None else measured.duration_s,
            energy_j=dict(measured.energy_j),
            work=Work(**self.work),
            iterations=self.iterations,
            conditions=self.conditions,
            invalid=None if self.fault is None else str(self.fault),
        )


@dataclass(slots=True, kw_only=True)
class TrialSeries:
    """The trials of one benchmark, one after the other.

    Parameters
    ----------
    epoch_s : float
        When the run began, on `clock`.
    adaptive : bool
        Whether a warm-up may raise `iterations`, so that later trials are long enough.
    """

    name: str
    meters: MeterGroup
    settings: TrialSettings
    clock: Clock
    progress: Progress
    epoch_s: float
    adaptive: bool = False
    pids: tuple[int, ...] = ()
    iterations: int = 1
    trials: list[Trial] = field(default_factory=list)
    stopped: str | None = None
    _current: OpenTrial | None = None

    @property
    def requirement(self) -> Requirement:
        """What each trial needs; nothing where windows are replayed: they were long enough when they were recorded."""
        return Requirement() if self.meters.is_replay else Requirement.of(self.meters.domains, self.settings)

    def __iter__(self) -> Iterator[OpenTrial]:
        for done in range(1, self.settings.warmup + 1):
            trial = self._open(warm_up=True)
            yield trial
            _require_over(trial, self.name)
            self._close_warm_up(trial, done)
        allowed = math.ceil(self.settings.max_invalid * self.settings.count)
        while self._valid < self.settings.count and len(self.trials) - self._valid <= allowed and not self.stopped:
            if self.settings.cooldown_s:
                self.clock.sleep(self.settings.cooldown_s)
            self._current = self._open(warm_up=False)
            yield self._current
            _require_over(self._current, self.name)
            self.settle()

    def settle(self) -> None:
        """Record the trial that was measured last; counts may be added to it until then. Safe to call twice."""
        trial, self._current = self._current, None
        if trial is not None and trial.is_over:
            self._close(trial)

    @property
    def _valid(self) -> int:
        return sum(trial.invalid is None for trial in self.trials)

    def _open(self, *, warm_up: bool) -> OpenTrial:
        window = Window(benchmark=self.name, warm_up=warm_up, pids=self.pids)
        return OpenTrial(meters=self.meters, window=window, clock=self.clock, iterations=self.iterations)

    def _close_warm_up(self, trial: OpenTrial, done: int) -> None:
        if self.adaptive and trial.measured is not None:
            self.iterations = self._long_enough(trial.duration_s, trial.measured)
        self.progress.trial_done(self.name, done=done, wanted=self.settings.warmup, trial=None)

    def _close(self, trial: OpenTrial) -> None:
        if trial.fault is None:
            trial.fault = self._too_small(trial)
        if trial.fault is not None and trial.fault.code in _NOT_WORTH_REPEATING:
            self.stopped = str(trial.fault)
        if trial.fault is not None and trial.fault.code in _TOO_SMALL and self.adaptive and trial.measured is not None:
            # The machine runs faster than when it was calibrated: the replacement repeats the work more often.
            self.iterations = self._long_enough(trial.duration_s, trial.measured)
        trial.recorded = True
        self.trials.append(trial.finish(index=len(self.trials), epoch_s=self.epoch_s))
        self.progress.trial_done(self.name, done=self._valid, wanted=self.settings.count, trial=self.trials[-1])

    def _long_enough(self, duration_s: float, measured: Measured) -> int:
        """Give the iterations with which a window like this one holds enough seconds and joules."""
        need = self.requirement
        energy_j = sum(measured.energy_j.values())
        factors = [
            need.duration_s / duration_s if 0 < duration_s < need.duration_s else 1.0,
            need.energy_j / energy_j if 0 < energy_j < need.energy_j else 1.0,
        ]
        factor = max(factors)
        return math.ceil(_HEADROOM * factor * self.iterations) if factor > 1 else self.iterations

    def _too_small(self, trial: OpenTrial) -> MeasurementInvalid | None:
        need = self.requirement
        if trial.duration_s < _SHORTEST * need.duration_s:
            repeat = math.ceil(_HEADROOM * need.duration_s / max(trial.duration_s, 1e-6))
            way_out = f", or lower {need.setting}" if need.setting else ""
            return MeasurementInvalid(
                InvalidCode.TOO_SHORT,
                f"{trial.duration_s:.3g} s, but these meters need {need.duration_s:.3g} s. "
                f"Repeat the work {repeat} times inside the window{way_out}.",
            )
        energy_j = sum(trial.energy_j.values())
        if energy_j < need.energy_j:
            return MeasurementInvalid(
                InvalidCode.TOO_LITTLE_ENERGY,
                f"{energy_j:.3g} J, but these meters need {need.energy_j:.3g} J (1000 of their steps). "
                "Put more work into the window.",
            )
        return None


def calibrate(run: Callable[[int], object], *, wanted_s: float, clock: Clock) -> int:
    """How often `run` must repeat its work to fill a trial.

    Parameters
    ----------
    run : callable
        Does the work that many times.
    wanted_s : float
        Seconds that a trial needs; 0 asks for nothing.

    Notes
    -----
    Doubles until one call takes 50 ms: below that the clock and the first call's costs would decide.
    """
    if wanted_s <= 0:
        return 1
    repeats, taken_s = 1, _timed(run, 1, clock)
    while taken_s < min(0.05, wanted_s):
        repeats *= 2
        taken_s = _timed(run, repeats, clock)
    return max(1, math.ceil(_HEADROOM * wanted_s * repeats / taken_s)) if taken_s < wanted_s else repeats


def _timed(run: Callable[[int], object], repeats: int, clock: Clock) -> float:
    started_s = clock.now_s()
    run(repeats)
    return clock.now_s() - started_s


def _require_over(trial: OpenTrial, name: str) -> None:
    if not trial.is_over:
        raise EnergyGateError(
            f"{name}: a trial was taken from trials() and never measured.",
            fix="Write `for trial in energy.trials():` and inside it `with trial:` around the work.",
        )
