import pytest
from fakes_spans import INPUT, OUTPUT, TRACE, export, span_id

from energygate.model import Work
from energygate.workloads.spans.decode import NotAnExport, spans_of
from energygate.workloads.spans.span import Span

CANARY = "the canary of a prompt"


def test_a_request_keeps_ids_end_counts_model_and_finish_and_no_text():
    attributes = {
        "gen_ai.operation.name": "chat",
        INPUT: 34,
        OUTPUT: 15,
        "gen_ai.usage.cache_read.input_tokens": 33,
        "gen_ai.usage.reasoning.output_tokens": 2,
        "gen_ai.response.model": "smollm2-135m",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.input.messages": CANARY,
        "gen_ai.output.messages": CANARY,
    }
    kept = spans_of(export({"id": "chat", "parent": "agent", "end_ns": 5, "attributes": attributes}))
    assert kept == (
        Span(
            id=(TRACE, span_id("chat")),
            parent=(TRACE, span_id("agent")),
            end_ns=5,
            operation="chat",
            work=Work(input_tokens=34, output_tokens=15, cached_input_tokens=33, reasoning_tokens=2),
            model="smollm2-135m",
            finish=("stop",),
        ),
    )
    assert CANARY not in repr(kept)


def test_older_names_count_unless_the_newer_ones_are_there():
    older = {"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 4}
    (first, second) = spans_of(
        export({"id": "a", "attributes": older}, {"id": "b", "attributes": {**older, INPUT: 10, OUTPUT: 5}})
    )
    assert first.work == Work(input_tokens=9, output_tokens=4)
    assert second.work == Work(input_tokens=10, output_tokens=5)


@pytest.mark.parametrize("value", [-1, True, 4.0, CANARY, 2**62])
def test_what_is_no_count_is_named_and_not_shown(value):
    (span,) = spans_of(export({"id": "a", "attributes": {INPUT: 3, OUTPUT: value}}))
    assert (span.fault, span.work) == ("gen_ai.usage.output_tokens is no count", Work())
    assert span.has_tokens


def test_a_span_without_tokens_keeps_its_place_in_the_trace_alone():
    (span,) = spans_of(export({"id": "http", "parent": "agent", "attributes": {"http.url": CANARY}}))
    assert span == Span(id=(TRACE, span_id("http")), parent=(TRACE, span_id("agent")), end_ns=0, work=Work())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff" * 9, "9 bytes that are no export of spans"),
        (export({"id": "a", "trace": b""}), "a span without an id, so it cannot be told from others"),
    ],
)
def test_other_bytes_are_refused_unshown(body, why):
    with pytest.raises(NotAnExport) as fault:
        spans_of(body)
    assert str(fault.value) == why


def test_names_from_outside_are_short_and_on_one_line():
    (span,) = spans_of(
        export(
            {
                "id": "a",
                "attributes": {
                    "gen_ai.response.model": "m\n" * 90,
                    "gen_ai.response.finish_reasons": ["s\x1b[0m"] * 20,
                },
            }
        )
    )
    assert len(span.model) == 100
    assert span.model.startswith("m m m")
    assert span.finish == ("s",) * 16
