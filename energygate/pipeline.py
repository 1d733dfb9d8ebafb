"""The use cases: measure, gate, record. Collaborators are passed in; the shells parse, call these, print and exit."""

import datetime as dt
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from msgspec import structs

from energygate.baseline.at_base import AtBase, BaseCommit, load_at
from energygate.baseline.base import Shown, Store
from energygate.baseline.schema import encode_run
from energygate.baseline.store import open_store
from energygate.baseline.which import beside_the_store, store_name
from energygate.children import adopted_orphans
from energygate.clock import Clock, SystemClock
from energygate.compare import (
    FEWEST_TRIALS,
    usable_trials,
)
from energygate.config_keys import MarkerKeys
from energygate.errors import ConfigError, EnergyGateError, MeterUnavailable
from energygate.files import require_writable, write_atomically
from energygate.gate import compare_rules
from energygate.history.sessions import is_brought
from energygate.judging import doubt_of, judge, judge_two_stages, screen
from energygate.measure.assignment import Assignment, require_own_code
from energygate.measure.energy import Energy
from energygate.measure.frequency import frequency_note
from energygate.measure.lock import Patience, machine_lock
from energygate.measure.machine import Roots, describe_hardware, describe_machine
from energygate.measure.requirement import TrialSettings
from energygate.measure.session import Session
from energygate.measure.source import read_source, relative_to
from energygate.measure.trials import Progress
from energygate.measure.watch import AlreadyQuiet, watch_for
from energygate.meters.group import MeterGroup
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.nvidia.visible import differing_variable
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
    Benchmark,
    GateReport,
    Location,
    Run,
)
from energygate.policy import Policy
from energygate.policy_changes import policy_changes
from energygate.report.formats import FORMATS
from energygate.report.progress import Silent
from energygate.settings import Mode, NamedSuite, ReportTarget, Settings
from energygate.signals import interrupted_by_sigterm, interrupts_held_back
from energygate.units import format_quantity
from energygate.workloads.base import Workload
from energygate.workloads.build import workload
from energygate.workloads.inference.servers import Servers
from energygate.workloads.leftovers import stop_leftovers
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
    compared : str
        What was measured in turn, and how, where both sides were named by hand.
    """

    run: Run
    report: GateReport | None = None
    stored: Shown | None = None
    unfit: tuple[str, ...] = ()
    unwritten: tuple[str, ...] = ()
    compared: str = ""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What measuring suspects again, beside their base, came to.

    Attributes
    ----------
    pair : (base, head), or None
        The runs, whose trials carry their block; None where nothing was measured.
    unconfirmed : mapping of benchmark name to str
        Why what was asked for is not decided by them.
    alone : mapping of benchmark name to str
        Why there is nothing to measure a benchmark beside: its stored runs decide, as they do without a base.
    warnings : tuple of str
        What the report says of it as a whole.
    """

    pair: tuple[Run, Run] | None = None
    unconfirmed: Mapping[str, str] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Confirming(Protocol):
    """Measures benchmarks again, beside the base at `commit`, in the repository at `top`."""

    @property
    def commit(self) -> str: ...  # noqa: D102
    @property
    def shown(self) -> str: ...  # noqa: D102
    @property
    def top(self) -> Path: ...  # noqa: D102

    def __call__(self, names: Sequence[str], policy: Policy) -> Confirmed:
        """Measure these; the policy has each one's budget."""
        ...


