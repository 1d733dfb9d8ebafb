"""The workflows of GitHub Actions that a project starts with; pure."""

import json
import re
from typing import Final

from energygate.errors import ConfigError
from energygate.starter.filling import filled
from energygate.starter.found import RUNNER, Repository

WORKFLOWS: Final = {
    "energy.yml": "the gate on pull requests",
    "energy-baseline.yml": "records the main branch",
}
_PLAIN: Final = re.compile(r"(?!.* #)[A-Za-z.][\w ./=\[\]-]*")
_STRICT: Final = (
    "    env: {ENERGYGATE_ALLOW_ESTIMATES: 'false'} # whatever energygate.yml allows: this machine must have counters\n"
)


def workflow(name: str, repository: Repository, *, command: str, estimates: bool) -> str:
    """Give the text of a workflow.

    Parameters
    ----------
    command : str
        What measures.
    estimates : bool
        Whether `energygate.yml` lets estimates decide. A runner that has lost its counters must not: it is told so.

    Raises
    ------
    ConfigError
        The project's folder has a name that no workflow can hold.
    """
    _require_text(repository.folder)
    inputs = {"working-directory": repository.folder, "run": command, "setup": repository.install}
    return filled(
        name,
        branch=repository.branch,
        labels=", ".join(repository.runner or RUNNER),
        environment=_STRICT if estimates else "",
        inputs="\n".join(f"          {key}: {_scalar(value)}" for key, value in inputs.items() if value),
    )


def _require_text(folder: str) -> None:
    """Refuse a name whose bytes are no UTF-8: a workflow is."""
    try:
        folder.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"The name of the project's folder, {folder!a}, is not UTF-8.",
            why="A workflow is, so it cannot name that folder. Nothing was written.",
            fix="Rename the folder.",
        ) from error


def _scalar(text: str) -> str:
    """Write a text as YAML reads it; what JSON quotes is YAML too."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=not text.isprintable())
