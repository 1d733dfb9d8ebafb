"""`energygate run`."""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from energygate.cli.interleaving import say
from energygate.cli.options import AGAINST, interleaving_options, judging_options, measuring_options, settings_of
from energygate.cli.output import print_finished
from energygate.config import DEFAULT_FILE, read_suites
from energygate.errors import ConfigError
from energygate.interleaving.confirm import Confirmation
from energygate.interleaving.prepared import Command
from energygate.interleaving.revision import base_of
from energygate.measure.sides import Place
from energygate.pipeline import Surroundings, open_job, refuse_too_few_trials
from energygate.report.progress import LiveProgress, PlainProgress
from energygate.settings import Mode, NamedSuite, Settings
from energygate.workloads.build import doubts, workload


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@measuring_options
@click.option("--against", metavar="REF", help=AGAINST)
@interleaving_options
@judging_options
def run(files: tuple[Path, ...], *, as_json: bool, **options: Any) -> None:
    """Run the suites of FILES (default: those of the configuration)."""
    settings = settings_of(options)
    suites = _suites(files, settings)
    refuse_too_few_trials(settings, [(named.name, named.suite.trials) for named in suites])
    here = Path.cwd()
    base, notes = base_of(settings, folder=here, environ=os.environ) if settings.mode is Mode.GATE else (None, ())
    interactive = sys.stderr.isatty() and not os.environ.get("CI")
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = LiveProgress(console) if interactive else PlainProgress(console)
        stack.enter_context(progress)
        surroundings = Surroundings(progress=progress)
        job = stack.enter_context(open_job(settings, surroundings, base=base.as_base if base else None))
        if base is not None:
            again = _again(files, settings)
            job.confirm_with(
                Confirmation(
                    base=base,
                    command=again,
                    settings=settings,
                    job=job,
                    here=here,
                    surroundings=surroundings,
                    tell=say,
                )
            )
        for note in (*job.notes, *notes, *(doubt for named in suites for doubt in doubts(named.suite))):
            say(note)
        for named in suites:
            job.measure(named)
        names = {named.name for named in suites}
        prefixes = {named.prefix for named in suites}
        finished = job.finish(in_scope=lambda name: name in names or name.rpartition("::")[0] in prefixes)
    print_finished(finished, as_json=as_json)
    # A benchmark that another process asked for and that is not here is no failure: that process judges.
    sys.exit(finished.exit_code if settings.assignment is None or finished.unwritten else 0)


def _again(files: tuple[Path, ...], settings: Settings) -> Command:
    """Give what measures the suites of these files on a side, as far as they are there."""
    named = [str(file) for file in files] or [str(settings.config)]

    def words(place: Place, _names: Sequence[str] | None) -> Sequence[str] | None:
        there = [path for path in named if (place.cwd / place.moved(path)).exists()]
        if not there:
            return None
        return place.words([place.python, "-m", "energygate", "run", *(there if files else ())])

    return words


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
        workload(named.suite, file=named.file, prefix=named.prefix, meters=settings.meters)
    assignment = settings.assignment
    return tuple(named for named in suites if assignment is None or assignment.wants(named.name))
