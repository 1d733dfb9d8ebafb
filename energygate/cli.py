"""The command line: parses, calls the pipeline, prints, exits. Results go to stdout, the rest to stderr.

Exit codes: 0 pass, 1 regression or over a limit, 2 usage or configuration, 3 inconclusive and 4 baseline missing or
unfit (where policy fails on them), 5 nothing valid was measured, 130 after an interrupt.
"""

import datetime as dt
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import click
import msgspec
from rich.console import Console

from energygate.baseline.store import FolderStore, open_store, read_run
from energygate.calibration import calibrate_estimate, estimate_block
from energygate.clock import SystemClock
from energygate.config import DEFAULT_FILE, config_path, find_home, load_settings, read_suites
from energygate.config_keys import ConfigFile
from energygate.conversion import schema
from energygate.errors import BaselineError, ConfigError, EnergyGateError, MeterUnavailable
from energygate.measure.calibrate import Calibrator, busy_levels
from energygate.measure.checkup import check_up
from energygate.measure.machine import Roots
from energygate.meters.select import METER_NAMES, make_meter
from energygate.model import GateReport, Run
from energygate.options import Given
from energygate.pipeline import (
    Finished,
    Job,
    Surroundings,
    judge,
    meter_options,
    open_job,
    refuse_to_record,
    split_by_machine,
    unfit_as_sessions,
    write_reports,
)
from energygate.report.doctor import doctor_document, render_doctor
from energygate.report.json import decode_report, encode_report
from energygate.report.measured import render_measured
from energygate.report.progress import LiveProgress, PlainProgress
from energygate.report.terminal import render_terminal
from energygate.settings import NamedSuite, Settings
from energygate.units import format_quantity
from energygate.workloads.build import workload
from energygate.workloads.suites import SuiteFile, TrialOverrides
from energygate.workloads.text import printable

Command = Callable[..., Any]
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code."""
    with _Boundary():
        commands.main(prog_name="energygate", standalone_mode=False)


class _Boundary:
    """Turns whatever ends the program into its exit code. An unforeseen error is 2: 1 means a measured regression."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        match error:
            case None | SystemExit():
                return
            case click.ClickException():
                error.show()
                sys.exit(2)
            case KeyboardInterrupt() | click.Abort():
                click.echo("interrupted", err=True)
                sys.exit(_INTERRUPTED)
            case EnergyGateError():
                click.echo(f"error: {_spelt(error)}", err=True)
                sys.exit(_exit_code_of(error))
            case _:
                traceback.print_exception(error)
                click.echo(
                    "error: energygate failed; this is a defect, please report it with the lines above", err=True
                )
                sys.exit(2)


def _exit_code_of(error: EnergyGateError) -> int:
    match error:
        case MeterUnavailable():
            return 5
        case BaselineError():
            return 4
        case _:
            return 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="energygate")
def commands() -> None:
    """Measure joules per request and per token, and fail the build when they regressed."""


def _measuring_options(command: Command) -> Command:
    """Add the options that `run` shares with pytest."""
    options = [
        click.option(
            "--mode", metavar="measure|gate|record", help="Only measure; compare and decide; or add to the baselines."
        ),
        click.option(
            "--meters",
            metavar="LIST",
            help=f"Comma list of {', '.join(METER_NAMES)}, replay:FILE.",
        ),
        click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted."),
        click.option("--allow-estimates", is_flag=True, default=None, help="An estimated reading may decide."),
        click.option("--trials", metavar="N", help="Trials that count."),
        click.option("--warmup", metavar="N", help="Discarded trials before them."),
        click.option("--min-time", metavar="SECONDS", help="Shortest trial."),
        click.option("--save", metavar="FILE", help="Write the run as JSON."),
    ]
    return _with(options, command)


