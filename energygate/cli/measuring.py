"""`energygate run`."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from energygate.cli.helping import Documented
from energygate.cli.manners import is_quiet
from energygate.cli.options import (
    AGAINST,
    interleaving_options,
    judging_options,
    measuring_options,
    settings_of,
    working_folder,
)
from energygate.cli.output import print_finished
from energygate.cli.writing import tell
from energygate.config import DEFAULT_FILE, read_suites
from energygate.display import is_live
from energygate.errors import ConfigError
from energygate.interleaving.confirm import Confirmation
from energygate.interleaving.prepared import Command
from energygate.interleaving.revision import base_of
from energygate.measure.sides import Place
from energygate.measure.trials import Progress
from energygate.pipeline import Surroundings, open_job, planned_trials, refuse_too_few_trials
from energygate.report.outlook import Outlook
from energygate.report.progress import LiveProgress, PlainProgress, Silent
from energygate.settings import Mode, NamedSuite, Settings
from energygate.workloads.build import doubts, workload


@click.command(cls=Documented)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@measuring_options
@click.option("--against", metavar="REF", help=AGAINST)
@interleaving_options
@judging_options
def run(files: tuple[Path, ...], *, as_json: bool, verbose: bool, **options: Any) -> None:
    """Run suites, and judge them against the baselines.

    FILES are suites (*.energy.yml); without them those of energygate.yml are run.
    """
    settings = settings_of(options)
    suites = _suites(files, settings)
    wanted = [(named.name, named.suite.trials) for named in suites]
    refuse_too_few_trials(settings, wanted)
    here = working_folder()
    base, notes = base_of(settings, folder=here, environ=os.environ) if settings.mode is Mode.GATE else (None, ())
    outlook = Outlook(planned_trials(settings, wanted))
    with ExitStack() as stack:
        surroundings = Surroundings(progress=Silent() if is_quiet() else stack.enter_context(_progress(outlook)))
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
                    tell=tell,
                )
            )
        for note in (*job.notes, *notes, *(doubt for named in suites for doubt in doubts(named.suite))):
            tell(note)
        for named in suites:
            job.measure(named)
        names = {named.name for named in suites}
        prefixes = {named.prefix for named in suites}
        finished = job.finish(in_scope=lambda name: name in names or name.rpartition("::")[0] in prefixes)
    print_finished(finished, as_json=as_json, verbose=verbose)
    # A benchmark that another process asked for and that is not here is no failure: that process judges.
    sys.exit(finished.exit_code if settings.assignment is None or finished.unwritten else 0)


@contextmanager
def _progress(outlook: Outlook) -> Iterator[Progress]:
    """Show how far it is, beside the results."""
    console = Console(stderr=True)
    with (
        LiveProgress(console, outlook) if is_live(sys.stderr, os.environ) else PlainProgress(console, outlook) as shown
    ):
        yield shown


def _again(files: tuple[Path, ...], settings: Settings) -> Command:
    """Give what measures the suites of these files on a side, as far as they are there."""
    named = [str(file) for file in files] or [str(settings.config)]

    def words(place: Place, _names: Sequence[str] | None) -> Sequence[str] | None:
        there = [path for path in named if (place.cwd / place.moved(path)).exists()]
        if not there:
            return None
        return place.driven("from energygate.cli.main import main; main()", "run", *(there if files else ()))

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