@dataclass(slots=True, kw_only=True)
class Job:
    """One measuring job, fed with benchmarks and finished once.

    Attributes
    ----------
    remarks : tuple of str
        What is wrong with the baselines: the report warns of it.
    asides : tuple of str
        What to do about the store some day: the report notes it.
    """

    settings: Settings
    session: Session
    store: Store
    baseline: Baseline
    confirming: Confirming | None = None
    servers: Servers = field(default_factory=Servers)
    remarks: tuple[str, ...] = ()
    asides: tuple[str, ...] = ()
    policy_changes: tuple[str, ...] = ()
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    _unstarted: set[str] = field(default_factory=set)  # what asks a server that somebody else has started

    def confirm_with(self, confirming: Confirming) -> None:
        """Let what looks worse be measured again beside its base: then only that can fail it."""
        self.confirming = confirming

    @property
    def notes(self) -> tuple[str, ...]:
        """Which meters measure, why others do not, and how long idle power is measured."""
        infos = tuple(f"{info.name}: {', '.join(info.domains)}" for info in self.session.meters.infos)
        idle = self.session.idle
        windows = f"idle power: {format_quantity(idle.window_s, 's')} before the first and after the last trial"
        said = (*self.policy_changes, *self.remarks, *self.asides)
        return (*(self.session.notes or infos), *((windows,) if idle.is_wanted else ()), *said)

    def energy(self, name: str, marker: MarkerKeys, *, location: Location | None) -> Energy:
        """Give the object behind the `energy` fixture of one test."""
        self.session.rules[name] = marker.as_rules()
        settings = self.settings.trials_for(name, marker.as_trials())
        return Energy(self.session, settings, name=name, location=location)

    def measure(self, named: NamedSuite) -> Benchmark:
        """Measure one suite."""
        location = named.location
        self.session.rules[named.name] = MarkerKeys(limit=named.suite.limits).as_rules()
        settings = self.settings.trials_for(named.name, named.suite.trials)
        built = workload(
            named.suite,
            file=named.file,
            prefix=named.prefix,
            meters=self.settings.meters,
            servers=self.servers,
            tell=self.session.progress.waiting,
        )
        _require_visible_work(named, self.session.meters)
        if self.settings.nvml.gpus == "auto":
            _require_measured_gpus(named, self.session.meters, os.environ)
        if _asks_a_running_server(named.suite):
            self._unstarted.add(named.name)
            if self.settings.assignment is not None:
                return self._not_measured(built, settings, location=location, why=_SAME_SERVER)
        elif self.settings.assignment is not None and isinstance(named.suite, InferenceSuite):
            settings = replace(settings, warmup=1)  # the server is a new one, and answers its first requests slowly
        return self.session.measure(built, settings, location=location)

    def _not_measured(
        self, built: Workload, settings: TrialSettings, *, location: Location | None, why: str
    ) -> Benchmark:
        series = self.session.series(built.name, settings)
        return self.session.record(
            series, definition=built.definition, labels=built.labels, location=location, invalid=why
        )

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
        if self.settings.assignment is not None:
            require_own_code(self.settings.assignment)
        self.session.finish()
        unsaved = attempt(self.save)
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
                report = self._remarked(self._judge(run, in_scope))
                return Finished(run=run, report=in_terms(report, self.settings, now=self.now()))

    def _recorded(self, run: Run, kept: Path | None) -> Finished:
        """Add a run to the store, if it holds a session; `kept` is where it was saved besides."""
        unfit = unfit_as_sessions(run)
        if len(unfit) == len(run.benchmarks):
            return Finished(run=run, unfit=unfit)
        try:
            return Finished(run=run, stored=self.store.add(run), unfit=unfit)
        except EnergyGateError as error:
            return Finished(run=run, unfit=unfit, unwritten=(f"{error} {_lost(kept)}",))

    def _remarked(self, report: GateReport) -> GateReport:
        """Put what the change under test makes of the policy above every other warning, and asides below the notes."""
        warnings, notes = (*self.policy_changes, *report.warnings), (*report.notes, *self.asides)
        return structs.replace(report, warnings=warnings, notes=notes)

    def _judge(self, run: Run, in_scope: Callable[[str], bool]) -> GateReport:
        rules = {each.name: self.settings.rules_for(each.name, each.rules) for each in run.benchmarks}
        policy = replace(self.settings.policy, rules=rules)
        missing = _missing(run, self.baseline, in_scope)
        known = [benchmark.name for benchmark in (*run.benchmarks, *missing)]
        unused = (*self.settings.unused_patterns(known), *self.settings.unknown_canary(known))
        if self.confirming is None:
            return judge(run, self.baseline, policy, missing=missing, warnings=(*self.remarks, *unused))
        queued = screen(run, self.baseline, policy)
        suspects = tuple(name for name in queued if name not in self._unstarted)
        found = self.confirming(suspects, policy) if suspects else Confirmed()
        decides = policy.allow_estimates or doubt_of(run) is None  # else nothing is queued, whatever it looks like
        idle = decides and not queued
        unmeasured = (
            (f"{_nothing_to_confirm(self.baseline)}, so {self.confirming.shown} was not measured",) if idle else ()
        )
        report = judge_two_stages(
            run,
            self.baseline,
            policy,
            confirmed=found.pair,
            unconfirmed=found.unconfirmed,
            alone={name: _SAME_SERVER for name in queued if name in self._unstarted} | dict(found.alone),
            missing=missing,
            warnings=(*self.remarks, *unused, *found.warnings),
        )
        return structs.replace(report, notes=unmeasured)


