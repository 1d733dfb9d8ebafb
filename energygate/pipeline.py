"""The use cases: measure, gate, record. Collaborators are passed in; the shells parse, call these, print and exit."""

import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from msgspec import structs

from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore, open_store
from energygate.clock import Clock, SystemClock
from energygate.compare import (
    FEWEST_TRIALS,
    Window,
    compare,
    session_runs,
    soft_key_differences,
    usable_trials,
)
from energygate.config_keys import MarkerKeys
from energygate.errors import ConfigError, EnergyGateError, MeterUnavailable
from energygate.files import require_writable, write_atomically
from energygate.gate import decide, exit_code, overall
from energygate.measure.energy import Energy
from energygate.measure.frequency import frequency_note
from energygate.measure.lock import machine_lock
from energygate.measure.machine import Roots, describe_hardware, describe_machine
from energygate.measure.session import Session
from energygate.measure.signals import interrupted_by_sigterm, interrupts_held_back
from energygate.measure.source import read_source
from energygate.measure.trials import Progress
from energygate.measure.watch import watch_for
from energygate.meters.group import MeterGroup
from energygate.meters.nvidia.visible import differing_variable
from energygate.meters.processes import adopted_orphans
from energygate.meters.select import (
    MeterOptions,
    NoCounter,
    OpenedMeters,
    finds_counter,
    not_used,
    open_meters,
    reads_hardware,
)
from energygate.model import (
    Baseline,
    BaselineRuns,
    Benchmark,
    GateReport,
    Head,
    Label,
    Location,
    PolicyView,
    Row,
    Run,
    count_outcomes,
)
from energygate.net import idle_warning, with_net
from energygate.policy import Policy
from energygate.report.json import encode_report
from energygate.report.markdown import render_markdown
from energygate.report.progress import Silent
from energygate.settings import Mode, NamedSuite, ReportTarget, Settings
from energygate.stats.stored import Prior
from energygate.units import format_quantity
from energygate.workloads.build import workload
from energygate.workloads.suites import CommandSuite, InferenceSuite, Suite, TrialOverrides


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a job takes from the outside: time, chance, and who watches."""

    clock: Clock = field(default_factory=SystemClock)
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    token: Callable[[], str] = lambda: secrets.token_hex(5)
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a job left: the run, and by mode its report or the file in the store.

    Attributes
    ----------
    unfit : tuple of str
        Which recorded benchmarks will not count as a session, and why.
    unwritten : tuple of str
        Which files could not be written, and why: the verdict stands all the same.
    """

    run: Run
    report: GateReport | None = None
    stored: Path | None = None
    unfit: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether anything valid was measured."""
        return any(benchmark.is_measured for benchmark in self.run.benchmarks)

    @property
    def exit_code(self) -> int:
        """The command line's exit code."""
        if self.report is not None:
            return self.report.exit_code or (2 if self.unwritten else 0)
        if not self.measured or self.unfit:
            return 5
        return 2 if self.unwritten else 0


