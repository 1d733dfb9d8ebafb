"""`energygate init`."""

import os
from pathlib import Path
from typing import Any

import click

from energygate.cli.helping import Documented
from energygate.cli.manners import is_quiet
from energygate.cli.options import as_json_option, own_option, settings_of, working_folder
from energygate.cli.writing import write_json, write_out
from energygate.meters.probing import probe
from energygate.pipeline import meter_options
from energygate.settings import Settings
from energygate.starter.choice import choose
from energygate.starter.found import Machine
from energygate.starter.keeping import place, plan, require_room
from energygate.starter.survey import project_of, survey, top_of
from energygate.starter.telling import told, told_as_json
from energygate.workloads.text import printable

_COUNTERS = ("rapl", "nvml")
_WINDOW_S = 0.25


@click.command(cls=Documented)
@click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted.")
@own_option("--dry-run", is_flag=True, help="Write nothing; say what would be written.")
@as_json_option
def init(*, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Write first settings, a first benchmark and the workflows.

    What is written depends on what is found in this repository and on this machine. Nothing is ever overwritten: a file
    that is there already is named and left as it is.
    """
    here = working_folder()
    folder = project_of(here)
    machine = _machine(settings_of(options))
    repository = survey(folder, here=here)
    start = choose(repository, machine)
    places = {"folder": folder, "top": top_of(folder)}
    files = [(file, places[file.at] / file.path) for file in start.files]
    for _, path in files:
        require_room(path, within=places["top"])
    write = plan if dry_run else place
    placed = [write(file, path, shown=_shown(path, here)) for file, path in files]
    if as_json:
        write_json(told_as_json(repository, machine, placed, start))
    else:
        write_out(f"{start.first}\n" if is_quiet() else told(repository, machine, placed, start))


def _machine(settings: Settings) -> Machine:
    return Machine(
        counters=probe(_COUNTERS, meter_options(settings), seconds=_WINDOW_S),
        allows_estimates=settings.allow_estimates,
        sysfs=str(settings.sysfs),
    )


def _shown(path: Path, here: Path) -> str:
    return printable(os.path.relpath(path, here))