def _judging_options(command: Command) -> Command:
    """Add the options of every command that judges."""
    options = [
        click.option("--config", metavar="FILE", help=f"Configuration file (default: {DEFAULT_FILE} if there)."),
        click.option("--baselines", metavar="DIR", help="Where runs are stored."),
        click.option("--fail-on", metavar="LIST", help="Outcomes that fail."),
        click.option("--report", multiple=True, metavar="FORMAT:FILE", help="Write a report: json or markdown."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
    ]
    return _with(options, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


@commands.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@_measuring_options
@_judging_options
def run(files: tuple[Path, ...], *, as_json: bool, **options: Any) -> None:
    """Run the suites of FILES (default: those of the configuration)."""
    settings = _settings(options)
    suites = _suites(files, settings)
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = LiveProgress(console) if interactive else PlainProgress(console)
        stack.enter_context(progress)
        job = stack.enter_context(open_job(settings, Surroundings(progress=progress)))
        for note in job.notes:
            click.echo(printable(_spelt(note), limit=1000), err=True)
        _measure(job, suites)
        names = {named.name for named in suites}
        prefixes = {named.prefix for named in suites}
        finished = job.finish(in_scope=lambda name: name in names or name.rpartition("::")[0] in prefixes)
    _print(finished, as_json=as_json)
    sys.exit(finished.exit_code)


def _measure(job: Job, suites: tuple[NamedSuite, ...]) -> None:
    try:
        for named in suites:
            job.measure(named)
    except BaseException:
        # Whatever stopped it, an interrupt above all: what was measured is kept where `save` says.
        job.save()
        raise


def _suites(files: tuple[Path, ...], settings: Settings) -> tuple[NamedSuite, ...]:
    """Give the suites to run; whatever is wrong with their files is said before anything is measured."""
    suites = tuple(suite for file in files for suite in read_suites(file, folder=settings.folder)) or settings.suites
    if not suites:
        raise ConfigError(
            "There is no suite to run.", fix=f"Name a *.energy.yml file, or list suites in {DEFAULT_FILE}."
        )
    names = [named.name for named in suites]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"Two benchmarks are called {twice}.", fix="Rename one of them, or name its file once.")
    for named in suites:
        workload(named.suite, file=named.file, prefix=named.prefix)
    return suites


@commands.command()
@click.argument("base", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--budget", metavar="PERCENT", help="An increase proven smaller than this passes: 5%.")
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated reading may decide.")
@_judging_options
def compare(base: tuple[Path, ...], head: Path, *, as_json: bool, **options: Any) -> None:
    """Compare the run HEAD with the runs BASE, each of them one session."""
    settings = _settings(options)
    head_run, base_runs = _given_run(head), [_given_run(path) for path in base]
    baseline = split_by_machine(base_runs, head_run)
    rules = {b.name: settings.rules_for(b.name) for b in head_run.benchmarks}
    known = {benchmark.name: benchmark for run in reversed(baseline.runs) for benchmark in run.benchmarks}
    missing = [benchmark for benchmark in known.values() if head_run.benchmark(benchmark.name) is None]
    unused = settings.unused_patterns([benchmark.name for benchmark in (*head_run.benchmarks, *missing)])
    policy = replace(settings.policy, rules=rules)
    report = judge(head_run, baseline, policy, missing=missing, warnings=unused)
    _print_report(report, as_json=as_json)
    write_reports(report, settings.reports)
    sys.exit(report.exit_code)


@commands.group()
def baseline() -> None:
    """Stored runs."""


@baseline.command("list")
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="DIR", help="Where runs are stored.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def baseline_list(*, as_json: bool, **options: Any) -> None:
    """List the stored runs by machine, newest first."""
    store = _store(options)
    stored = store.everything()
    if as_json:
        runs = [{"run_id": s.run.run_id, "file": str(s.path), "commit": s.run.source.commit} for s in stored]
        click.echo(json.dumps(runs, indent=2))
    elif not stored:
        click.echo(f"no run is stored in {store.root}; record one with `energygate run --mode record`", err=True)
    for each in () if as_json else stored:
        found = each.run
        commit = (found.source.commit or "no commit")[:12]
        machine, count, label = found.machine, len(found.benchmarks), printable(found.machine.label)
        click.echo(f"{machine.fingerprint}  {found.run_id}  {commit:12}  {count:3} benchmarks  {label}")


@baseline.command("show")
@click.argument("run_id")
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="DIR", help="Where runs are stored.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's own JSON.")
def baseline_show(run_id: str, *, as_json: bool, **options: Any) -> None:
    """Show the stored run whose id is, or starts with, RUN_ID."""
    found = _store(options).find(run_id)
    if as_json:
        click.echo(found.path.read_bytes().rstrip())
        return
    click.echo(f"{found.path}\n{_measured(found.run)}", nl=False)


@baseline.command("record")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="DIR", help="Where runs are stored.")
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated run may be stored.")
def baseline_record(file: Path, **options: Any) -> None:
    """Store a run that --save wrote as a baseline."""
    settings = _settings(options)
    found = _given_run(file)
    refuse_to_record(found, allow_estimates=settings.allow_estimates)
    unfit = unfit_as_sessions(found)
    if len(unfit) == len(found.benchmarks):
        raise BaselineError(
            f"{file} holds no session: {'; '.join(unfit) or 'no benchmark'}.", fix="Record a run with more trials."
        )
    click.echo(f"stored as {open_store(settings.baselines, folder=settings.folder).add(found)}")
    for sentence in unfit:
        click.echo(f"warning: not recorded as a session: {sentence}", err=True)


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--report", multiple=True, metavar="FORMAT:FILE", help="Write it in this format: json or markdown.")
def report(file: Path, report: tuple[str, ...]) -> None:
    """Render the stored report FILE again: on the terminal, or as --report says."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}.", fix="Give a report that is there.") from error
    found = decode_report(data, origin=str(file))
    targets = _settings({"report": report}).reports
    write_reports(found, targets)
    if not targets:
        _print_report(found, as_json=False)


@commands.command("schema")
@click.argument("kind", type=click.Choice(["run", "report", "config", "suite"]))
def print_schema(kind: str) -> None:
    """Print the JSON Schema of a file, for editors and other tools."""
    kinds = {"run": Run, "report": GateReport, "config": ConfigFile, "suite": SuiteFile}
    click.echo(json.dumps(schema(kinds[kind]), indent=2))


@commands.command()
@click.option("--config", metavar="FILE", help=f"Configuration file (default: {DEFAULT_FILE} if there).")
@click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--calibrate", is_flag=True, help="Fit the estimate to rapl and write it to the configuration.")
def doctor(*, as_json: bool, calibrate: bool, **options: Any) -> None:
    """Say what can be measured here, how well, what is missing, and the command that mends it."""
    settings = _settings(options)
    if calibrate:
        _calibrate(settings, options, as_json=as_json)
        return
    found = check_up(
        meter_options(settings),
        wanted=settings.meters,
        trials=settings.trials_for("", TrialOverrides()),
        roots=Roots(sysfs=settings.sysfs),
        clock=SystemClock(),
    )
    if as_json:
        _out(f"{msgspec.json.format(msgspec.json.encode(doctor_document(found)), indent=2).decode()}\n")
    else:
        _out(_spelt(render_doctor(found, color=sys.stdout.isatty())))
    sys.exit(0 if found.decides else 5)


def _calibrate(settings: Settings, options: dict[str, Any], *, as_json: bool) -> None:
    calibrator = Calibrator(meter=make_meter("rapl", meter_options(settings)))
    file, windows = _config_file(options), len(busy_levels(calibrator.processors))
    click.echo(
        f"{windows} windows of {calibrator.seconds:g} s with 0 to {calibrator.processors} processors busy: let nothing "
        "else run.",
        err=True,
    )
    estimate = calibrate_estimate(
        calibrator,
        sysfs=settings.sysfs,
        file=file,
        today=dt.datetime.now(dt.UTC).date(),
        tell=lambda level: click.echo(f"{level.busy:.2f} busy: {format_quantity(level.power_w, 'W')}", err=True),
    )
    if as_json:
        found = {"file": str(file), "estimate": estimate}
        _out(f"{msgspec.json.format(msgspec.json.encode(found), indent=2).decode()}\n")
    else:
        _out(
            f"written to {file}:\n{estimate_block(estimate)}\n"
            "Numbers of the estimate before are not compared with new ones: record a new baseline.\n"
        )


def _given_run(path: Path) -> Run:
    """Read a run named on the command line; one that is not there is a mistake of usage, not an unfit baseline."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", fix=f"Give the files in it: {path}/*.json, {path}/*/*.json.")
    if not path.is_file():
        raise ConfigError(f"Cannot read {path}: no such file.", fix="Give a file that `energygate run --save` wrote.")
    return read_run(path)