@contextmanager
def open_job(settings: Settings, surroundings: Surroundings, *, base: BaseCommit | None = None) -> Iterator[Job]:
    """Open meters and baselines, so that whatever is wrong with them is said before anything is measured.

    Whatever stops the job, an interrupt above all: what was measured is kept where `save` says.

    Parameters
    ----------
    base : BaseCommit, optional
        What the working tree is a change of: baselines are read as that commit has them.

    Raises
    ------
    ConfigError, MeterUnavailable, BaselineError
        Each with the fix.
    Terminated
        SIGTERM or SIGHUP came, at any moment until the job is closed: it is an interrupt like Ctrl-C.
    """
    for path in (*([settings.save] if settings.save else []), *(target.path for target in settings.reports)):
        require_writable(path)
    assignment = settings.assignment
    if assignment is not None and Path(assignment.save).exists():
        raise ConfigError(
            "The command measures twice: another energygate process has saved its run already.",
            why="The second run would replace the first.",
            fix="Interleave one of them at a time, or let one process measure all.",
        )
    with interrupted_by_sigterm(), _measuring(settings, surroundings) as opened, _whole_tree(opened.group):
        meters = opened.group
        now = surroundings.now()
        store = open_store(settings.baselines, folder=settings.folder, at=settings.baselines_at)
        roots = Roots(sysfs=settings.sysfs)
        watch = watch_for(
            meters, roots=roots, limits=settings.noise, clock=surroundings.clock, tell=surroundings.progress.waiting
        )
        session = Session(
            meters=meters,
            machine=describe_machine(roots, meters=_hard_keys(meters), hardware=meters.hardware),
            source=read_source(settings.folder, ignore=below(store, settings.folder)),
            run_id=f"{now:%Y%m%dT%H%M%SZ}-{surroundings.token()}",
            started_at=now.replace(microsecond=0),
            clock=surroundings.clock,
            progress=surroundings.progress,
            notes=(
                *opened.notes,
                *stop_leftovers(),
                *(frequency_note(settings.sysfs) if meters.counts_the_machine else ()),
            ),
            idle_s=settings.idle_s,
            watch=watch if assignment is None else AlreadyQuiet(watch),
            iterations={} if assignment is None else assignment.iterations,
        )
        if settings.mode is Mode.RECORD:
            refuse_to_record(session.run(), allow_estimates=settings.allow_estimates)
            store.require_writable(session.machine.fingerprint)
        found = _baseline(settings, store, session.machine.fingerprint, base, on=now.date())
        job = Job(
            settings=settings,
            session=session,
            store=store,
            baseline=found.baseline,
            remarks=found.warnings,
            asides=() if settings.mode is Mode.MEASURE else store.remarks(),
            policy_changes=() if base is None else policy_changes(settings.config, settings.looked_for, base),
            now=surroundings.now,
        )
        try:
            yield job
        except BaseException:
            job.save()
            raise
        finally:
            with interrupts_held_back(), ExitStack() as closing:  # a second Ctrl-C would leave the rest running
                closing.callback(job.servers.close)
                closing.callback(session.close)


