"""Write the reference in docs/cli.md from the commands' own help: `python docs/cli_reference.py`; a test compares."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.testing import CliRunner

from energygate.cli.main import commands

PAGE: Final = Path(__file__).with_name("cli.md")
BEGIN: Final = "<!-- From here on it is what `python docs/cli_reference.py` writes. -->\n"


def paths(command: click.Command = commands, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the words that lead to each command, in the order of the help."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from paths(found, (*path, name))


def reference() -> str:
    """Give every command's help, under a heading of its own."""
    return "".join(f"\n### {' '.join(('energygate', *path))}\n\n```text\n{help_of(path)}```\n" for path in paths())


def help_of(path: tuple[str, ...]) -> str:
    """Give what a command says of itself, 80 columns wide."""
    arguments = [*path, "--help"]
    return (
        CliRunner()
        .invoke(commands, arguments, prog_name="energygate", terminal_width=80, catch_exceptions=False)
        .stdout
    )


def page() -> str:
    """Give the page: what is written by hand, and the reference."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + reference()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
