"""`energygate baseline`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from energygate.baseline.schema import encode_run
from energygate.baseline.store import open_store
from energygate.cli.accepting import accept, prune
from energygate.cli.fetching import fetch
from energygate.cli.helping import DocumentedGroup
from energygate.cli.options import (
    BASELINES,
    CONFIG,
    HOW_TO_RECORD,
    as_json_option,
    own_option,
    settings_of,
    store_of,
    verbose,
)
from energygate.cli.output import measured_text
from energygate.cli.recording import record_file
from energygate.cli.writing import tell, warn, write_document, write_json, write_out
from energygate.history.window import said_of
from energygate.model import Run
from energygate.workloads.text import printable


@click.group(cls=DocumentedGroup)
def baseline() -> None:
    """List, show, store, accept and remove stored runs."""


@baseline.command("list")
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@as_json_option
def baseline_list(*, as_json: bool, **options: Any) -> None:
    """List the stored runs by machine, newest first."""
    store = store_of(options)
    stored = store.everything()
    warn(store.remarks())
    if as_json:
        write_json([{"run_id": s.run.run_id, "file": str(s.path), "commit": s.run.source.commit} for s in stored])
    elif stored:
        write_out("".join(f"{line}\n" for each in stored for line in _listed(each.run)))
    else:
        tell(f"no run is stored in {store.where}; record one with {HOW_TO_RECORD}")


def _listed(run: Run) -> Iterator[str]:
    commit = (run.source.commit or "no commit")[:12]
    machine, count, label = run.machine, len(run.benchmarks), printable(run.machine.label)
    plural = "benchmark" if count == 1 else "benchmarks"
    yield f"{machine.fingerprint}  {run.run_id}  {commit:12}  {count:3} {plural:10}  {label}"
    for acceptance in run.accepts:
        yield f"    accepts {printable(acceptance.benchmark)} {said_of(acceptance)}"


@baseline.command("show")
@click.argument("run_id")
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@own_option("--json", "as_json", is_flag=True, help="Print the run's own JSON.")
@verbose
def baseline_show(run_id: str, *, as_json: bool, verbose: bool, **options: Any) -> None:
    """Show the stored run whose id is, or starts with, RUN_ID."""
    found = store_of(options).find(run_id)
    if as_json:
        write_document(encode_run(found.run).rstrip() + b"\n")
        return
    write_out(f"{found.path}\n{measured_text(found.run, verbose=verbose)}")


@baseline.command("record")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated run may be stored.")
@as_json_option
def baseline_record(file: Path, *, as_json: bool, **options: Any) -> None:
    """Store a run that --save wrote as a baseline."""
    settings = settings_of(options)
    store = open_store(settings.baselines, folder=settings.folder)
    recorded = record_file(file, store, allow_estimates=settings.allow_estimates)
    if as_json:
        write_json({"schema": "energygate.recorded/1", "stored": str(recorded.shown), "warnings": recorded.doubts})
    else:
        write_out(f"stored as {recorded.shown}\n")
    warn(recorded.doubts)


baseline.add_command(accept)
baseline.add_command(fetch)
baseline.add_command(prune)