@dataclass(slots=True, kw_only=True)
class Job:
    """One measuring job, fed with benchmarks and finished once."""

    settings: Settings
    session: Session
    store: FolderStore
    baseline: Baseline
    own_rules: dict[str, MarkerKeys] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which meters measure, why others do not, and how long idle power is measured."""
        infos = tuple(f"{info.name}: {', '.join(info.domains)}" for info in self.session.meters.infos)
        idle = self.session.idle
        windows = f"idle power: {format_quantity(idle.window_s, 's')} before the first and after the last trial"
        return (*(self.session.notes or infos), *((windows,) if idle.is_wanted else ()))

    def energy(self, name: str, marker: MarkerKeys, *, location: Location | None) -> Energy:
        """Give the object behind the `energy` fixture of one test."""
        self.own_rules[name] = marker
        settings = self.settings.trials_for(name, marker.as_trials())
        return Energy(self.session, settings, name=name, location=location)

    def measure(self, named: NamedSuite, *, location: Location | None = None) -> Benchmark:
        """Measure one suite."""
        self.own_rules[named.name] = MarkerKeys(limit=named.suite.limits)
        settings = self.settings.trials_for(named.name, named.suite.trials)
        built = workload(named.suite, file=named.file, prefix=named.prefix)
        _require_visible_work(named, self.session.meters)
        if self.settings.nvml.gpus == "auto":
            _require_measured_gpus(named, self.session.meters, os.environ)
        return self.session.measure(built, settings, location=location)

    def save(self) -> Run:
        """Freeze what was measured so far and write it where `save` says; no interrupt comes between."""
        run = self.session.run()
        if self.settings.save is not None:
            with interrupts_held_back():
                write_atomically(self.settings.save, encode_run(run))
        return run

    def finish(self, *, in_scope: Callable[[str], bool]) -> Finished:
        """Measure idle power again, save, judge or record as the mode says, and write the reports.

        A full disk costs a file, never the verdict.

        Parameters
        ----------
        in_scope : callable
            Whether a stored benchmark of that name should have been measured by this job.
        """
        self.session.finish()
        unsaved = _attempt(self.save)
        finished = self._concluded(self.session.run(), in_scope, kept=None if unsaved else self.settings.save)
        unreported = () if finished.report is None else write_reports(finished.report, self.settings.reports)
        return replace(finished, unwritten=(*unsaved, *finished.unwritten, *unreported))

    def _concluded(self, run: Run, in_scope: Callable[[str], bool], *, kept: Path | None) -> Finished:
        match self.settings.mode:
            case Mode.MEASURE:
                return Finished(run=run)
            case Mode.RECORD:
                return self._recorded(run, kept)
            case Mode.GATE:
                return Finished(run=run, report=self._judge(run, in_scope))

    def _recorded(self, run: Run, kept: Path | None) -> Finished:
        """Add a run to the store, if it holds a session; `kept` is where it was saved besides."""
        unfit = unfit_as_sessions(run)
        if len(unfit) == len(run.benchmarks):
            return Finished(run=run, unfit=unfit)
        try:
            return Finished(run=run, stored=self.store.add(run), unfit=unfit)
        except EnergyGateError as error:
            return Finished(run=run, unfit=unfit, unwritten=(f"{error} {_lost(kept)}",))

    def _judge(self, run: Run, in_scope: Callable[[str], bool]) -> GateReport:
        names = (benchmark.name for benchmark in run.benchmarks)
        rules = {name: self.settings.rules_for(name, self.own_rules.get(name, MarkerKeys())) for name in names}
        policy = replace(self.settings.policy, rules=rules)
        missing = _missing(run, self.baseline, in_scope)
        unused = self.settings.unused_patterns([benchmark.name for benchmark in (*run.benchmarks, *missing)])
        return judge(run, self.baseline, policy, missing=missing, warnings=unused)


@contextmanager
def open_job(settings: Settings, surroundings: Surroundings) -> Iterator[Job]:
    """Open meters and baselines, so that whatever is wrong with them is said before anything is measured.

    Whatever stops the job, an interrupt above all: what was measured is kept where `save` says.

    Raises
    ------
    ConfigError, MeterUnavailable, BaselineError
        Each with the fix.
    Terminated
        SIGTERM came, at any moment until the job is closed: it is an interrupt like Ctrl-C.
    """
    for path in (*([settings.save] if settings.save else []), *(target.path for target in settings.reports)):
        require_writable(path)
    with interrupted_by_sigterm(), _measuring(settings) as opened, _whole_tree(opened.group):
        meters = opened.group
        now = surroundings.now()
        store = open_store(settings.baselines, folder=settings.folder)
        roots = Roots(sysfs=settings.sysfs)
        session = Session(
            meters=meters,
            machine=describe_machine(roots, meters=_hard_keys(meters), hardware=meters.hardware),
            source=read_source(settings.folder, ignore=_below(store.root, settings.folder)),
            run_id=f"{now:%Y%m%dT%H%M%SZ}-{surroundings.token()}",
            started_at=now.replace(microsecond=0),
            clock=surroundings.clock,
            progress=surroundings.progress,
            notes=(*opened.notes, *(frequency_note(settings.sysfs) if meters.counts_the_machine else ())),
            idle_s=settings.idle_s,
            watch=watch_for(meters, roots=roots, limits=settings.noise, clock=surroundings.clock),
        )
        if settings.mode is Mode.RECORD:
            refuse_to_record(session.run(), allow_estimates=settings.allow_estimates)
            require_writable(store.root / session.machine.fingerprint / "run.json")
        baseline = store.load(session.machine.fingerprint) if settings.mode is Mode.GATE else Baseline()
        job = Job(settings=settings, session=session, store=store, baseline=baseline)
        try:
            yield job
        except BaseException:
            job.save()
            raise


@contextmanager
def _measuring(settings: Settings) -> Iterator[OpenedMeters]:
    """Open the meters asked for, while no other job measures what they read. Raises ConfigError or MeterUnavailable."""
    with ExitStack() as machine:
        refusal = _hold(machine, settings)
        opened = _open_meters(settings)
        with opened.group as meters:
            if not reads_hardware(meter.name for meter in meters.meters):
                machine.close()
            elif refusal is not None:
                raise refusal
            yield opened


def _hold(machine: ExitStack, settings: Settings) -> MeterUnavailable | None:
    """Hold the machine before anything of it is read.

    Returns
    -------
    MeterUnavailable or None
        Why it cannot be held, where `auto` seems to end in the estimate, which doesn't need it.

    Raises
    ------
    MeterUnavailable
        Where it cannot be held, and is needed.
    """
    if not reads_hardware(settings.meters):
        return None
    try:
        machine.enter_context(machine_lock(settings.sysfs))
    except MeterUnavailable as refusal:
        if settings.meters != ("auto",) or finds_counter(meter_options(settings)):
            raise
        return refusal
    return None


def _whole_tree(meters: MeterGroup) -> AbstractContextManager[None]:
    """Keep double-forked children in our process tree, where something watches what is not ours."""
    return nullcontext() if meters.is_replay else adopted_orphans()


def judge(
    head: Run,
    baseline: Baseline,
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    warnings: Sequence[str] = (),
) -> GateReport:
    """Compare a run with its baseline and decide. Pure. `warnings` are put after its own."""
    window = Window(
        sessions=policy.window,
        max_invalid=policy.max_invalid,
        prior=Prior(sd=policy.session_sd, weight=policy.session_sd_weight),
    )
    comparisons = compare(head, baseline, window=window, limits=policy.limits)
    rows = _labelled(decide(comparisons, policy, missing=missing, estimated=_doubt(head)), head.label)
    sessions = {b.name: [run for run, _ in session_runs(b, baseline, policy.window)] for b in head.benchmarks}
    code = exit_code(rows, policy.fail_on)
    counted = {run.run_id for runs in sessions.values() for run in runs}
    used = [run for run in baseline.runs if run.run_id in counted]
    return GateReport(
        verdict=overall(rows, code),
        exit_code=code,
        counts=count_outcomes(rows),
        tool=head.tool,
        head=Head(run_id=head.run_id, commit=head.source.commit),
        baseline=BaselineRuns(
            runs=tuple(run.run_id for run in used),
            commits=tuple(run.source.commit for run in used if run.source.commit is not None),
        ),
        machine=head.machine,
        meters=head.meters,
        policy=PolicyView(
            budget=policy.budget,
            min_effect=policy.min_effect,
            false_alarms=policy.false_alarms,
            adjust=policy.adjust,
            fail_on=tuple(policy.fail_on),
        ),
        comparisons=with_net(rows, head, sessions),
        warnings=(*_warnings(head, used), *warnings),
    )


def write_reports(report: GateReport, targets: Iterable[ReportTarget]) -> tuple[str, ...]:
    """Write each report to its file; give a sentence for each that could not be written."""
    return tuple(sentence for target in targets for sentence in _attempt(partial(_write_report, report, target)))


def _write_report(report: GateReport, target: ReportTarget) -> None:
    data = encode_report(report) if target.format == "json" else render_markdown(report).encode()
    write_atomically(target.path, data)


def refuse_to_record(run: Run, *, allow_estimates: bool) -> None:
    """Refuse a run that could not serve as a baseline. Raises ConfigError or MeterUnavailable."""
    if run.source.dirty:
        raise ConfigError(
            "The working tree has uncommitted changes, so this run would describe no commit.",
            why="A baseline must be reproducible.",
            fix="Commit or stash them first. Untracked files and the baselines themselves don't count.",
        )
    doubt = _doubt(run)
    if doubt is not None and not allow_estimates:
        raise MeterUnavailable(f"This run cannot be recorded: {doubt}")


def refuse_too_few_trials(settings: Settings, wanted: Iterable[tuple[str, TrialOverrides]]) -> None:
    """Refuse to record where no benchmark is to have enough trials for a session. Raises ConfigError.

    Parameters
    ----------
    wanted : iterable of (str, TrialOverrides)
        The benchmarks, and what their markers or suites say.
    """
    if settings.mode is not Mode.RECORD:
        return
    most = max((settings.trials_for(name, own).count for name, own in wanted), default=FEWEST_TRIALS)
    if most < FEWEST_TRIALS:
        raise ConfigError(
            f"trials.count: at most {most} trial{'' if most == 1 else 's'} of a benchmark would be recorded, and fewer "
            f"than {FEWEST_TRIALS} are no session.",
            why="Nothing could be compared with them.",
            fix=f"Give {FEWEST_TRIALS} or more: --energy-trials={FEWEST_TRIALS}.",
        )


def unfit_as_sessions(run: Run) -> tuple[str, ...]:
    """Say which benchmarks of a recorded run will never count as a session, and why."""
    found: list[str] = []
    for benchmark in run.benchmarks:
        usable = 0 if benchmark.invalid is not None else len(usable_trials(benchmark, benchmark.primary))
        if usable == 0:
            found.append(f"{benchmark.name}: nothing valid was measured")
        elif benchmark.noisy is not None:
            found.append(f"{benchmark.name}: {benchmark.noisy}")
        elif usable < FEWEST_TRIALS:
            trials = f"{usable} valid trial{'' if usable == 1 else 's'}"
            found.append(f"{benchmark.name}: {trials}, and fewer than {FEWEST_TRIALS} are no session")
    return tuple(found)


def split_by_machine(runs: Sequence[Run], head: Run) -> Baseline:
    """Make a baseline of runs given by hand: those of the head's machine, newest first, and the others.

    Raises
    ------
    ConfigError
        If a run is given twice: it is one session, however often it is named, and no baseline for itself.
    """
    ids = [run.run_id for run in (*runs, head)]
    if twice := next((run_id for run_id in ids if ids.count(run_id) > 1), None):
        raise ConfigError(
            f"Run {twice} is given twice.",
            why="One run is one session, and no baseline for itself.",
            fix="Give each run once, and the head last.",
        )
    newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
    same = tuple(run for run in newest_first if run.machine.fingerprint == head.machine.fingerprint)
    return Baseline(runs=same, others=tuple(run for run in newest_first if run not in same))


def _attempt(write: Callable[[], object]) -> tuple[str, ...]:
    """Write; give the reason if that failed."""
    try:
        write()
    except EnergyGateError as error:
        return (str(error),)
    return ()


def _lost(kept: Path | None) -> str:
    """What became of a run that could not be recorded, and what to do."""
    if kept is not None:
        return f"Nothing was recorded, and nothing is lost: `energygate baseline record {kept}` records what was saved."
    return (
        "Nothing was recorded, and of this session only what is printed is left: measure again. --energy-save=FILE "
        "would keep it, and `energygate baseline record FILE` record it."
    )


def _missing(run: Run, baseline: Baseline, in_scope: Callable[[str], bool]) -> tuple[Benchmark, ...]:
    """Give the benchmarks that the newest stored run of this scope has and this run has not."""
    scopes = ([b for b in stored.benchmarks if in_scope(b.name)] for stored in baseline.runs)
    newest = next((benchmarks for benchmarks in scopes if benchmarks), [])
    return tuple(benchmark for benchmark in newest if run.benchmark(benchmark.name) is None)


def meter_options(settings: Settings) -> MeterOptions:
    """Give what the settings say of meters."""
    return MeterOptions(
        sysfs=settings.sysfs,
        rapl=settings.rapl,
        nvml=settings.nvml,
        prometheus=settings.prometheus,
        estimate=settings.estimate,
        machine="" if settings.estimate.calibrated is None else _fingerprint_without_meters(settings),
    )


def _fingerprint_without_meters(settings: Settings) -> str:
    """Which machine this is, whatever measures it: what a calibration of the estimate is of."""
    return describe_hardware(Roots(sysfs=settings.sysfs)).fingerprint


def _open_meters(settings: Settings) -> OpenedMeters:
    """Open the meters asked for. Where `auto` finds no counter the numbers are estimates, and are labelled so."""
    options = meter_options(settings)
    try:
        return open_meters(settings.meters, options)
    except NoCounter as refusal:
        estimate = open_meters(("estimate",), options)
        label = (
            "estimate: NO HARDWARE COUNTER can be used here, so every number is an estimate from CPU seconds. "
            "`energygate doctor` says how to mend that."
        )
        return OpenedMeters(group=estimate.group, notes=(label, *estimate.notes, *not_used(refusal.refusals)))


def _require_visible_work(named: NamedSuite, meters: MeterGroup) -> None:
    """Refuse an estimate that would not see the server's CPU seconds. Raises ConfigError."""
    suite = named.suite
    outside = isinstance(suite, InferenceSuite) and suite.server is None and suite.endpoint.pid is None
    if outside and any(meter.kind == "estimate" for meter in meters.meters):
        raise ConfigError(
            f"{named.name}: endpoint.pid: not given, and the server runs outside energygate's own process tree.",
            why="The estimate counts CPU seconds of processes, so it would charge only the client's.",
            fix="Give the server's process id, or let energygate start it with `server:`.",
        )


