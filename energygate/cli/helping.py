"""Commands that explain themselves: examples, options in groups, and the nearest name for one that is misspelt."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

import click

from energygate.cli.examples import EXAMPLES
from energygate.cli.manners import is_quiet, manner_options
from energygate.variables import misspelt

_OTHERS: Final = "Options"
_GROUPS: Final = {
    "Measuring": "mode meters sysfs trials warmup min-time lock-timeout allow-estimates calibrate",
    "Base and head in turn": "base against min-blocks max-blocks max-minutes seed setup venv",
    "Judging": "config baselines budget fail-on",
    "Output": "save report json verbose quiet debug version help",
}
_GROUP_OF: Final = {f"--{name}": title for title, names in _GROUPS.items() for name in names.split()}


class Documented(click.Command):
    """A command with the options that all have, and with examples in its help."""

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.params.extend(manner_options())

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, and say before which variable nobody reads that may be meant for it."""
        if not isinstance(self, click.Group) and not is_quiet():
            for sentence in misspelt(os.environ):
                click.echo(f"warning: {sentence}", err=True)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those together that belong together."""
        for title, rows in _grouped(self.get_params(ctx), ctx):
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, which are to be copied: no line of them is wrapped."""
        examples = EXAMPLES.get(path_of(ctx), ())
        if not examples:
            return
        with formatter.section("Examples"):
            for line, about in examples:
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
                with formatter.indentation():
                    formatter.write_text(about)


class DocumentedGroup(Documented, click.Group):
    """A group of commands; alone it prints its help."""

    command_class = Documented

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands before the options: they are what is looked for."""
        self.format_commands(ctx, formatter)
        Documented.format_options(self, ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help where no command is named. That is a mistake of usage: a job without one must not pass."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command by its name, or say which one may be meant."""
        name, names = args[0], self.list_commands(ctx)
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(f"No such command {name!r}.{did_you_mean(name, names)}", ctx=ctx)
        return super().resolve_command(ctx, args)


def path_of(ctx: click.Context) -> str:
    """Give the words that lead to a command: `baseline accept`."""
    return ctx.command_path.partition(" ")[2]


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """Give the question after the nearest names; nothing where none is near."""
    near = get_close_matches(name, names, n=2)
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _grouped(parameters: Sequence[click.Parameter], ctx: click.Context) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    options = [each for each in parameters if isinstance(each, click.Option)]
    for title in (_OTHERS, *_GROUPS):
        here = [option for option in options if _group_of(option) == title]
        rows = [row for option in here if (row := option.get_help_record(ctx)) is not None]
        if rows:
            yield title, rows


def _group_of(option: click.Option) -> str:
    return next((_GROUP_OF[name] for name in option.opts if name in _GROUP_OF), _OTHERS)
