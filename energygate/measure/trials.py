"""Trials of one benchmark: warm-up, windows, validity, replacement of what is invalid.

`TrialSeries` decides which trial comes next and when to stop; whoever iterates over it does the work inside the
window that each trial opens. Nothing here looks at how large an energy is, except to see whether the counter can
resolve it: an outlier is a fact, not a fault.

A noisy trial is replaced as every invalid one. Where noise is why there would be more of them than allowed, nothing is
dropped for it: that would pick the quiet moments of a machine that is never quiet. Those trials count, and the
benchmark as a whole is noisy (docs/adr/0015-noise.md).

Whether trials did equal work is judged when all are there, against their median: the first may be the odd one.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from energygate.clock import Clock
from energygate.errors import EnergyGateError, InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise, noisy_throughout
from energygate.measure.equal_work import other_work
from energygate.measure.open_trial import OpenTrial
from energygate.measure.queued import finish_queued_work
from energygate.measure.requirement import Requirement, TrialSettings
from energygate.measure.watch import Unwatched, Watch
from energygate.meters.base import Measured, Window
from energygate.meters.group import MeterGroup
from energygate.model import Trial

NOT_WORTH_REPEATING: Final = frozenset({InvalidCode.GPU_LOST, InvalidCode.REPLAY_EXHAUSTED})
_TOO_SMALL: Final = frozenset({InvalidCode.TOO_SHORT, InvalidCode.TOO_LITTLE_ENERGY})
_HEADROOM: Final = 1.3  # a machine that other work shares runs faster again at any moment


class Progress(Protocol):
    """Who wants to hear how far it is."""

    def began(self, name: str) -> None:
        """Report that measuring `name` begins: what it needs is made ready, a server is started."""
        ...

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Report one finished trial of `name`; `trial` is None for a warm-up."""
        ...

    def waiting(self, line: str) -> None:
        """Say what is waited for, once that takes long."""
        ...


