"""What the commands print."""

import os
import sys
from collections.abc import Iterable

import click
import msgspec
from msgspec import structs

from energygate.cli.options import spelt
from energygate.model import GateReport, Run
from energygate.pipeline import (
    Finished,
)
from energygate.report.json import encode_report
from energygate.report.measured import render_measured
from energygate.report.terminal import render_terminal


def print_finished(finished: Finished, *, as_json: bool) -> None:
    """Print what a job came to: its report, or what it measured and where that is stored."""
    if finished.compared and not as_json:
        write_out(f"{finished.compared}\n")
    if finished.report is not None:
        print_report(finished.report, as_json=as_json)
    elif as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(finished.run), indent=2))
    else:
        click.echo(measured_text(finished.run), nl=False)
    if finished.stored is not None:
        click.echo(f"stored as {finished.stored}", err=as_json)
    print_unwritten(finished.unwritten)
    for sentence in finished.unfit:
        click.echo(f"error: not recorded as a session: {sentence}", err=True)
    if finished.exit_code == 5 and finished.report is None and not finished.unfit:
        click.echo("error: nothing valid was measured; the reasons stand above", err=True)


def print_unwritten(sentences: Iterable[str]) -> None:
    """Say which files could not be written."""
    for sentence in sentences:
        click.echo(f"error: {spelt(sentence)}", err=True)


def warn(sentences: Iterable[str]) -> None:
    """Say what to look after, beside the results."""
    for sentence in sentences:
        click.echo(f"warning: {sentence}", err=True)


def print_report(report: GateReport, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        write_out(encode_report(report).decode())
    else:
        rows = tuple(structs.replace(row, reason=spelt(row.reason)) for row in report.comparisons)
        write_out(render_terminal(structs.replace(report, comparisons=rows), color=sys.stdout.isatty()))


def write_out(text: str) -> None:
    """Write a result. A reader that has gone (`| head`) must not turn a verdict into another exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries again at its end


def measured_text(found: Run) -> str:
    """What a run measured, as text."""
    return render_measured(found, color=sys.stdout.isatty())
