"""What the commands print."""

import os
import sys
from collections.abc import Iterable
from dataclasses import replace

import click
from msgspec import structs

from energygate.cli.manners import is_quiet
from energygate.cli.spelling import spelt
from energygate.cli.writing import tell, write_document, write_json, write_verdict
from energygate.concluding import render_finished
from energygate.display import Display
from energygate.model import GateReport, Run
from energygate.pipeline import Finished
from energygate.report.json import encode_report
from energygate.report.measured import render_measured
from energygate.report.terminal import render_terminal


def print_finished(finished: Finished, *, as_json: bool, verbose: bool) -> None:
    """Print what a job came to: its report, or what it measured and what became of that."""
    if as_json:
        _print_json(finished)
    else:
        compared = f"{finished.compared}\n" if finished.compared else ""
        report = None if finished.report is None else _spelt(finished.report)
        write_verdict(f"{compared}{render_finished(replace(finished, report=report), shown(verbose=verbose))}")
    print_unwritten(finished.unwritten)


def _print_json(finished: Finished) -> None:
    """Print one document, and beside it what a text would say below what was measured."""
    if finished.report is not None:
        write_document(encode_report(finished.report))
        return
    write_json(finished.run)
    if finished.stored is not None:
        tell(f"stored as {finished.stored}")
    for sentence in finished.unfit:
        click.echo(f"error: not recorded as a session: {sentence}", err=True)
    if finished.exit_code == 5 and not finished.unfit:
        click.echo("error: nothing valid was measured", err=True)


def print_unwritten(sentences: Iterable[str]) -> None:
    """Say which files could not be written."""
    for sentence in sentences:
        click.echo(f"error: {spelt(sentence)}", err=True)


def print_report(report: GateReport, *, as_json: bool, verbose: bool) -> None:
    """Print a report."""
    if as_json:
        write_document(encode_report(report))
    else:
        write_verdict(render_terminal(_spelt(report), **shown(verbose=verbose).manner))


def _spelt(report: GateReport) -> GateReport:
    rows = tuple(structs.replace(row, reason=spelt(row.reason)) for row in report.comparisons)
    return structs.replace(report, comparisons=rows)


def shown(*, verbose: bool = False) -> Display:
    """How results are shown where they go."""
    display = Display.of(sys.stdout, os.environ, verbose=verbose)
    return replace(display, width=None) if is_quiet() else display  # a verdict alone stays on its one line


def measured_text(found: Run, *, verbose: bool) -> str:
    """What a run measured, as text."""
    return render_measured(found, **shown(verbose=verbose).manner)
