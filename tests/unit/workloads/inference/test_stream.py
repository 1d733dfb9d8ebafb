import msgspec
import pytest

from energygate.workloads.inference.stream import Chunk, Streamed


def chunk(**choice):
    return msgspec.json.encode({"choices": [choice], "model": "m"})


def delta(**said):
    return chunk(index=0, delta=said, finish_reason=None)


def streamed(*payloads):
    answer = Streamed()
    return answer, [answer.add(payload) for payload in payloads]


def test_a_chat_stream_of_llama_cpp_is_put_together():
    answer, content = streamed(
        delta(role="assistant", content=None),
        delta(content="1"),
        delta(content=". Ban"),
        chunk(delta={}, finish_reason="stop"),
        b'{"choices": [], "usage": {"prompt_tokens": 34, "completion_tokens": 3}, "timings": {"prompt_ms": 1}}',
        b"[DONE]",
    )
    assert content == [False, True, True, False, False, False]
    assert (answer.text, answer.finish, answer.model, answer.failed) == ("1. Ban", "stop", "m", False)
    assert answer.usage == {"prompt_tokens": 34, "completion_tokens": 3}
    assert answer.timings == {"prompt_ms": 1}
    assert (answer.chunks, answer.choices) == (5, 4)


def test_a_completions_stream_has_its_usage_beside_the_last_choice():
    answer, content = streamed(
        chunk(text="1"),
        chunk(text=""),
        b'{"choices": [{"text": "2", "finish_reason": "length"}], "usage": {"completion_tokens": 2}}',
    )
    assert content == [True, False, True]
    assert (answer.text, answer.finish, answer.usage) == ("12", "length", {"completion_tokens": 2})


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_content_and_precedes_the_answer(name):
    answer, content = streamed(delta(**{name: "Hm. "}), delta(content="Yes."), delta(**{name: "Wait. "}))
    assert content == [True, True, True]
    assert answer.text == "Hm. Wait. Yes."


def test_tool_calls_are_content_and_are_put_together_by_their_index():
    answer, content = streamed(
        delta(tool_calls=[{"index": 1, "function": {"name": "b", "arguments": ""}}]),
        delta(tool_calls=[{"index": 0, "function": {"name": "a", "arguments": "{"}}]),
        delta(tool_calls=[{"index": 1, "function": {"arguments": "[]"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "}"}}]),
        delta(tool_calls=[{"index": 0}]),
    )
    assert content == [True] * 5
    assert answer.text == "a{}b[]"


def test_an_unstreamed_answer_has_the_same_text_as_the_stream_of_it():
    calls = [{"function": {"name": "a", "arguments": "{}"}}, {"function": {"name": "b", "arguments": "[]"}}]
    whole = Streamed()
    whole.take(
        msgspec.json.decode(
            chunk(message={"content": "Yes.", "reasoning_content": "Hm. ", "tool_calls": calls}), type=Chunk
        )
    )
    assert whole.text == "Hm. Yes.a{}b[]"


def test_the_last_usage_counts_and_a_null_does_not_remove_it():
    answer, _ = streamed(
        b'{"usage": null}', b'{"usage": {"n": 1}}', b'{"usage": {"n": 2}, "error": null}', b'{"usage": null}'
    )
    assert answer.usage == {"n": 2}
    assert not answer.failed


def test_an_empty_finish_reason_is_none():
    answer, _ = streamed(chunk(finish_reason=""), chunk(finish_reason="stop"), chunk(finish_reason=""))
    assert answer.finish == "stop"


def test_what_follows_an_error_or_the_end_is_not_looked_at():
    answer, content = streamed(b'{"error": {"message": "out of memory"}}', delta(content="x"), b"[DONE]")
    assert content == [False, False, False]
    assert (answer.error, answer.failed, answer.text) == ({"message": "out of memory"}, True, "")
    answer, content = streamed(b"[DONE]", delta(content="x"), b"<html>")
    assert content == [False, False, False]
    assert not answer.failed


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"<html>", "JSON is malformed: invalid character (byte 0)"),
        (b'{"choices": [{"delta": {"content": "sec', "Input data was truncated"),
        (
            b'{"choices": [{"delta": {"content": 1}}]}',
            "Expected `str | null`, got `int` - at `$.choices[0].delta.content`",
        ),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"model": "\xe9"}', "14 bytes that are not UTF-8"),
        (b'{"usage": {"a": ' + b"[" * 100_000, "100016 bytes, nested too deeply"),
    ],
)
def test_a_chunk_that_cannot_be_read_breaks_the_stream(payload, why):
    answer, content = streamed(delta(content="x"), payload, delta(content="y"))
    assert content == [True, False, False]
    assert answer.broken == f"chunk 2 cannot be read: {why}"
    assert answer.failed
    assert answer.text == "x"


def test_no_repr_shows_what_a_model_said():
    answer, _ = streamed(delta(content="a secret"))
    assert "secret" not in repr(answer)