def _baseline(settings: Settings, store: Store, fingerprint: str, base: BaseCommit | None, *, on: dt.date) -> AtBase:
    """Read what is stored, and say what is wrong with where it was looked for."""
    if settings.mode is not Mode.GATE:
        return AtBase(baseline=Baseline())
    rules = compare_rules(settings.policy).window_rules(on)
    found = AtBase(baseline=store.load(fingerprint)) if base is None else load_at(store, fingerprint, base, rules)
    name = structs.replace(store_name(store, settings.folder), is_given=settings.is_store_given)
    return replace(
        found,
        baseline=replace(found.baseline, store=name),
        warnings=(*found.warnings, *beside_the_store(found.baseline, name, settings.folder, fingerprint)),
    )


def _nothing_to_confirm(baseline: Baseline) -> str:
    if baseline.runs:
        return "nothing is suspect"
    return "nothing is stored to suspect anything by (confirm.which: unresolved measures it all the same)"


def below(store: Store, folder: Path) -> str:
    """Where a store is below a folder, as `read_source` ignores it; nothing where it is elsewhere."""
    return "" if store.folder is None else relative_to(store.folder, folder)


@contextmanager
def _measuring(settings: Settings, surroundings: Surroundings) -> Iterator[OpenedMeters]:
    """Open the meters asked for, while no other job measures what they read. Raises ConfigError or MeterUnavailable."""
    patience = Patience(timeout_s=settings.lock_timeout_s, tell=surroundings.progress.waiting, clock=surroundings.clock)
    with ExitStack() as machine:
        refusal = _hold(machine, settings, patience)
        opened = _open_meters(settings)
        with opened.group as meters:
            if not reads_hardware(meter.name for meter in meters.meters):
                machine.close()
            elif refusal is not None:
                raise refusal
            yield opened


def _hold(machine: ExitStack, settings: Settings, patience: Patience) -> MeterUnavailable | None:
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
    if settings.assignment is not None or not reads_hardware(settings.meters):
        return None  # whoever assigned this process a part of its own job holds the machine already
    if settings.meters != ("auto",):
        machine.enter_context(machine_lock(settings.sysfs, patience=patience))
        return None
    try:
        machine.enter_context(machine_lock(settings.sysfs))
    except MeterUnavailable as refusal:
        if not finds_counter(meter_options(settings)):
            return refusal
        machine.enter_context(machine_lock(settings.sysfs, patience=patience))
    return None


def _whole_tree(meters: MeterGroup) -> AbstractContextManager[None]:
    """Keep double-forked children in our process tree, where something watches what is not ours."""
    return nullcontext() if meters.is_replay else adopted_orphans()


def in_terms(report: GateReport, settings: Settings, *, now: dt.datetime) -> GateReport:
    """Let a report show energy also in the terms that the settings ask for. Nothing else of it changes."""
    if settings.terms is None:
        return report
    from energygate.carbon.held import HeldAnswers  # noqa: PLC0415  after measuring: its HTTP client is no small thing
    from energygate.carbon.terms import Outside, terms_of  # noqa: PLC0415

    outside = Outside(environ=os.environ, now=now, held=HeldAnswers.of_user(os.environ))
    return structs.replace(report, terms=terms_of(settings.terms, outside))


def write_reports(report: GateReport, targets: Iterable[ReportTarget]) -> tuple[str, ...]:
    """Write each report to its file; give a sentence for each that could not be written."""
    return tuple(sentence for target in targets for sentence in attempt(partial(_write_report, report, target)))


