"""`energygate schema`."""

from collections.abc import Mapping
from typing import Any, Final

import click

from energygate.cli.helping import Documented, did_you_mean
from energygate.cli.options import as_json_option
from energygate.cli.writing import write_json
from energygate.config_keys import ConfigFile
from energygate.conversion import schema
from energygate.model import GateReport, Run
from energygate.workloads.suites import SuiteFile
from energygate.workloads.suites.published import with_matrix

_KINDS: Final[Mapping[str, Any]] = {"run": Run, "report": GateReport, "config": ConfigFile, "suite": SuiteFile}


class _Kind(click.Choice[str]):
    """The name of a kind of file; one that is misspelt is answered with the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the name. Raises BadParameter."""
        if value not in _KINDS:
            self.fail(f"{value!r} is none of {', '.join(_KINDS)}.{did_you_mean(value, list(_KINDS))}", param, ctx)
        return super().convert(value, param, ctx)


@click.command(cls=Documented, name="schema")
@click.argument("kind", type=_Kind(list(_KINDS)))
@as_json_option
def print_schema(kind: str, *, as_json: bool) -> None:  # noqa: ARG001  it is JSON in any case
    """Print the JSON Schema of a file, for editors and other tools."""
    write_json(with_matrix(schema(_KINDS[kind])))
