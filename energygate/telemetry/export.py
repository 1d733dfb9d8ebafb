"""A report's trials to a collector."""

from dataclasses import dataclass

from energygate.errors import ConfigError
from energygate.model import GateReport
from energygate.telemetry.attributes import of_resource
from energygate.telemetry.endpoint import Endpoint
from energygate.telemetry.messages import metric_requests, refused_points, refused_spans, trace_requests
from energygate.telemetry.metrics import series_of
from energygate.telemetry.runs import MeasuredRun, measured_runs
from energygate.telemetry.sending import Sender
from energygate.telemetry.trace import spans_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How much was sent."""

    runs: int
    spans: int
    points: int


def export_trials(report: GateReport, endpoint: Endpoint, sender: Sender) -> Sent:
    """Send every trial of a report, as spans and as metrics.

    Raises
    ------
    ConfigError
        The report has no trials.
    NotSent
        The collector did not take them.
    """
    runs = measured_runs(report)
    if not runs:
        raise ConfigError(
            "The report holds no trials, so there is nothing to export.",
            why="It was written without evidence, or nothing was measured.",
            fix="Measure again with this version: --report json:FILE writes every trial.",
        )
    sent = [_export(report, run, endpoint, sender) for run in runs]
    return Sent(runs=len(runs), spans=sum(spans for spans, _ in sent), points=sum(points for _, points in sent))


def _export(report: GateReport, run: MeasuredRun, endpoint: Endpoint, sender: Sender) -> tuple[int, int]:
    resource = of_resource(report, run, endpoint.resource)
    spans, series = spans_of(report, run), tuple(series_of(report, run))
    sender.send(endpoint.traces, trace_requests(resource, spans), refused_spans)
    sender.send(endpoint.metrics, metric_requests(resource, series), refused_points)
    return len(spans), sum(len(each.points) for each in series)