def _require_measured_gpus(named: NamedSuite, meters: MeterGroup, environ: Mapping[str, str]) -> None:
    """Refuse a workload that may use other GPUs than those that `auto` chose by `environ`. Raises ConfigError."""
    place, added = _environment_of(named.suite)
    variable = differing_variable(environ, {**environ, **added})
    if variable is None or not any(meter.name in {"nvml", "nvml-power"} for meter in meters.meters):
        return
    own = repr(environ[variable]) if variable in environ else "not set"
    raise ConfigError(
        f"{named.name}: {place}.{variable}: {added[variable]!r}, but for energygate itself it is {own}.",
        why="`nvml: {gpus: auto}` measures the GPUs that energygate's own environment shows, and the workload may use "
        "others.",
        fix=f"Set {variable} for energygate itself, which hands it on, or name the GPUs that the workload uses in "
        "energygate.yml: `nvml: {gpus: [GPU-...]}`.",
    )


def _environment_of(suite: Suite) -> tuple[str, Mapping[str, str]]:
    """Where a suite says what it adds to the environment of what it starts, and what that is."""
    if isinstance(suite, CommandSuite):
        return "env", suite.env
    return "server.env", {} if suite.server is None else suite.server.env


def _labelled(rows: Sequence[Row], label: Label) -> tuple[Row, ...]:
    return tuple(structs.replace(row, label=label) if row.estimated else row for row in rows)