def _spelt(text: object) -> str:
    """Spell options as this shell does: messages name them as pytest spells them."""
    return str(text).replace("--energy-", "--")


def _settings(options: dict[str, Any]) -> Settings:
    here = Path.cwd()
    home = find_home(here)
    spelt = {"mode": "gate"} | {name.replace("_", "-"): value for name, value in options.items()}
    return load_settings(spelt, prefix="--", environ=os.environ, folder=home, here=here)


def _config_file(options: dict[str, Any]) -> Path:
    here = Path.cwd()
    named = Given(options=options, prefix="--", environ=os.environ).parse("config", Path)
    return config_path(named, folder=find_home(here), here=here)


def _store(options: dict[str, Any]) -> FolderStore:
    settings = _settings(options)
    return open_store(settings.baselines, folder=settings.folder)


def _print(finished: Finished, *, as_json: bool) -> None:
    if finished.report is not None:
        _print_report(finished.report, as_json=as_json)
    elif as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(finished.run), indent=2))
    else:
        click.echo(_measured(finished.run), nl=False)
    if finished.stored is not None:
        click.echo(f"stored as {finished.stored}", err=as_json)
    for sentence in finished.unwritten:
        click.echo(f"error: {sentence}", err=True)
    for sentence in finished.unfit:
        click.echo(f"error: not recorded as a session: {sentence}", err=True)
    if finished.exit_code == 5 and finished.report is None and not finished.unfit:
        click.echo("error: nothing valid was measured; the reasons stand above", err=True)


def _print_report(report: GateReport, *, as_json: bool) -> None:
    if as_json:
        _out(encode_report(report).decode())
    else:
        _out(render_terminal(report, color=sys.stdout.isatty()))


def _out(text: str) -> None:
    """Write a result. A reader that has gone (`| head`) must not turn a verdict into another exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again at its end


def _measured(found: Run) -> str:
    return render_measured(found, color=sys.stdout.isatty())
