"""`energygate baseline fetch`: the step of the GitHub action that gets the baselines which take a token to read.

It runs before anything is measured, so the step that measures needs no token: it reads what is in the clone then.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from energygate.cli.helping import Documented
from energygate.cli.spelling import spelt
from energygate.config import find_home, load_settings
from energygate.errors import EnergyGateError
from energygate.github.actions import command, event_payload, git_credentials, set_outputs
from energygate.github.event import Activity, activity, read_event
from energygate.github.inputs import MeasureInputs, PublishInputs
from energygate.settings import Settings


@click.command(cls=Documented)
def fetch() -> None:
    """Fetch a branch of baselines, as a step of the GitHub action.

    Event, inputs and token come from the environment (docs/github.md). The output `baselines-at` says what was fetched.
    It is empty where the baselines are on no branch, and where nothing is to be compared.
    """
    try:
        set_outputs(_fetched(os.environ), environ=os.environ, tell=click.echo)
    except EnergyGateError as error:
        click.echo(command("error", spelt(error)))
        sys.exit(2)


def _fetched(environ: Mapping[str, str]) -> dict[str, str]:
    """Fetch what the gate will read; give the step's outputs. Raises EnergyGateError."""
    inputs, event = MeasureInputs.read(environ), read_event(environ, event_payload(environ))
    if activity(event, inputs.mode) is not Activity.GATE:
        return {}
    settings = settings_by(inputs, Path.cwd())
    if not settings.baselines.startswith("git:"):
        return {}
    from energygate.baseline.branch import open_branch  # noqa: PLC0415  other baselines pay nothing

    token = PublishInputs.read(environ).token
    credentials = git_credentials(event.server_url, token, environ=environ) if token else {}
    store = open_branch(settings.baselines, folder=settings.folder, environ={**environ, **credentials})
    return {"baselines-at": store.fetched()}


def settings_by(inputs: MeasureInputs, here: Path) -> Settings:
    """What inputs and settings file say, which the command that measures will be told too. Raises ConfigError."""
    said = {
        "mode": "gate",
        "config": inputs.config or None,
        "baselines": inputs.baselines or None,
        "fail-on": inputs.fail_on or None,
        "setup": inputs.setup or None,
        "venv": "true" if inputs.setup else None,
    }
    return load_settings(said, prefix="input ", environ={}, folder=find_home(here), here=here)