@dataclass(slots=True, kw_only=True)
class TrialSeries:
    """The trials of one benchmark, one after the other.

    Parameters
    ----------
    epoch_s : float
        When the run began, on `clock`.
    adaptive : bool
        Whether a warm-up may raise `iterations`, so that later trials are long enough.
    pids : tuple of int or None
        Processes outside our tree that do the work; None if nobody named them.
    pids_setting : str
        Where a person can name them; empty where that is not possible, or done.
    watch : Watch
        Looks at the machine around each trial.
    sync : callable
        Waits for work that is queued on a GPU.
    """

    name: str
    meters: MeterGroup
    settings: TrialSettings
    clock: Clock
    progress: Progress
    epoch_s: float
    adaptive: bool = False
    pids: tuple[int, ...] | None = ()
    pids_setting: str = ""
    watch: Watch = field(default_factory=Unwatched)
    sync: Callable[[], object] = finish_queued_work
    iterations: int = 1
    trials: list[Trial] = field(default_factory=list)
    stopped: str | None = None
    _notes: list[str] = field(default_factory=list)
    _noises: list[Noise] = field(default_factory=list)
    _unknown_loads: list[str] = field(default_factory=list)
    _noise_counts: bool = False
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
        while self._wants_more:
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

    def reject_other_work(self) -> bool:
        """Let no trial count that did other work than the median one. Say whether there was any."""
        found = other_work(self.trials)
        for at, why in found.items():
            self.trials[at] = msgspec.structs.replace(self.trials[at], invalid=why)
        return bool(found)

    @property
    def noisy(self) -> str | None:
        """Why no verdict can rest on these trials although they count, or None where one can."""
        if not self._noise_counts:
            return None
        return noisy_throughout(self._noises, trials=len(self.trials), pids_setting=self.pids_setting)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the trials: what the meters said, and where foreign load is unknown."""
        commonest = Counter(self._unknown_loads).most_common(1)
        of_trials = f"{len(self._unknown_loads)} of {len(self.trials)} trials"
        return *self._notes, *(f"foreign load unknown in {of_trials}: {reason}" for reason, _ in commonest)

    @property
    def nothing_counts(self) -> str | None:
        """Why there is no trial at all, or None where there is one; for when nothing else says why."""
        if self.trials:
            return None
        when = "in the warm-up, or right after it" if self.settings.warmup else "before the first was over"
        return f"no trial counts: measuring ended {when}. Let it run to its end."

    @property
    def ended_early(self) -> str | None:
        """Say that fewer trials were measured than were asked for, if so and nothing stopped them."""
        if not self._wants_more:
            return None
        return (
            f"measuring ended after {self._valid} of {self.settings.count} trials. How many count is fixed beforehand: "
            "let it run to its end, or ask for fewer."
        )

    @property
    def _wants_more(self) -> bool:
        return self._valid < self.settings.count and self._invalid <= self._allowed and not self.stopped

    @property
    def _valid(self) -> int:
        return sum(trial.invalid is None for trial in self.trials)

    @property
    def _invalid(self) -> int:
        return len(self.trials) - self._valid

    @property
    def _allowed(self) -> int:
        return math.ceil(self.settings.max_invalid * self.settings.count)

    def _open(self, *, warm_up: bool) -> OpenTrial:
        window = Window(benchmark=self.name, warm_up=warm_up, pids=self.pids or (), unknown_processes=self.pids is None)
        return OpenTrial(
            meters=self.meters,
            window=window,
            clock=self.clock,
            iterations=self.iterations,
            sync=self.sync,
            watch=self.watch,
        )

    def _close_warm_up(self, trial: OpenTrial, done: int) -> None:
        if self.adaptive and trial.measured is not None:
            self.iterations = self._long_enough(trial.duration_s, trial.measured)
        self.progress.trial_done(self.name, done=done, wanted=self.settings.warmup, trial=None)

    def _close(self, trial: OpenTrial) -> None:
        if trial.fault is None:
            trial.fault = self._too_small(trial)
        if trial.fault is not None and trial.fault.code in NOT_WORTH_REPEATING:
            self.stopped = str(trial.fault)
        if trial.fault is not None and trial.fault.code in _TOO_SMALL and self.adaptive and trial.measured is not None:
            # The machine runs faster than when it was calibrated: the replacement repeats the work more often.
            self.iterations = self._long_enough(trial.duration_s, trial.measured)
        trial.recorded = True
        self._note(trial)
        self.trials.append(self._judged(trial.finish(index=len(self.trials), epoch_s=self.epoch_s), trial.noise))
        self._put_up_with_noise()
        while self._valid >= self.settings.count and self.reject_other_work():  # as soon as there is a median of all
            self._put_up_with_noise()
        self.progress.trial_done(self.name, done=self._valid, wanted=self.settings.count, trial=self.trials[-1])

    def _note(self, trial: OpenTrial) -> None:
        new = trial.measured.notes if trial.measured is not None else ()
        self._notes.extend(note for note in dict.fromkeys(new) if note not in self._notes)
        if trial.unknown_load:
            self._unknown_loads.append(trial.unknown_load)

    def _judged(self, trial: Trial, noise: Noise | None) -> Trial:
        """Say that it is noisy, if nothing else is wrong with it."""
        if noise is None or trial.invalid is not None:
            return trial
        self._noises.append(noise)
        noisy = msgspec.structs.replace(trial, invalid=str(noise.fault))
        return _counted(noisy) if self._noise_counts else noisy

    def _put_up_with_noise(self) -> None:
        """Let noisy trials count from here on, if they are what makes too many of them invalid."""
        noisy = sum(_is_noisy(trial) for trial in self.trials)
        if self._invalid > self._allowed >= self._invalid - noisy:
            self._noise_counts = True
            self.trials[:] = [_counted(trial) if _is_noisy(trial) else trial for trial in self.trials]

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
        if trial.duration_s < need.shortest_s:
            repeat = math.ceil(_HEADROOM * need.duration_s / max(trial.duration_s, 1e-6))
            way_out = f", or lower {need.setting}" if need.setting else ""
            return MeasurementInvalid(
                InvalidCode.TOO_SHORT,
                f"{trial.duration_s:.3g} s, but {need.asker} {need.duration_s:.3g} s. "
                f"Repeat the work {repeat} times inside the window{way_out}.",
            )
        return need.too_little(trial.measured or Measured())


def _is_noisy(trial: Trial) -> bool:
    return trial.invalid is not None and trial.invalid.startswith(f"{InvalidCode.NOISY}:")


def _counted(trial: Trial) -> Trial:
    """Let a noisy trial count; what was noisy about it stays with its conditions."""
    sentence = (trial.invalid or "").removeprefix(f"{InvalidCode.NOISY}: ")
    cpu = {**trial.conditions.get("cpu", {}), "noisy": sentence}
    return msgspec.structs.replace(trial, invalid=None, conditions={**trial.conditions, "cpu": cpu})


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
