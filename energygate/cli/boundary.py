"""What ends the program, and its exit code."""

import os
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

import click

from energygate.cli.manners import Manners
from energygate.cli.spelling import spelt
from energygate.cli.streams import Streams
from energygate.errors import BaselineError, EnergyGateError, MeterUnavailable
from energygate.signals import Terminated

_INTERRUPTED: Final = 130
_USAGE: Final = 2
DEFECT: Final = 70  # EX_SOFTWARE of sysexits.h: no verdict has it


class Boundary:
    """Turns whatever ends the program into its exit code, and into one paragraph on stderr.

    Parameters
    ----------
    manners : Manners
        With `debug` the traceback is shown, too.
    streams : Streams
        Where results went: what could not be written is no success.
    """

    def __init__(self, manners: Manners, streams: Streams) -> None:
        self._manners = manners
        self._streams = streams

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        code = self._code(error)
        if lost := self._streams.lost:
            tell_error(f"The results cannot be written: {lost.strerror}. Make room where stdout leads.")
            code = code or _USAGE
        sys.exit(code)

    def _code(self, error: BaseException | None) -> int:
        """Say what happened; give the exit code."""
        match error:
            case None:
                return 0
            case SystemExit():
                return error.code if isinstance(error.code, int) else 0
            case KeyboardInterrupt() | click.Abort():
                # click makes an Abort of every interrupt.
                stop = next((each for each in (error, error.__cause__) if isinstance(each, Terminated)), None)
                click.echo("interrupted" if stop is None else "terminated", err=True)
                return _INTERRUPTED if stop is None else stop.exit_code
            case click.ClickException() | EnergyGateError():
                if self._is_debugged:
                    traceback.print_exception(error)
                return _mended(error)
            case _:
                _report_defect(error, is_shown=self._is_debugged or bool(os.environ.get("CI")))
                return DEFECT

    @property
    def _is_debugged(self) -> bool:
        return self._manners.debug


def tell_error(text: str) -> None:
    """Say an error: one paragraph on stderr."""
    click.echo(f"error: {text}", err=True)


def _mended(error: click.ClickException | EnergyGateError) -> int:
    """Say what a user can mend."""
    match error:
        case click.ClickException():
            context = error.ctx if isinstance(error, click.UsageError) else None
            more = f" `{context.command_path} --help` shows how it is used." if context else ""
            tell_error(f"{error.format_message()}{more}")
            return _USAGE
        case MeterUnavailable():
            code = 5
        case BaselineError():
            code = 4
        case _:
            code = _USAGE
    tell_error(spelt(error))
    return code


def _report_defect(error: BaseException, *, is_shown: bool) -> None:
    """Say that energygate itself is at fault, and where what a report needs is."""
    text = "".join(traceback.format_exception(error))
    file = None if is_shown else _kept(text)
    if file is None:
        click.echo(text, err=True, nl=False)
    where = "above" if file is None else f"in {file}"
    tell_error(
        f"energygate failed: {type(error).__name__}. This is a defect of energygate, not of what it measures, and exit "
        f"code {DEFECT} is no verdict. Please report it to energygate's issue tracker with the traceback {where}; "
        "--debug shows it here."
    )


def _kept(text: str) -> Path | None:
    """Keep a traceback for a report, in a file of the user alone; None where there is no room for one."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="energygate-defect-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)
