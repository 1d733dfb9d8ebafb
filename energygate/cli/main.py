"""The command line: parses, calls the pipeline, prints, exits. Results go to stdout, the rest to stderr.

Exit codes: see `EXIT_CODES`; each command's own are in its help.
"""

import sys
from importlib import import_module
from typing import Final

import click

from energygate.cli.boundary import DEFECT, Boundary
from energygate.cli.helping import DocumentedGroup
from energygate.cli.manners import Manners
from energygate.cli.streams import Streams

COMMANDS: Final = {
    "init": "init:init",
    "doctor": "doctor:doctor",
    "run": "measuring:run",
    "ab": "interleaving:ab",
    "compare": "judging:compare",
    "report": "judging:report",
    "baseline": "baselines:baseline",
    "history": "history:history",
    "plan": "history:plan_trials",
    "aa": "history:aa",
    "export": "exporting:export",
    "schema": "schemas:print_schema",
    "action": "action:action",
    "comment": "comment:comment",
}
"""Where each command is: first those that a newcomer needs first."""

EXIT_CODES: Final = (
    ("0", "Passed, or done."),
    ("1", "A regression, or over a limit."),
    ("2", "A mistake in options or files, or a file that could not be written."),
    ("3", "Inconclusive, where the policy fails on it."),
    ("4", "A baseline is missing or unfit, where the policy fails on it."),
    ("5", "Nothing valid was measured."),
    (str(DEFECT), "A defect of energygate: no verdict."),
    ("130, 143", "Interrupted, terminated."),
)
_COMPLETION: Final = (
    'Names are completed after eval "$(_ENERGYGATE_COMPLETE=bash_source energygate)"; for other shells say zsh_source '
    "or fish_source."
)


def main() -> None:
    """Run the command line and leave with its exit code."""
    manners = Manners()
    with Boundary(manners, Streams()):
        sys.exit(commands.main(prog_name="energygate", obj=manners, standalone_mode=False))


class _Commands(DocumentedGroup):
    """Imports a command when it is asked for: all of them together take half a second."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Give the names in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(f"energygate.cli.{module}"), name)
        return command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, exit codes, and how a shell completes."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl(EXIT_CODES)
        with formatter.section("Completion"):
            formatter.write_text(_COMPLETION)


@click.group(cls=_Commands, context_settings={"max_content_width": 80})
@click.version_option(package_name="energygate")
def commands() -> None:
    """Measure joules per request and per token, and fail the build when they regressed."""
