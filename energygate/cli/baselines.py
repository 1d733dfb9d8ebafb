"""`energygate baseline`."""

import json
from pathlib import Path
from typing import Any

import click

from energygate.baseline.schema import encode_run
from energygate.baseline.store import open_store
from energygate.cli.accepting import accept, prune
from energygate.cli.fetching import fetch
from energygate.cli.options import BASELINES, HOW_TO_RECORD, own_option, settings_of, store_of
from energygate.cli.output import measured_text, warn
from energygate.cli.recording import record_file
from energygate.history.window import said_of
from energygate.workloads.text import printable


@click.group()
def baseline() -> None:
    """Stored runs."""


@baseline.command("list")
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="URI", help=BASELINES)
@own_option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def baseline_list(*, as_json: bool, **options: Any) -> None:
    """List the stored runs by machine, newest first."""
    store = store_of(options)
    stored = store.everything()
    warn(store.remarks())
    if as_json:
        runs = [{"run_id": s.run.run_id, "file": str(s.path), "commit": s.run.source.commit} for s in stored]
        click.echo(json.dumps(runs, indent=2))
    elif not stored:
        click.echo(f"no run is stored in {store.where}; record one with {HOW_TO_RECORD}", err=True)
    for each in () if as_json else stored:
        found = each.run
        commit = (found.source.commit or "no commit")[:12]
        machine, count, label = found.machine, len(found.benchmarks), printable(found.machine.label)
        click.echo(f"{machine.fingerprint}  {found.run_id}  {commit:12}  {count:3} benchmarks  {label}")
        for acceptance in found.accepts:
            click.echo(f"    accepts {printable(acceptance.benchmark)} {said_of(acceptance)}")


@baseline.command("show")
@click.argument("run_id")
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="URI", help=BASELINES)
@own_option("--json", "as_json", is_flag=True, help="Print the run's own JSON.")
def baseline_show(run_id: str, *, as_json: bool, **options: Any) -> None:
    """Show the stored run whose id is, or starts with, RUN_ID."""
    found = store_of(options).find(run_id)
    if as_json:
        click.echo(encode_run(found.run).rstrip())
        return
    click.echo(f"{found.path}\n{measured_text(found.run)}", nl=False)


@baseline.command("record")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", metavar="FILE")
@click.option("--baselines", metavar="URI", help=BASELINES)
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated run may be stored.")
def baseline_record(file: Path, **options: Any) -> None:
    """Store a run that --save wrote as a baseline."""
    settings = settings_of(options)
    store = open_store(settings.baselines, folder=settings.folder)
    recorded = record_file(file, store, allow_estimates=settings.allow_estimates)
    click.echo(f"stored as {recorded.shown}")
    warn(recorded.doubts)


baseline.add_command(accept)
baseline.add_command(fetch)
baseline.add_command(prune)
