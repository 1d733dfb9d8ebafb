"""From spans and series to the bytes of OTLP requests, and from answers to what was refused.

Requests are of a size that a collector takes: its limit is 20 MiB unless it is told otherwise.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from energygate.telemetry.attributes import Attributes, Value
from energygate.telemetry.metrics import Series
from energygate.telemetry.sending import Answer
from energygate.telemetry.trace import Span

T = TypeVar("T")
_SCOPE: Final = "energygate"
_JSON: Final = "application/json"
_PROTOBUF: Final = frozenset({"application/x-protobuf", "application/protobuf", "application/octet-stream"})
_MOST_SPANS: Final = 1000
_MOST_SERIES: Final = 100


def trace_requests(resource: Attributes, spans: Sequence[Span]) -> Iterator[bytes]:
    """Encode the spans of one run."""
    for some in _batches(spans, _MOST_SPANS):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        _put(group.resource.attributes, resource)
        scope = group.scope_spans.add()
        scope.scope.name = _SCOPE
        for span in some:
            _fill(scope.spans.add(), span)
        yield request.SerializeToString()


def metric_requests(resource: Attributes, series: Sequence[Series]) -> Iterator[bytes]:
    """Encode the metrics of one run."""
    for some in _batches(series, _MOST_SERIES):
        request = ExportMetricsServiceRequest()
        group = request.resource_metrics.add()
        _put(group.resource.attributes, resource)
        scope = group.scope_metrics.add()
        scope.scope.name = _SCOPE
        metrics: dict[str, Any] = {}
        for each in some:
            points = metrics.get(each.instrument.name)
            if points is None:
                points = metrics[each.instrument.name] = _points(scope.metrics.add(), each)
            for at_ns, value in each.points:
                point = points.add(start_time_unix_nano=each.since_ns, time_unix_nano=at_ns, as_double=value)
                _put(point.attributes, each.attributes)
        yield request.SerializeToString()


def refused_spans(answer: Answer) -> tuple[int, str]:
    """How many spans a collector did not take, and what it says. Raises ValueError where no collector says that."""
    found = ExportTraceServiceResponse()
    _read(found, answer)
    return found.partial_success.rejected_spans, _message(found)


def refused_points(answer: Answer) -> tuple[int, str]:
    """How many data points a collector did not take, and what it says. Raises ValueError where no collector says it."""
    found = ExportMetricsServiceResponse()
    _read(found, answer)
    return found.partial_success.rejected_data_points, _message(found)


def _read(found: Message, answer: Answer) -> None:
    """Read what the protocol promises; the page of a proxy with status 200 does not say that anything was taken."""
    if not answer.body:  # a message of nothing but defaults
        return
    try:
        if answer.kind == _JSON:
            Parse(answer.body, found, ignore_unknown_fields=True)
        elif answer.kind in _PROTOBUF:
            found.ParseFromString(answer.body)
        else:
            raise ValueError(f"no answer of a collector: {answer.kind!r}")
    except (DecodeError, ParseError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no answer of a collector: {answer.kind!r}") from error


def _message(found: Any) -> str:
    return str(found.partial_success.error_message)


def _fill(message: SpanMessage, span: Span) -> None:
    message.trace_id, message.span_id, message.parent_span_id = span.trace, span.id, span.parent
    message.name = span.name
    message.kind = SpanMessage.SPAN_KIND_INTERNAL
    message.start_time_unix_nano, message.end_time_unix_nano = span.begin_ns, span.end_ns
    _put(message.attributes, span.attributes)
    if span.fault:
        message.status.code, message.status.message = Status.STATUS_CODE_ERROR, span.fault


def _points(metric: Any, series: Series) -> Any:
    """Describe a metric; give the list of its points."""
    instrument = series.instrument
    metric.name, metric.unit, metric.description = instrument.name, instrument.unit, instrument.description
    if not instrument.is_sum:
        return metric.gauge.data_points
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = AGGREGATION_TEMPORALITY_CUMULATIVE, True
    return metric.sum.data_points


def _put(slots: Any, found: Attributes) -> None:
    for key, value in found.items():
        _set(slots.add(key=key).value, value)


def _set(slot: Any, value: Value) -> None:
    match value:
        case bool():
            slot.bool_value = value
        case int():
            slot.int_value = value
        case float():
            slot.double_value = value
        case str():
            slot.string_value = str(value)
        case _:
            for each in value:
                slot.array_value.values.add(string_value=each)


def _batches(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    return (items[start : start + most] for start in range(0, len(items), most))
