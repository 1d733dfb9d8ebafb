"""`energygate schema`."""

import json

import click

from energygate.config_keys import ConfigFile
from energygate.conversion import schema
from energygate.model import GateReport, Run
from energygate.workloads.suites import SuiteFile
from energygate.workloads.suites.published import with_matrix


@click.command("schema")
@click.argument("kind", type=click.Choice(["run", "report", "config", "suite"]))
def print_schema(kind: str) -> None:
    """Print the JSON Schema of a file, for editors and other tools."""
    kinds = {"run": Run, "report": GateReport, "config": ConfigFile, "suite": SuiteFile}
    click.echo(json.dumps(with_matrix(schema(kinds[kind])), indent=2))
