"""From a suite to the workload that measures it. What a suite file says wrong is refused here, before any trial."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from energygate.errors import ConfigError
from energygate.workloads.address import is_this_machine
from energygate.workloads.base import Workload
from energygate.workloads.command import CommandWorkload
from energygate.workloads.suites import Endpoint, InferenceSuite, Suite


def workload(suite: Suite, *, file: Path, prefix: str, environ: Mapping[str, str] = os.environ) -> Workload:
    """Make a suite's workload; nothing is started yet.

    Parameters
    ----------
    file : Path
        The suite file; paths in the suite are relative to its folder.
    prefix : str
        How the benchmark's name names that file: `chat.energy.yml` makes `chat.energy.yml::smollm2-chat`.

    Raises
    ------
    ConfigError
        If a dataset, an API key or a host is not as it must be.
    """
    name = f"{prefix}::{suite.name}"
    if isinstance(suite, InferenceSuite):
        return _inference(suite, name=name, file=file, environ=environ)
    return CommandWorkload(suite, name=name, folder=file.parent, environ=environ)


def _inference(suite: InferenceSuite, *, name: str, file: Path, environ: Mapping[str, str]) -> Workload:
    # Here, so that command suites and tests without --energy never load an HTTP client.
    from energygate.workloads.dataset import load_requests, load_system  # noqa: PLC0415
    from energygate.workloads.inference import InferenceWorkload  # noqa: PLC0415

    _require_this_machine(suite.endpoint, name=name)
    try:
        requests = load_requests(suite.requests, folder=file.parent)
        system = load_system(suite.requests, folder=file.parent)
    except ConfigError as fault:
        raise ConfigError(f"{name}: {fault.what}", why=fault.why, fix=fault.fix) from fault
    return InferenceWorkload(
        suite,
        name=name,
        folder=file.parent,
        requests=requests,
        system=system,
        key=_api_key(suite.endpoint, name=name, environ=environ),
        environ=environ,
    )


def _api_key(endpoint: Endpoint, *, name: str, environ: Mapping[str, str]) -> str | None:
    variable = endpoint.api_key_env
    if variable is None:
        return None
    key = environ.get(variable, "")
    if not key:
        raise ConfigError(
            f"{name}: endpoint.api_key_env: the variable {variable} is not set.", fix="Set it, or remove the key."
        )
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        # The HTTP library would refuse the header, and show it.
        raise ConfigError(
            f"{name}: endpoint.api_key_env: the value of {variable} cannot stand in an HTTP header.",
            fix="Remove line breaks and blanks around it.",
        )
    return key


def _require_this_machine(endpoint: Endpoint, *, name: str) -> None:
    host = urlsplit(endpoint.url.replace("{port}", "1")).hostname or ""
    try:
        if is_this_machine(host):
            return
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{name}: endpoint.url: {host} cannot be resolved: {error}.", fix="Correct the host."
        ) from error
    raise ConfigError(
        f"{name}: endpoint.url: {host} is not this machine.",
        why="The meters read this machine's counters, so they would measure the client.",
        fix="Run energygate on the machine that serves the model.",
    )
