"""`energygate export`: what was measured, to systems that keep it."""

import importlib.util
import os
from pathlib import Path

import click

from energygate.cli.helping import DocumentedGroup
from energygate.cli.options import as_json_option, own_option
from energygate.cli.writing import write_json, write_out
from energygate.errors import ConfigError
from energygate.report.json import decode_report
from energygate.telemetry.endpoint import ENDPOINT, read_endpoint


@click.group(cls=DocumentedGroup)
def export() -> None:
    """Send what was measured to a system that keeps it."""


@export.command()
@click.argument("report", type=click.Path(path_type=Path))
@own_option("--endpoint", metavar="URL", help=f"The collector's root (default: {ENDPOINT}).")
@as_json_option
def otlp(report: Path, *, endpoint: str | None, as_json: bool) -> None:
    """Send every trial of REPORT to an OpenTelemetry collector.

    As spans and metrics, over OTLP/HTTP. Headers, such as a token, come from OTEL_EXPORTER_OTLP_HEADERS alone. The
    verdict is not asked: 0 says that the collector took everything, 2 that it did not.
    """
    collector = read_endpoint(endpoint, os.environ)
    try:
        found = decode_report(report.read_bytes(), origin=str(report))
    except OSError as error:
        raise ConfigError(f"Cannot read {report}: {error.strerror}.", fix="Give a report that is there.") from error
    _require_installed()
    # Here, so that `--help` loads neither httpx nor OpenTelemetry's messages.
    from energygate.telemetry.export import export_trials  # noqa: PLC0415
    from energygate.telemetry.sending import Sender  # noqa: PLC0415

    with Sender(collector) as sender:
        sent = export_trials(found, collector, sender)
    if as_json:
        counts = {"runs": sent.runs, "spans": sent.spans, "points": sent.points}
        write_json({"schema": "energygate.export/1", "collector": collector.traces, **counts})
    else:
        write_out(f"sent to {collector.traces}: {sent.runs} runs, {sent.spans} spans, {sent.points} data points\n")


def _require_installed() -> None:
    if importlib.util.find_spec("opentelemetry") is None:
        raise ConfigError(
            "OpenTelemetry's messages are not installed, so nothing can be encoded.",
            fix="python -m pip install 'energygate[otel]'",
        )
