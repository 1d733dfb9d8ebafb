"""`energygate ab`."""

import sys
from typing import Any

import click

from energygate.cli.helping import Documented
from energygate.cli.options import (
    interleaving_options,
    judging_options,
    lock_timeout,
    own_option,
    settings_of,
    working_folder,
)
from energygate.cli.output import print_finished
from energygate.cli.writing import tell
from energygate.interleaving.ab import interleave
from energygate.meters.select import METER_NAMES
from energygate.pipeline import Surroundings
from energygate.report.progress import Waits

_SAVE = (
    "Write the run of the working tree as JSON, and that of the base beside it: run.json and run.base.json. "
    "`energygate compare run.base.json run.json` gives the verdict again."
)


@click.command(cls=Documented, context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@own_option("--base", required=True, metavar="REF", help="The git revision to compare the working tree with.")
@interleaving_options
@click.option("--meters", metavar="LIST", help=f"Comma list of {', '.join(METER_NAMES)}, replay:FILE.")
@click.option("--sysfs", metavar="DIR", help="Where sysfs is mounted.")
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated reading may decide.")
@click.option("--min-time", metavar="SECONDS", help="Shortest trial.")
@click.option("--budget", metavar="PERCENT", help="An increase proven smaller than this passes: 5%.")
@click.option("--save", metavar="FILE", help=_SAVE)
@lock_timeout
@judging_options
def ab(command: tuple[str, ...], *, base: str, as_json: bool, verbose: bool, **options: Any) -> None:
    """Measure COMMAND at a base and here in turn, and compare.

    The working tree is measured as it is, uncommitted changes included, in a copy. A COMMAND that measures by itself
    (pytest --energy, energygate run) is judged by its benchmarks; any other is the benchmark itself.
    """
    settings = settings_of(options)
    finished = interleave(
        settings, command, base, here=working_folder(), surroundings=Surroundings(progress=Waits(tell)), tell=tell
    )
    print_finished(finished, as_json=as_json, verbose=verbose)
    sys.exit(finished.exit_code)