def _doubt(run: Run) -> str | None:
    """Why the readings decide nothing unless policy lets them, or None where they were measured."""
    if not run.estimated:
        return None
    by_kind = {
        called: ", ".join(meter.name for meter in run.meters if meter.kind == kind)
        for kind, called in (("estimate", "an estimate by model"), ("integrated", "integrated power"))
    }
    doubtful = " and ".join(f"{called} ({names})" for called, names in by_kind.items() if names)
    return (
        f"the readings are {doubtful}, not a measurement, and may not decide. "
        "Use a hardware counter (`energygate doctor` says what is missing and how to mend it), "
        "or let estimates decide: --energy-allow-estimates, allow_estimates: true."
    )


def _hard_keys(meters: MeterGroup) -> Mapping[str, object]:
    return {
        meter.name: {
            "kind": meter.kind,
            "domains": [domain.name for domain in meter.domains],
            "constants": dict(meter.constants),
        }
        for meter in meters.meters
    }


def _below(path: Path, folder: Path) -> str:
    full, home = path.resolve(), folder.resolve()
    return full.relative_to(home).as_posix() if full.is_relative_to(home) and full != home else ""


def _warnings(head: Run, used: Sequence[Run]) -> Iterator[str]:
    if used and (differences := soft_key_differences(head.machine, used[0].machine)):
        yield f"since the newest stored run: {'; '.join(differences)}"
    if head.source.dirty:
        yield "the working tree has uncommitted changes: this report describes no commit"
    if head.idle_unknown is not None:
        yield head.idle_unknown
    if head.idle is not None and (warning := idle_warning(head.idle)):
        yield warning
