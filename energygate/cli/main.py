"""The command line: parses, calls the pipeline, prints, exits. Results go to stdout, the rest to stderr.

Exit codes: 0 pass, 1 regression or over a limit, 2 usage or configuration, 3 inconclusive and 4 baseline missing or
unfit (where policy fails on them), 5 nothing valid was measured, 130 after an interrupt, 143 after SIGTERM.
"""

from importlib import import_module
from typing import Final

import click

from energygate.cli.boundary import Boundary

COMMANDS: Final = {
    "aa": "history:aa",
    "ab": "interleaving:ab",
    "action": "action:action",
    "baseline": "baselines:baseline",
    "comment": "comment:comment",
    "compare": "judging:compare",
    "doctor": "doctor:doctor",
    "history": "history:history",
    "plan": "history:plan_trials",
    "report": "judging:report",
    "run": "measuring:run",
    "schema": "schemas:print_schema",
}


def main() -> None:
    """Run the command line and leave with its exit code."""
    with Boundary():
        commands.main(prog_name="energygate", standalone_mode=False)


class _Commands(click.Group):
    """Imports a command when it is asked for: all of them together take half a second."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(f"energygate.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="energygate")
def commands() -> None:
    """Measure joules per request and per token, and fail the build when they regressed."""
