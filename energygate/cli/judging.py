"""`energygate compare` and `energygate report`."""

import datetime as dt
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from energygate.cli.helping import Documented
from energygate.cli.options import (
    as_json_option,
    given_run,
    judging_options,
    report_targets,
    settings_of,
    verbose,
)
from energygate.cli.output import print_report, print_unwritten
from energygate.cli.writing import write_document
from energygate.errors import ConfigError
from energygate.files import resolved
from energygate.judging import in_turns, judge_given, split_by_machine
from energygate.options import STDOUT, require_distinct
from energygate.pipeline import in_terms, write_reports
from energygate.report.formats import FORMATS, named_formats
from energygate.report.json import decode_report


@click.command(cls=Documented)
@click.argument("base", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--budget", metavar="PERCENT", help="An increase proven smaller than this passes: 5%.")
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated reading may decide.")
@judging_options
def compare(base: tuple[Path, ...], head: Path, *, as_json: bool, verbose: bool, **options: Any) -> None:
    """Compare the run HEAD with the runs BASE.

    Each BASE is one session. One BASE that was measured in turns with HEAD is paired with it, block by block.
    """
    settings = settings_of(options)
    head_run, base_runs = given_run(head), [given_run(path) for path in base]
    baseline = split_by_machine(base_runs, head_run)
    rules = {b.name: settings.rules_for(b.name, b.rules) for b in head_run.benchmarks}
    known = {benchmark.name: benchmark for run in reversed(baseline.runs) for benchmark in run.benchmarks}
    missing = [benchmark for benchmark in known.values() if head_run.benchmark(benchmark.name) is None]
    names = [benchmark.name for benchmark in (*head_run.benchmarks, *missing)]
    vain = () if in_turns(base_runs, head_run) else settings.unknown_canary(names)
    warnings = (*settings.unused_patterns(names), *vain)
    policy = replace(settings.policy, rules=rules)
    report = judge_given(base_runs, head_run, policy, missing=missing, warnings=warnings)
    report = in_terms(report, settings, now=dt.datetime.now(dt.UTC))
    print_report(report, as_json=as_json, verbose=verbose)
    unwritten = write_reports(report, settings.reports)
    print_unwritten(unwritten)
    sys.exit(report.exit_code or (2 if unwritten else 0))


@click.command(cls=Documented)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--report", multiple=True, metavar="FORMAT:FILE", help=f"Write it as {named_formats()}; FILE - is standard output."
)
@as_json_option
@verbose
def report(file: Path, report: tuple[str, ...], *, as_json: bool, verbose: bool) -> None:
    """Render the stored report FILE again.

    It is shown on the terminal, or written as --report says.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}.", fix="Give a report that is there.") from error
    found = decode_report(data, origin=str(file))
    targets = report_targets(report)
    files = [target for target in targets if target.path != STDOUT]
    printed = [target for target in targets if target.path == STDOUT]
    if len(printed) > 1:
        raise ConfigError("Standard output takes one document.", fix="Give each of the others a file.")
    require_distinct([target.path for target in files])
    if any(resolved(target.path) == resolved(file) for target in files):
        raise ConfigError(f"{file} is the report that is read.", fix="Write to another file, so that it is kept.")
    if as_json and printed:
        raise ConfigError(
            "--json and --report FORMAT:- both want standard output.",
            fix="Leave out one, or name a file for the report.",
        )
    unwritten = write_reports(found, files)
    print_unwritten(unwritten)
    for target in printed:
        write_document(FORMATS[target.format].render(found))
    if as_json or not targets:
        print_report(found, as_json=as_json, verbose=verbose)
    sys.exit(2 if unwritten else 0)
