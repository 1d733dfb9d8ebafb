"""`energygate run`."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from energygate.cli.options import judging_options, measuring_options, settings_of, spelt
from energygate.cli.output import print_finished
from energygate.config import DEFAULT_FILE, read_suites
from energygate.errors import ConfigError
from energygate.pipeline import Surroundings, open_job, refuse_too_few_trials
from energygate.report.progress import LiveProgress, PlainProgress
from energygate.settings import NamedSuite, Settings
from energygate.workloads.build import workload
from energygate.workloads.text import printable


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@measuring_options
@judging_options
def run(files: tuple[Path, ...], *, as_json: bool, **options: Any) -> None:
    """Run the suites of FILES (default: those of the configuration)."""
    settings = settings_of(options)
    suites = _suites(files, settings)
    refuse_too_few_trials(settings, [(named.name, named.suite.trials) for named in suites])
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = LiveProgress(console) if interactive else PlainProgress(console)
        stack.enter_context(progress)
        job = stack.enter_context(open_job(settings, Surroundings(progress=progress)))
        for note in job.notes:
            click.echo(printable(spelt(note), limit=1000), err=True)
        for named in suites:
            job.measure(named)
        names = {named.name for named in suites}
        prefixes = {named.prefix for named in suites}
        finished = job.finish(in_scope=lambda name: name in names or name.rpartition("::")[0] in prefixes)
    print_finished(finished, as_json=as_json)
    sys.exit(finished.exit_code)


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