def _write_report(report: GateReport, target: ReportTarget) -> None:
    write_atomically(target.path, FORMATS[target.format].render(report))


def refuse_to_record(run: Run, *, allow_estimates: bool) -> None:
    """Refuse a run that could not serve as a baseline. Raises ConfigError or MeterUnavailable."""
    if run.source.dirty:
        raise ConfigError(
            f"The working tree has uncommitted changes{run.source.which}, so this run would describe no commit.",
            why="A baseline must be reproducible.",
            fix="Commit or stash them first. Untracked files and the baselines themselves don't count.",
        )
    doubt = doubt_of(run)
    if doubt is not None and not allow_estimates:
        raise MeterUnavailable(f"This run cannot be recorded: {doubt}")


def planned_trials(settings: Settings, wanted: Iterable[tuple[str, TrialOverrides]]) -> dict[str, int]:
    """Say how many trials each benchmark is to have, warm-ups included; parameters as below."""
    each = ((name, settings.trials_for(name, own)) for name, own in wanted)
    return {name: found.warmup + found.count for name, found in each}


def refuse_too_few_trials(settings: Settings, wanted: Iterable[tuple[str, TrialOverrides]]) -> None:
    """Refuse to record where no benchmark is to have enough trials for a session. Raises ConfigError.

    Parameters
    ----------
    wanted : iterable of (str, TrialOverrides)
        The benchmarks, and what their markers or suites say.
    """
    if settings.mode is not Mode.RECORD:
        return
    counts = {name: (settings.trials_for(name, own).count, own) for name, own in wanted}
    most = max((count for count, _ in counts.values()), default=FEWEST_TRIALS)
    if most < FEWEST_TRIALS:
        said = [name for name, (count, own) in counts.items() if count == most == own.count]
        of = f" of {said[0]}" if said and settings.forced.count is None else ""
        raise ConfigError(
            f"trials.count{of}: at most {most} trial{'' if most == 1 else 's'} of a benchmark would be recorded, and "
            f"fewer than {FEWEST_TRIALS} are no session.",
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


def attempt(write: Callable[[], object]) -> tuple[str, ...]:
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
    merged = (stored for stored in baseline.runs if not is_brought(stored, baseline.at_base))
    scopes = ([b for b in stored.benchmarks if in_scope(b.name)] for stored in merged)
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
        kinship=_kinship(settings.assignment),
        played=0 if settings.assignment is None else settings.assignment.played,
        machine="" if settings.estimate.calibrated is None else _fingerprint_without_meters(settings),
    )


def _kinship(assignment: Assignment | None) -> Kinship:
    """Whose processes may be on a GPU: ours, and where one interleaves, those of its job: it may hold one meanwhile."""
    if assignment is None or assignment.driver is None:
        return Kinship()
    return Kinship(own_pid=assignment.driver)


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


_SAME_SERVER: Final = (
    "both sides would ask the same running server, so no change of it could be seen. Let energygate start it: `server:`"
)


def _asks_a_running_server(suite: Suite) -> bool:
    return isinstance(suite, InferenceSuite) and suite.server is None


def _require_visible_work(named: NamedSuite, meters: MeterGroup) -> None:
    """Refuse an estimate that would not see the server's CPU seconds. Raises ConfigError."""
    suite = named.suite
    outside = isinstance(suite, InferenceSuite) and suite.endpoint.pid is None and _asks_a_running_server(suite)
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
    if isinstance(suite, InferenceSuite) and suite.server is not None:
        return "server.env", suite.server.env
    return "", {}


def _hard_keys(meters: MeterGroup) -> Mapping[str, object]:
    return {
        meter.name: {
            "kind": meter.kind,
            "domains": [domain.name for domain in meter.domains],
            "constants": dict(meter.constants),
        }
        for meter in meters.meters
    }
