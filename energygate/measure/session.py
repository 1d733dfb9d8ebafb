"""One session: the meters held open, the benchmarks measured one after the other, and the Run they make."""

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

from energygate.clock import Clock
from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError
from energygate.measure.drifts import drifts
from energygate.measure.idle import NOTHING_LOADED, IdlePower, with_idle_drift
from energygate.measure.open_trial import OpenTrial
from energygate.measure.queued import finish_queued_work
from energygate.measure.requirement import TrialSettings
from energygate.measure.trials import Progress, TrialSeries, calibrate
from energygate.measure.watch import Unwatched, Watch
from energygate.meters.group import MeterGroup
from energygate.model import Benchmark, Location, Machine, OwnRules, Run, Source
from energygate.signals import interrupts_held_back
from energygate.workloads.base import Workload
from energygate.workloads.suites.matrix import labels_in
from energygate.workloads.text import ended


def workload_hash(definition: Mapping[str, object]) -> str:
    """sha256 of the definition as canonical JSON: sorted keys, no spaces, UTF-8 or the bytes that are none."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()


@dataclass(slots=True, kw_only=True)
class Session:
    """What one job measures, on one machine, at one commit.

    Parameters
    ----------
    run_id : str
        `20261122T031500Z-1a2b3c4d5e`: UTC of the start, and random hex digits.
    idle_s : float
        How long idle power is measured before the first and after the last trial, at least; 0 measures none.
    watch : Watch
        Looks at the machine around each trial.
    iterations : mapping of benchmark name to int
        How often these repeat their work inside a trial; the others find out by themselves.
    rules : dict of benchmark name to OwnRules
        What these say themselves of how they are judged: it goes into the run, for whoever judges that.
    """

    meters: MeterGroup
    machine: Machine
    source: Source
    run_id: str
    started_at: dt.datetime
    clock: Clock
    progress: Progress
    notes: tuple[str, ...] = ()
    idle_s: float = 0.0
    watch: Watch = field(default_factory=Unwatched)
    iterations: Mapping[str, int] = field(default_factory=dict)
    rules: dict[str, OwnRules] = field(default_factory=dict)
    benchmarks: list[Benchmark] = field(default_factory=list)
    epoch_s: float = 0.0
    idle: IdlePower = field(init=False)
    _noted: tuple[str, ...] = ()
    _unkept: Callable[[], object] | None = None
    _unclosed: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.epoch_s = self.clock.now_s()
        self.idle = IdlePower(meters=self.meters, clock=self.clock, wanted_s=self.idle_s, watch=self.watch)

    def get_ready(self, state: str) -> None:
        """Before the first benchmark, wait until the machine is quiet and measure idle power; do nothing later.

        `state` says what is loaded.
        """
        self._noted += self.watch.wait_until_quiet()
        self.idle.measure_before(state)

    def series(
        self,
        name: str,
        settings: TrialSettings,
        *,
        adaptive: bool = False,
        pids: tuple[int, ...] | None = (),
        pids_setting: str = "",
        sync: Callable[[], object] = finish_queued_work,
    ) -> TrialSeries:
        """Start the trials of one benchmark."""
        fixed = self.iterations.get(name)
        return TrialSeries(
            name=name,
            meters=self.meters,
            settings=settings,
            clock=self.clock,
            progress=self.progress,
            epoch_s=self.epoch_s,
            adaptive=adaptive and fixed is None,
            pids=pids,
            pids_setting=pids_setting,
            watch=self.watch,
            sync=sync,
            iterations=fixed or 1,
        )

    def record(
        self,
        series: TrialSeries,
        *,
        definition: Mapping[str, object],
        labels: Mapping[str, str] | None = None,
        location: Location | None = None,
        invalid: str | None = None,
        notes: Sequence[str] = (),
    ) -> Benchmark:
        """Keep what a series measured, complete or not."""
        series.settle()
        series.reject_other_work()
        invalid = invalid or series.stopped or series.nothing_counts
        noted, self._noted = self._noted, ()
        early = series.ended_early if invalid is None else None
        drifted = drifts([trial.conditions for trial in series.trials if not trial.invalid])
        benchmark = Benchmark(
            name=series.name,
            workload=workload_hash(definition),
            labels=dict(labels or {}),
            trials=tuple(series.trials),
            invalid=invalid,
            noisy=series.noisy,
            location=location,
            notes=(*noted, *notes, *series.notes, *([early] if early else []), *drifted),
            rules=self.rules.get(series.name, OwnRules()),
        )
        self.benchmarks.append(benchmark)
        self._unkept = None
        return benchmark

    def measure(self, workload: Workload, settings: TrialSettings, *, location: Location | None = None) -> Benchmark:
        """Measure a workload. What stops it makes its benchmark invalid; other benchmarks go on.

        An interrupt keeps the trials that are complete, and goes on upwards.
        """
        self.get_ready(NOTHING_LOADED)
        self.progress.began(workload.name)
        settings = replace(settings, warmup=max(settings.warmup, workload.least_warmups))
        series = self.series(workload.name, settings, adaptive=workload.repeatable, pids=workload.pids)
        if workload.name not in self.iterations:
            series.iterations = workload.least_passes
        failure: str | None = None

        def keep() -> Benchmark:
            return self.record(
                series,
                definition=workload.definition,
                labels={**labels_in(workload.name), **workload.labels},
                location=location,
                invalid=failure,
                notes=workload.notes,
            )

        self._unkept, self._unclosed = keep, workload.close
        try:
            workload.open()
            if workload.needs_calibration:
                self._calibrate(workload, series)
            _drive(workload, series)
        except WorkloadError as error:
            failure = str(error)
        finally:  # kept first: stopping a server takes a while, in which the next interrupt may come
            try:
                with interrupts_held_back():
                    benchmark = keep()
            finally:
                self.close()
        return benchmark

    def close(self) -> None:
        """Close the workload that is measured, if an interrupt has left it open. Safe to call twice."""
        with interrupts_held_back():
            if self._unclosed is not None:
                self._unclosed()
                self._unclosed = None

    def _calibrate(self, workload: Workload, series: TrialSeries) -> None:
        """Find how often it is repeated in a trial, as the `energy` fixture does; prove that it works, and is counted.

        Raises
        ------
        WorkloadError
            If it does not.
        """

        def run_to_the_end(times: int) -> None:
            workload.run(times)
            series.sync()

        wanted_s = series.requirement.duration_s
        try:
            workload.before()
            if workload.name in self.iterations or wanted_s <= 0:
                run_to_the_end(1)  # what only the first call costs stays outside, as it does where this is calibrated
            else:
                series.iterations = calibrate(run_to_the_end, wanted_s=wanted_s, clock=series.clock)
            workload.after()
        except MeasurementInvalid as fault:
            raise WorkloadError(f"{workload.name}: {ended(fault.sentence)}") from fault

    def finish(self) -> None:
        """Measure idle power once more: nothing is measured after this.

        That it moved says something of a benchmark only where a meter counts the whole machine.
        """
        self.idle.measure_after()
        if self.idle.idle is not None and self.meters.counts_the_machine:
            self.benchmarks[:] = [with_idle_drift(benchmark, self.idle.idle) for benchmark in self.benchmarks]

    def run(self) -> Run:
        """Freeze everything measured so far."""
        if self._unkept is not None:  # an interrupt came between its last trial and its being kept
            self._unkept()
        return Run(
            run_id=self.run_id,
            started_at=self.started_at,
            source=self.source,
            tool={"energygate": version("energygate"), "python": platform.python_version()},
            machine=self.machine,
            meters=self.meters.infos,
            benchmarks=tuple(self.benchmarks),
            idle=self.idle.idle,
            notes=(*self.notes, *self.idle.notes),
        )


def _drive(workload: Workload, series: TrialSeries) -> None:
    for trial in series:
        _get_ready(workload, trial)
        if trial.fault is None:
            with trial:
                workload.run(trial.iterations)
        if trial.fault is None:
            _count(workload, trial)


def _get_ready(workload: Workload, trial: OpenTrial) -> None:
    try:
        workload.before()
    except MeasurementInvalid as fault:
        if trial.window.warm_up:
            raise WorkloadError(f"{workload.name}: {ended(fault.sentence)}") from fault
        trial.reject(fault)


def _count(workload: Workload, trial: OpenTrial) -> None:
    if trial.window.warm_up:
        workload.warmed_up()
        return
    try:
        done = workload.after()
    except MeasurementInvalid as fault:
        trial.reject(fault)
        return
    except WorkloadError as fault:
        trial.reject(MeasurementInvalid(InvalidCode.WORK_FAILED, fault.what))
        raise
    trial.conditions.update(done.conditions)
    trial.add(**{name: n for name in done.work.__struct_fields__ if (n := getattr(done.work, name)) is not None})
