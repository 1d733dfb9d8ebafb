"""`energygate compare` and `energygate report`."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from energygate.cli.options import given_run, judging_options, settings_of
from energygate.cli.output import print_report, print_unwritten
from energygate.errors import ConfigError
from energygate.judging import in_turns, judge_given, split_by_machine
from energygate.pipeline import write_reports
from energygate.report.json import decode_report


@click.command()
@click.argument("base", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("head", type=click.Path(path_type=Path))
@click.option("--budget", metavar="PERCENT", help="An increase proven smaller than this passes: 5%.")
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated reading may decide.")
@judging_options
def compare(base: tuple[Path, ...], head: Path, *, as_json: bool, **options: Any) -> None:
    """Compare the run HEAD with the runs BASE, each of them one session.

    One BASE that was measured in turns with HEAD is paired with it, block by block.
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
    print_report(report, as_json=as_json)
    unwritten = write_reports(report, settings.reports)
    print_unwritten(unwritten)
    sys.exit(report.exit_code or (2 if unwritten else 0))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--report", multiple=True, metavar="FORMAT:FILE", help="Write it in this format: json or markdown.")
def report(file: Path, report: tuple[str, ...]) -> None:
    """Render the stored report FILE again: on the terminal, or as --report says."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}.", fix="Give a report that is there.") from error
    found = decode_report(data, origin=str(file))
    targets = settings_of({"report": report}).reports
    unwritten = write_reports(found, targets)
    print_unwritten(unwritten)
    if not targets:
        print_report(found, as_json=False)
    sys.exit(2 if unwritten else 0)
