"""Names of benchmarks for a shell that completes: from the stored runs of a folder, fast, and never with an error."""

import json
from pathlib import Path
from typing import Any, Final

import click

from energygate.cli.options import settings_of
from energygate.errors import EnergyGateError

_NEWEST: Final = 3
"""Files of each machine that are read: the names hardly differ from one session to the next."""


def benchmark_names(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Give the stored names that begin as what is typed so far."""
    options = {name: context.params.get(name) for name in ("config", "baselines")}
    try:
        folder = Path(settings_of(options).baselines)
    except (EnergyGateError, OSError):  # whoever presses Tab has not asked what is wrong with configuration or folder
        return []
    names = dict.fromkeys(name for file in _newest(folder) for name in _names_in(file))
    return [name for name in names if name.startswith(incomplete)]


def _newest(folder: Path) -> list[Path]:
    """The newest files of each machine: their names begin with the time. A store that is no folder has none here."""
    return [
        file for machine in sorted(folder.glob("*/")) for file in sorted(machine.glob("*.json"))[: -_NEWEST - 1 : -1]
    ]


def _names_in(file: Path) -> list[str]:
    try:
        document: Any = json.loads(file.read_bytes())
        return [benchmark["name"] for benchmark in document["benchmarks"]]
    except (OSError, ValueError, KeyError, TypeError):  # `baseline list` says what is wrong with a file
        return []
