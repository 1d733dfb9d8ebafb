"""How a command talks: `--quiet` and `--debug`, which every command has."""

from collections.abc import Callable
from dataclasses import dataclass

import click


@dataclass(slots=True, kw_only=True)
class Manners:
    """What was asked of this process."""

    quiet: bool = False
    debug: bool = False


def is_quiet() -> bool:
    """Whether only the verdict is wanted, and errors."""
    context = click.get_current_context(silent=True)
    return context is not None and context.ensure_object(Manners).quiet


def manner_options() -> list[click.Parameter]:
    """Give the options that every command has."""
    return [
        _flag("--quiet", "-q", ask=_ask_quiet, text="Only the verdict, and errors."),
        _flag("--debug", ask=_ask_debug, text="Show the traceback of an error."),
    ]


def _flag(name: str, *more: str, ask: Callable[[Manners], None], text: str) -> click.Option:
    def callback(context: click.Context, _: click.Parameter, value: object) -> None:
        if value:
            ask(context.ensure_object(Manners))

    variable = f"ENERGYGATE_{name.removeprefix('--').upper()}"
    return click.Option(
        (name, *more), is_flag=True, expose_value=False, is_eager=True, callback=callback, envvar=variable, help=text
    )


def _ask_quiet(manners: Manners) -> None:
    manners.quiet = True


def _ask_debug(manners: Manners) -> None:
    manners.debug = True
