"""Exports of spans, as an instrumented program sends them."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
TRACE = b"t" * 16


def span_id(name):
    """Eight bytes that stand for a name of at most as many; a longer id is what a receiver refuses."""
    if len(name) > 8:
        raise ValueError(f"{name!r} is no id of 8 bytes")
    return name.encode().ljust(8, b".")


def export(*spans):
    """Encode spans: each a mapping of id, parent, end_ns, trace and attributes."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for each in spans:
        span = scope.spans.add(
            trace_id=each.get("trace", TRACE),
            span_id=span_id(each["id"]),
            parent_span_id=span_id(each["parent"]) if "parent" in each else b"",
            end_time_unix_nano=each.get("end_ns", 0),
        )
        for key, value in each.get("attributes", {}).items():
            _set(span.attributes.add(key=key).value, value)
    return request.SerializeToString()


def _set(slot, value):
    if isinstance(value, list):
        for each in value:
            _set(slot.array_value.values.add(), each)
    else:
        kind = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}[type(value)]
        setattr(slot, kind, value)
