"""The command line: parses, calls the pipeline, prints, exits. Results go to stdout, the rest to stderr.

Exit codes: 0 pass, 1 regression or over a limit, 2 usage or configuration, 3 inconclusive and 4 baseline missing or
unfit (where policy fails on them), 5 nothing valid was measured, 130 after an interrupt, 143 after SIGTERM.
"""

import click

from energygate.cli.baselines import baseline
from energygate.cli.boundary import Boundary
from energygate.cli.doctor import doctor
from energygate.cli.history import aa, history, plan_trials
from energygate.cli.interleaving import ab
from energygate.cli.judging import compare, report
from energygate.cli.measuring import run
from energygate.cli.schemas import print_schema


def main() -> None:
    """Run the command line and leave with its exit code."""
    with Boundary():
        commands.main(prog_name="energygate", standalone_mode=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="energygate")
def commands() -> None:
    """Measure joules per request and per token, and fail the build when they regressed."""


for _command in (run, compare, ab, baseline, report, history, plan_trials, aa, print_schema, doctor):
    commands.add_command(_command)
