"""From a suite to the workload that measures it. What a suite file says wrong is refused here, before any trial."""

import importlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from energygate.errors import ConfigError
from energygate.workloads.address import is_this_machine
from energygate.workloads.base import Workload
from energygate.workloads.call import CallWorkload
from energygate.workloads.command import CommandWorkload
from energygate.workloads.dataset import load_requests, load_system
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.servers import Servers
from energygate.workloads.spans.source import SpanSource
from energygate.workloads.suites import CommandSuite, Endpoint, InferenceSuite, PythonSuite, Suite
from energygate.workloads.text import LONG_TEXT, Redactor, texts_in

_LOG: Final = logging.getLogger(__name__)


def workload(
    suite: Suite,
    *,
    file: Path,
    prefix: str,
    meters: Sequence[str] = ("auto",),
    servers: Servers | None = None,
    tell: Callable[[str], None] = _LOG.info,
    environ: Mapping[str, str] = os.environ,
) -> Workload:
    """Make a suite's workload; nothing is started yet.

    Parameters
    ----------
    file : Path
        The suite file; paths in the suite are relative to its folder.
    prefix : str
        How the benchmark's name names that file: `chat.energy.yml` makes `chat.energy.yml::smollm2-chat`.
    meters : sequence of str
        The configured ones: all but `prometheus` read this machine alone.
    servers : Servers, optional
        The run's, which keep a server for other suites. Without them none is shared.
    tell : callable
        Takes a line for the user about a wait that is long.

    Raises
    ------
    ConfigError
        If a dataset, an API key, a host or a switch is not as it must be.
    """
    name = f"{prefix}::{suite.name}"
    if isinstance(suite, InferenceSuite):
        try:
            _require_this_machine(suite.endpoint, meters)
            return _inference(suite, name=name, file=file, servers=servers, tell=tell, environ=environ)
        except ConfigError as fault:
            raise ConfigError(f"{name}: {fault.what}", why=fault.why, fix=fault.fix) from fault
    spans = None if suite.tokens is None else _span_source(suite, name=name)
    if isinstance(suite, PythonSuite):
        return CallWorkload(suite, name=name, folder=file.parent, spans=spans)
    return CommandWorkload(suite, name=name, folder=file.parent, spans=spans, environ=environ)


def doubts(suite: Suite) -> tuple[str, ...]:
    """What a suite asks for that makes its trials unlike each other, a sentence each."""
    if isinstance(suite, InferenceSuite) and suite.requests.temperature > 0 and not suite.requests.fixed_output:
        at = f"{suite.name}: requests.temperature is {suite.requests.temperature:g}"
        return (f"{at}, so answer lengths will vary from trial to trial. Set it to 0, or fixed_output to true.",)
    return ()


def _span_source(suite: CommandSuite | PythonSuite, *, name: str) -> SpanSource:
    try:
        importlib.import_module("energygate.workloads.spans.decode")
    except ImportError as error:
        raise ConfigError(
            f"{name}: tokens.source: spans needs opentelemetry-proto, which cannot be imported: {error}.",
            fix="python -m pip install 'energygate[otel]'",
        ) from error
    return _spans_of_this_process() if isinstance(suite, PythonSuite) else SpanSource()


@cache
def _spans_of_this_process() -> SpanSource:
    """Give the one of all Python suites: an exporter in our own process is made once, and sends to one place."""
    return SpanSource()


def _inference(
    suite: InferenceSuite,
    *,
    name: str,
    file: Path,
    servers: Servers | None,
    tell: Callable[[str], None],
    environ: Mapping[str, str],
) -> Workload:
    # Here, so that command suites and tests without --energy never load an HTTP client.
    from energygate.workloads.inference.elsewhere import Elsewhere  # noqa: PLC0415
    from energygate.workloads.inference.presets import PRESETS, switches  # noqa: PLC0415
    from energygate.workloads.inference.server import Server  # noqa: PLC0415
    from energygate.workloads.inference.workload import InferenceWorkload  # noqa: PLC0415

    if suite.endpoint.preset != "auto":
        switches(suite, PRESETS[suite.endpoint.preset])
    key = _api_key(suite.endpoint, environ)
    plan = _plan(suite, folder=file.parent, key=key)
    server = (
        Elsewhere(suite.endpoint, name=suite.name)
        if suite.server is None
        else Server(
            suite.server,
            name=suite.name,
            url=suite.endpoint.url,
            folder=file.parent,
            show=plan.show,
            environ=environ,
            servers=servers,
            tell=tell,
        )
    )
    return InferenceWorkload(plan, server, name=name, key=key)


def _plan(suite: InferenceSuite, *, folder: Path, key: str | None) -> Plan:
    requests = load_requests(suite.requests, folder=folder, api=suite.endpoint.api)
    system = load_system(suite.requests, folder=folder)
    prompts = dict.fromkeys(text for request in requests for text in request.texts)
    # Short ones are switches, which an error about them has to name.
    added = [text for text in texts_in(suite.requests.extra_body) if len(text) >= LONG_TEXT]
    secret = (*prompts, *([] if system is None else [system]), *added)
    return Plan(suite=suite, requests=requests, system=system, show=Redactor(key, secret))


def _api_key(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    variable = endpoint.api_key_env
    if variable is None:
        return None
    key = environ.get(variable, "")
    if not key:
        raise ConfigError(
            f"endpoint.api_key_env: the variable {variable} is not set.", fix="Set it, or remove the key."
        )
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        # The HTTP library would refuse the header, and show it.
        raise ConfigError(
            f"endpoint.api_key_env: the value of {variable} cannot stand in an HTTP header.",
            fix="Remove line breaks and blanks around it.",
        )
    return key


def _require_this_machine(endpoint: Endpoint, meters: Sequence[str]) -> None:
    local = [meter for meter in meters if meter != "prometheus"]
    if endpoint.same_machine is True or not local:
        return
    host = urlsplit(endpoint.url.replace("{port}", "1")).hostname or ""
    try:
        if is_this_machine(host):
            return
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"endpoint.url: {host} cannot be resolved: {error}.", fix="Correct the host.") from error
    who = "the meters found here" if "auto" in local else ", ".join(local)
    raise ConfigError(
        f"endpoint.url: {host} is not this machine, so {who} would measure the client.",
        fix="Use a prometheus meter, or same_machine: true where a container or tunnel leads back to this machine.",
    )
