"""What is sent, decoded with OpenTelemetry's own messages."""

from dataclasses import replace

import pytest
from exported_report import AT, MEASURED, SECRET
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from energygate.telemetry.messages import metric_requests, refused_points, refused_spans, trace_requests
from energygate.telemetry.metrics import series_of
from energygate.telemetry.runs import measured_runs
from energygate.telemetry.sending import Answer
from energygate.telemetry.trace import spans_of

RESOURCE = {"service.name": "energygate", "energygate.meters": ("rapl", "nvml")}
AS_JSON = [
    {"key": "service.name", "value": {"stringValue": "energygate"}},
    {
        "key": "energygate.meters",
        "value": {"arrayValue": {"values": [{"stringValue": "rapl"}, {"stringValue": "nvml"}]}},
    },
]
AT_NS = int(AT.timestamp()) * 10**9
JUDGED = measured_runs(MEASURED)[0]
SPANS = spans_of(MEASURED, JUDGED)
SERIES = tuple(series_of(MEASURED, JUDGED))


def decoded(kind, bodies):
    for body in bodies:
        (message := kind()).ParseFromString(body)
        yield message


def test_a_run_of_a_few_trials_is_one_request_of_spans():
    (body,) = trace_requests(RESOURCE, SPANS)
    (message,) = decoded(ExportTraceServiceRequest, [body])
    (group,) = message.resource_spans
    (scope,) = group.scope_spans
    assert MessageToDict(group.resource)["attributes"] == AS_JSON
    assert scope.scope.name == "energygate"
    assert [(s.trace_id, s.span_id, s.parent_span_id, s.name, s.kind) for s in scope.spans] == [
        (s.trace, s.id, s.parent, s.name, 1) for s in SPANS
    ]
    assert [(s.start_time_unix_nano, s.end_time_unix_nano) for s in scope.spans] == [
        (s.begin_ns, s.end_ns) for s in SPANS
    ]
    assert [(s.status.code, s.status.message) for s in scope.spans] == [(0, "")] * 3 + [(2, "work_failed"), (0, "")]
    attributes = {each["key"]: each["value"] for each in MessageToDict(scope.spans[3])["attributes"]}
    assert attributes["energygate.trial.valid"] == {"boolValue": False}
    assert attributes["energygate.trial.index"] == {"intValue": "1"}
    assert attributes["energygate.energy"] == {"doubleValue": 6.0}
    assert attributes["energygate.trial.invalid"] == {"stringValue": "work_failed"}
    assert SECRET.encode() not in body


def test_series_of_one_metric_are_points_of_one_metric_and_joules_are_cumulative():
    (message,) = decoded(ExportMetricsServiceRequest, metric_requests(RESOURCE, SERIES))
    (group,) = message.resource_metrics
    (scope,) = group.scope_metrics
    energy, trial = scope.metrics[:2]
    assert [m.name for m in scope.metrics] == list(dict.fromkeys(s.instrument.name for s in SERIES))
    assert (energy.name, energy.unit, energy.sum.aggregation_temporality, energy.sum.is_monotonic) == (
        "hw.energy",
        "J",
        2,
        True,
    )
    points = [(p.start_time_unix_nano, p.time_unix_nano, p.as_double) for p in energy.sum.data_points]
    assert points == [(s.since_ns, at_ns, value) for s in SERIES[:2] for at_ns, value in s.points]
    assert (trial.name, trial.WhichOneof("data")) == ("energygate.trial.energy", "gauge")
    labels = {
        each["key"]: each["value"]["stringValue"] for each in MessageToDict(trial.gauge.data_points[0])["attributes"]
    }
    assert labels == SERIES[2].attributes


def test_a_large_run_is_sent_in_parts_that_a_collector_takes():
    many = [replace(SPANS[-1], id=number.to_bytes(8, "big")) for number in range(2500)]
    bodies = list(trace_requests(RESOURCE, many))
    parts = [message.resource_spans[0].scope_spans[0].spans for message in decoded(ExportTraceServiceRequest, bodies)]
    assert [len(part) for part in parts] == [1000, 1000, 500]
    assert [span.span_id for part in parts for span in part] == [span.id for span in many]
    assert max(map(len, bodies)) < 2**20
    points = [
        sum(len(metric.gauge.data_points) for metric in message.resource_metrics[0].scope_metrics[0].metrics)
        for message in decoded(ExportMetricsServiceRequest, metric_requests(RESOURCE, SERIES[2:3] * 250))
    ]
    assert points == [200, 200, 100]


def said(body, kind="application/x-protobuf"):
    return Answer(status=200, kind=kind, body=body)


def test_what_a_collector_did_not_take_is_read_from_its_answer():
    spans = ExportTraceServiceResponse(partial_success={"rejected_spans": 3, "error_message": "too old"})
    points = ExportMetricsServiceResponse(partial_success={"rejected_data_points": 4, "error_message": "too old"})
    assert refused_spans(said(spans.SerializeToString())) == (3, "too old")
    assert refused_points(said(points.SerializeToString())) == (4, "too old")
    assert refused_spans(said(b"")) == refused_points(said(b"", kind="text/html")) == (0, "")


def test_a_collector_that_answers_in_json_is_understood():
    spans = b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "too old"}, "more": 1}'
    assert refused_spans(said(spans, kind="application/json")) == (3, "too old")
    assert refused_points(said(b"{}", kind="application/json")) == (0, "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>log in</html>", "text/html"),
        (b"<html>log in</html>", ""),
        (b"taken", "text/plain"),
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 100_000, "application/json"),
    ],
)
def test_what_is_no_answer_of_a_collector_says_nothing_of_what_was_taken(body, kind):
    for refused in (refused_spans, refused_points):
        with pytest.raises(ValueError, match=f"^no answer of a collector: {kind!r}$"):
            refused(said(body, kind=kind))
