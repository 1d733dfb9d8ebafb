"""What several commands are told, and what the settings make of it."""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from energygate.baseline.base import Store
from energygate.baseline.store import open_store, read_run
from energygate.config import DEFAULT_FILE, config_path, find_home, folders_upwards, load_settings
from energygate.errors import ConfigError
from energygate.gate import compare_rules
from energygate.history.timeline import WindowRules
from energygate.meters.select import METER_NAMES
from energygate.model import Run
from energygate.options import Given, report_target
from energygate.report.formats import named_formats
from energygate.settings import ReportTarget, Settings

Command = Callable[..., Any]
Option = Callable[[Command], Command]
HOW_TO_RECORD: Final = "`energygate run --mode record` or `python -m pytest --energy --energy-mode=record`"
CONFIG: Final = f"Configuration file (default: {DEFAULT_FILE} if there)."
BASELINES: Final = "Where runs are stored: a folder, git:BRANCH, or a URL such as s3://BUCKET/FOLDER."
AGAINST: Final = (
    "Measure suspects again, in turn with this git revision; auto: the merge base of a pull request; none: not at all "
    "(default: auto)."
)


def own_option(name: str, *more: str, **how: Any) -> Option:
    """Give an option that is no setting: `settings_of` does not look it up, so here is where the environment is."""
    return click.option(name, *more, envvar=f"ENERGYGATE_{name.lstrip('-').upper().replace('-', '_')}", **how)


def as_json_option(command: Command) -> Command:
    """Add the option of every command that prints results."""
    return own_option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


def lock_timeout(command: Command) -> Command:
    """Add the option of what waits for the machine."""
    text = "Wait so long for a machine that another job measures (default: 0)."
    return click.option("--lock-timeout", metavar="SECONDS", help=text)(command)


def verbose(command: Command) -> Command:
    """Add the option of what prints results."""
    text = "Show details: what passes, the evidence of each verdict, times, idle power, meters and machine."
    return own_option("--verbose", "-v", is_flag=True, help=text)(command)


def measuring_options(command: Command) -> Command:
    """Add the options that `run` shares with pytest."""
    options: list[Option] = [
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
        lock_timeout,
    ]
    return _with(options, command)


def interleaving_options(command: Command) -> Command:
    """Add the options of what measures two sides in turn."""
    options: list[Option] = [
        click.option("--min-blocks", metavar="N", help="Fewest blocks, an even number (default: 10)."),
        click.option("--max-blocks", metavar="N", help="Most blocks, an even number (default: 30)."),
        click.option("--max-minutes", metavar="MINUTES", help="Stop measuring after that long."),
        click.option("--seed", metavar="N", help="What the order of the blocks is drawn from."),
        click.option("--setup", metavar="CMD", help="Run once at the top of each side, without a shell."),
        click.option("--venv", is_flag=True, default=None, help="Give each side a virtual environment of its own."),
    ]
    return _with(options, command)


def judging_options(command: Command) -> Command:
    """Add the options of every command that judges."""
    options: list[Option] = [
        click.option("--config", metavar="FILE", help=CONFIG),
        click.option("--baselines", metavar="URI", help=BASELINES),
        click.option("--fail-on", metavar="LIST", help="Outcomes that fail."),
        click.option("--report", multiple=True, metavar="FORMAT:FILE", help=f"Write a report: {named_formats()}."),
        own_option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
        verbose,
    ]
    return _with(options, command)


def _with(options: Sequence[Option], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def given_run(path: Path) -> Run:
    """Read a run named on the command line; one that is not there is a mistake of usage, not an unfit baseline."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", fix=f"Give the files in it: {path}/*.json, {path}/*/*.json.")
    if not path.is_file():
        raise ConfigError(f"Cannot read {path}: no such file.", fix="Give a file that `energygate run --save` wrote.")
    return read_run(path)


def working_folder() -> Path:
    """Give the folder that the command was typed in. Raises ConfigError where it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError("The working directory is gone.", fix="Go to one that is there: cd.") from error


def settings_of(options: dict[str, Any]) -> Settings:
    """Decide everything from options, environment and configuration file. Raises ConfigError."""
    here = working_folder()
    spelt = {"mode": "gate"} | {name.replace("_", "-"): value for name, value in options.items()}
    return load_settings(
        spelt,
        prefix="--",
        environ=os.environ,
        folder=find_home(here),
        here=here,
        searched=folders_upwards(here),
    )


def report_targets(given: tuple[str, ...]) -> tuple[ReportTarget, ...]:
    """Give where to write a report, which needs no settings, and may be standard output. Raises ConfigError."""
    return Given(options={"report": given}, prefix="--", environ=os.environ).parse_each("report", report_target)


def config_file(options: dict[str, Any]) -> Path:
    """The configuration file that is named, or the one that would be looked for."""
    here = working_folder()
    named = Given(options=options, prefix="--", environ=os.environ).parse("config", Path)
    return config_path(named, folder=find_home(here), here=here)


def store_of(options: dict[str, Any]) -> Store:
    """Where runs are stored."""
    settings = settings_of(options)
    return open_store(settings.baselines, folder=settings.folder)


def window_rules(settings: Settings, *, on: dt.date) -> WindowRules:
    """Which sessions count, as the policy says, on a given day."""
    return compare_rules(settings.policy).window_rules(on)
