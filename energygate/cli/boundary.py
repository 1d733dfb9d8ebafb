"""What ends the program, and its exit code."""

import sys
import traceback
from types import TracebackType

import click

from energygate.cli.options import spelt
from energygate.errors import BaselineError, EnergyGateError, MeterUnavailable
from energygate.signals import Terminated

_INTERRUPTED = 130


class Boundary:
    """Turns whatever ends the program into its exit code. An unforeseen error is 2: 1 means a measured regression."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        match error:
            case None | SystemExit():
                return
            case click.ClickException():
                error.show()
                sys.exit(2)
            case KeyboardInterrupt() | click.Abort():
                # click makes an Abort of every interrupt.
                stop = next((each for each in (error, error.__cause__) if isinstance(each, Terminated)), None)
                click.echo("interrupted" if stop is None else "terminated", err=True)
                sys.exit(_INTERRUPTED if stop is None else stop.exit_code)
            case EnergyGateError():
                click.echo(f"error: {spelt(error)}", err=True)
                sys.exit(_exit_code_of(error))
            case _:
                traceback.print_exception(error)
                click.echo(
                    "error: energygate failed; this is a defect, please report it with the lines above", err=True
                )
                sys.exit(2)


def _exit_code_of(error: EnergyGateError) -> int:
    match error:
        case MeterUnavailable():
            return 5
        case BaselineError():
            return 4
        case _:
            return 2
