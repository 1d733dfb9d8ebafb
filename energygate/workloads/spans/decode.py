"""From an OTLP export to what is kept of its spans. The only module that knows OpenTelemetry's messages.

Attributes that are not named here are never read: by default they hold the prompts and the answers.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from energygate.model import MOST_COUNTED, Work
from energygate.workloads.spans.span import Span, SpanId
from energygate.workloads.text import printable

# The older name second: https://opentelemetry.io/docs/specs/semconv/gen-ai/
_COUNTS: Final = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "reasoning_tokens": ("gen_ai.usage.reasoning.output_tokens",),
}
_OPERATION: Final = "gen_ai.operation.name"
_MODEL: Final = "gen_ai.response.model"
_FINISH: Final = "gen_ai.response.finish_reasons"
_READ: Final = frozenset({_OPERATION, _MODEL, _FINISH, *(name for names in _COUNTS.values() for name in names)})
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
_MOST_REASONS: Final = 16
_MOST_CHARS: Final = 100


class NotAnExport(Exception):  # noqa: N818  reads as what is wrong with the bytes
    """These bytes are no export of spans."""


def spans_of(body: bytes) -> tuple[Span, ...]:
    """Read an export, and forget all of it but ids, ends and counts. Raises NotAnExport."""
    export = ExportTraceServiceRequest()
    try:
        export.ParseFromString(body)
    except DecodeError:
        # Without its cause: that might quote the bytes.
        raise NotAnExport(f"{len(body)} bytes that are no export of spans") from None
    spans = tuple(_spans(export))
    if any(len(each.trace_id) != _TRACE_BYTES or len(each.span_id) != _SPAN_BYTES for each in spans):
        raise NotAnExport("a span without an id, so it cannot be told from others")
    return tuple(_kept(each) for each in spans)


def _spans(export: ExportTraceServiceRequest) -> Iterator[Any]:
    for resource in export.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _kept(span: Any) -> Span:
    values = {each.key: each.value for each in span.attributes if each.key in _READ}
    counts = {name: _first(values, names) for name, names in _COUNTS.items()}
    faults = [f"{name} is no count" for name, value in counts.values() if value is not None and not _is_count(value)]
    known = {count: value.int_value for count, (_, value) in counts.items() if value is not None and not faults}
    return Span(
        id=_id(span.trace_id, span.span_id),
        parent=_id(span.trace_id, span.parent_span_id) if span.parent_span_id else None,
        end_ns=span.end_time_unix_nano,
        operation=_text(values.get(_OPERATION)),
        work=Work(**known),
        model=_text(values.get(_MODEL)),
        finish=_texts(values.get(_FINISH)),
        fault=faults[0] if faults else None,
    )


def _id(trace: bytes, span: bytes) -> SpanId:
    return bytes(trace), bytes(span)


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, Any]:
    """Give the first of these attributes that is there, with its name; None for the value where none is."""
    return next(((name, values[name]) for name in names if name in values), (names[0], None))


def _is_count(value: Any) -> bool:
    return bool(value.WhichOneof("value") == "int_value" and 0 <= value.int_value <= MOST_COUNTED)


def _text(value: Any) -> str | None:
    return None if value is None else printable(value.string_value, limit=_MOST_CHARS)


def _texts(value: Any) -> tuple[str, ...]:
    listed = () if value is None else value.array_value.values[:_MOST_REASONS]
    return tuple(printable(each.string_value, limit=_MOST_CHARS) for each in listed)
