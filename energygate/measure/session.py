"""One session: the meters held open, the benchmarks measured one after the other, and the Run they make."""

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from energygate.clock import Clock
from energygate.errors import MeasurementInvalid, WorkloadError
from energygate.measure.trials import OpenTrial, Progress, TrialSeries, TrialSettings
from energygate.meters.group import MeterGroup
from energygate.model import Benchmark, Location, Machine, Run, Source
from energygate.workloads.base import Workload


def workload_hash(definition: Mapping[str, object]) -> str:
    """sha256 of the definition as canonical JSON: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class Session:
    """What one job measures, on one machine, at one commit.

    Parameters
    ----------
    run_id : str
        `20261122T031500Z-1a2b3c4d5e`: UTC of the start, and random hex digits.
    """

    meters: MeterGroup
    machine: Machine
    source: Source
    run_id: str
    started_at: dt.datetime
    clock: Clock
    progress: Progress
    notes: tuple[str, ...] = ()
    benchmarks: list[Benchmark] = field(default_factory=list)
    epoch_s: float = 0.0

    def __post_init__(self) -> None:
        self.epoch_s = self.clock.now_s()

    def series(
        self, name: str, settings: TrialSettings, *, adaptive: bool = False, pids: tuple[int, ...] = ()
    ) -> TrialSeries:
        """Start the trials of one benchmark."""
        return TrialSeries(
            name=name,
            meters=self.meters,
            settings=settings,
            clock=self.clock,
            progress=self.progress,
            epoch_s=self.epoch_s,
            adaptive=adaptive,
            pids=pids,
        )

    def record(
        self,
        series: TrialSeries,
        *,
        definition: Mapping[str, object],
        labels: Mapping[str, str] | None = None,
        location: Location | None = None,
        invalid: str | None = None,
    ) -> Benchmark:
        """Keep what a series measured, complete or not."""
        series.settle()
        benchmark = Benchmark(
            name=series.name,
            workload=workload_hash(definition),
            labels=dict(labels or {}),
            trials=tuple(series.trials),
            invalid=invalid or series.stopped,
            location=location,
        )
        self.benchmarks.append(benchmark)
        return benchmark

    def measure(self, workload: Workload, settings: TrialSettings, *, location: Location | None = None) -> Benchmark:
        """Measure a workload. What stops it makes its benchmark invalid; other benchmarks go on.

        An interrupt keeps the trials that are complete, and goes on upwards.
        """
        series = self.series(workload.name, settings, adaptive=workload.repeatable, pids=workload.pids)
        failure: str | None = None
        try:
            workload.open()
            _drive(workload, series)
        except WorkloadError as error:
            failure = str(error)
        finally:
            workload.close()
            benchmark = self.record(
                series,
                definition=workload.definition,
                labels=workload.labels,
                location=location,
                invalid=failure,
            )
        return benchmark

    def run(self) -> Run:
        """Freeze everything measured so far."""
        return Run(
            run_id=self.run_id,
            started_at=self.started_at,
            source=self.source,
            tool={"energygate": version("energygate"), "python": platform.python_version()},
            machine=self.machine,
            meters=self.meters.infos,
            benchmarks=tuple(self.benchmarks),
            notes=self.notes,
        )


def _drive(workload: Workload, series: TrialSeries) -> None:
    for trial in series:
        workload.before()
        with trial:
            workload.run(trial.iterations)
        if trial.fault is None:
            _count(workload, trial)


def _count(workload: Workload, trial: OpenTrial) -> None:
    try:
        done = workload.after()
    except MeasurementInvalid as fault:
        trial.reject(fault)
        return
    trial.conditions.update(done.conditions)
    trial.add(**{name: n for name in done.work.__struct_fields__ if (n := getattr(done.work, name)) is not None})
