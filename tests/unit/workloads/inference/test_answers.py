import msgspec
import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work
from energygate.workloads.dataset import Request
from energygate.workloads.inference.answers import Counted, NoUsage, Timings, count_answer, error_text
from energygate.workloads.inference.exchange import Reply
from energygate.workloads.inference.stream import Streamed
from energygate.workloads.text import Redactor

DEEP = b"[" * 100_000
REQUEST = Request(origin="p.jsonl:1", messages=(), max_tokens=48)
USAGE = {"prompt_tokens": 34, "completion_tokens": 15}
TOO_MANY = "49 tokens, more than the 48 that were asked for: does the server know max_tokens?"
TIMINGS = {"prompt_ms": 1026.0, "predicted_ms": 772, "predicted_n": 15}


def whole(*, usage=USAGE, finish="stop", **more):
    choice = {"message": {"content": "Apples."}, "finish_reason": finish}
    return Reply(200, "application/json", msgspec.json.encode({"choices": [choice], "usage": usage, **more}))


def streamed(*, usage=USAGE, finish="stop", **more):
    return of_chunks(
        {"choices": [{"delta": {"content": "Apples."}}]},
        {"choices": [{"delta": {}, "finish_reason": finish}]},
        {"choices": [], "usage": usage, **more},
    )


def said(text, *, usage=None, **more):
    return {"choices": [{"delta": {"content": text}, **more}], "usage": usage}


def counted(tokens):
    return {"prompt_tokens": 34, "completion_tokens": tokens}


def of_chunks(*chunks):
    answer = Streamed()
    for chunk in chunks:
        answer.add(msgspec.json.encode(chunk))
    return answer


def count(reply, *, fixed_output=False, **options):
    return count_answer(reply, REQUEST, fixed_output=fixed_output, show=Redactor(key="sk-1234"), **options)


def fault(reply, **options):
    with pytest.raises(MeasurementInvalid) as invalid:
        count(reply, **options)
    return str(invalid.value)


@pytest.mark.parametrize("answer", [whole, streamed])
def test_an_answer_counts_the_same_in_one_piece_and_streamed(answer):
    assert count(answer(model="m", timings=TIMINGS)) == Counted(
        work=Work(requests=1, input_tokens=34, output_tokens=15),
        finish="stop",
        model="m",
        text="Apples.",
        timings=Timings(prefill_s=1.026, decode_s=0.772),
    )


def test_a_completion_counts_like_a_chat_answer():
    body = {"choices": [{"text": "Apples.", "finish_reason": "length"}], "usage": USAGE | {"completion_tokens": 48}}
    assert count(Reply(200, "application/json", msgspec.json.encode(body))).text == "Apples."


@pytest.mark.parametrize(
    "timings",
    [
        None,
        "fast",
        {},
        {"prompt_ms": 1},
        {"prompt_ms": -1, "predicted_ms": 1},
        {"prompt_ms": True, "predicted_ms": 1},
        {"prompt_ms": 10**400, "predicted_ms": 1},
        {"prompt_ms": 1, "predicted_ms": 1.7e308},
    ],
)
def test_phases_of_an_unknown_shape_are_unknown(timings):
    assert count(streamed(timings=timings)).timings is None


@pytest.mark.parametrize("answer", [whole, streamed])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"error": {"message": "out of memory"}}, "status 200, but an error: out of memory"),
        ({"error": ""}, "status 200, but an error: no text"),
        ({"error": "no sk-1234"}, "status 200, but an error: no ***"),
        ({"error": {"code": 500}}, 'status 200, but an error: {"code":500}'),
        ({"finish": None}, "no finish_reason, so the answer may be cut off"),
        ({"finish": None, "usage": None}, "no finish_reason, so the answer may be cut off"),
        ({"finish": "abort"}, "finish_reason 'abort', not one of stop, length, tool_calls"),
        ({"finish": "length"}, "15 of 48 tokens, the context is full: 49 tokens with the input"),
        ({"finish": "length", "usage": USAGE | {"completion_tokens": 49}}, TOO_MANY),
        ({"finish": "stop", "usage": USAGE | {"completion_tokens": 49}}, TOO_MANY),
        (
            {"usage": USAGE | {"completion_tokens": 0}},
            "usage says 0 output tokens, so the tokens of the answer are unknown",
        ),
        ({"usage": USAGE | {"prompt_tokens": 0}}, "usage says 0 input tokens, so the tokens of the answer are unknown"),
        ({"usage": {"prompt_tokens": 5}}, "usage.completion_tokens is missing, so the tokens of an answer are unknown"),
    ],
)
def test_what_is_no_complete_counted_answer_is_refused(answer, change, sentence):
    assert fault(answer(**change)) == f"work_failed: {sentence}"


@pytest.mark.parametrize(
    ("chunks", "sentence"),
    [
        ([], "status 200, but a stream without data"),
        ([{"choices": [], "usage": USAGE}], "status 200, but no choices, so there is no answer"),
        (["x"], "status 200, but chunk 1 cannot be read: Expected `object`, got `str`"),
        ([{"choices": [{"delta": {"content": "A"}}]}], "no finish_reason, so the answer may be cut off"),
        (
            [said("A", usage=counted(2)), said("B"), said("", finish_reason="stop")],
            "content came after the last usage, so the tokens of the answer are unknown",
        ),
        (
            [said("A", finish_reason="stop"), {"usage": counted(9)}, {"usage": {}}, {"usage": counted(4)}],
            "a usage says fewer tokens than the one before it, so neither is believed",
        ),
    ],
)
def test_a_stream_without_an_answer_is_refused(chunks, sentence):
    assert fault(of_chunks(*chunks)) == f"work_failed: {sentence}"


def test_a_usage_that_grows_with_each_chunk_counts_as_its_last_one():
    grown = [said(text, usage=counted(n)) for n, text in enumerate("ABC", start=1)]
    assert count(of_chunks(*grown, said("", finish_reason="stop"))).work.output_tokens == 3
    late = of_chunks({"usage": counted(0)}, said("A"), said("B", finish_reason="stop"), {"usage": counted(2)})
    assert count(late).work.output_tokens == 2


@pytest.mark.parametrize("answer", [whole, streamed])
def test_an_answer_that_lacks_only_its_usage_is_told_from_worse_ones(answer):
    with pytest.raises(NoUsage, match=r"^work_failed: the answer has no usage, so its tokens are unknown$"):
        count(answer(usage=None))
    counted = count(answer(usage=None), without_usage="accept")
    assert (counted.work, counted.finish) == (Work(requests=1), "stop")
    assert fault(answer(usage=None, finish=None), without_usage="accept").endswith("the answer may be cut off")


@pytest.mark.parametrize("answer", [whole, streamed])
def test_a_fixed_output_has_exactly_the_tokens_that_were_asked_for(answer):
    exact = answer(usage=USAGE | {"completion_tokens": 48}, finish="length")
    assert count(exact, fixed_output=True).work.output_tokens == 48
    unknown = count(answer(usage=None, finish="length"), fixed_output=True, without_usage="accept")
    assert unknown.work == Work(requests=1)


ASKED = "requests.fixed_output asks for exactly 48 and 'length'"


@pytest.mark.parametrize(
    ("tokens", "finish", "sentence"),
    [
        (15, "length", "15 of 48 tokens, the context is full: 49 tokens with the input"),
        (15, "stop", f"15 of 48 tokens, finish_reason 'stop': {ASKED}"),
        (48, "stop", f"48 of 48 tokens, finish_reason 'stop': {ASKED}"),
        (49, "length", f"49 of 48 tokens, finish_reason 'length': {ASKED}"),
        (None, "stop", f"an unknown number of 48 tokens, finish_reason 'stop': {ASKED}"),
    ],
)
def test_a_fixed_output_of_another_length_is_other_work(tokens, finish, sentence):
    usage = None if tokens is None else USAGE | {"completion_tokens": tokens}
    with pytest.raises(MeasurementInvalid) as invalid:
        count(streamed(usage=usage, finish=finish), fixed_output=True, without_usage="accept")
    assert (invalid.value.code, invalid.value.sentence) == (InvalidCode.WORK_DIFFERS, sentence)


def test_another_status_is_told_with_the_servers_words_and_the_cure():
    reply = Reply(401, "application/json", b'{"error": {"message": "bad key sk-1234"}}')
    assert fault(reply) == (
        "work_failed: HTTP 401, bad key ***. Check the key in the variable that endpoint.api_key_env names."
    )


@pytest.mark.parametrize("head", [b'{"usage": {"a": ', b'{"error": ', b'{"unknown": '])
def test_a_reply_that_is_nested_too_deeply_is_no_answer(head):
    body = head + DEEP
    assert fault(Reply(200, "application/json", body)) == (
        f"work_failed: status 200, but no chat completion: {len(body)} bytes, nested too deeply"
    )


def test_a_page_in_place_of_a_stream_is_told_with_its_type():
    assert fault(Reply(200, "text/html", b"<html>")) == (
        "work_failed: status 200, but no chat completion (text/html, 6 bytes): "
        "JSON is malformed: invalid character (byte 0)"
    )


def test_an_error_that_is_nested_too_deeply_is_shown_as_it_came():
    assert error_text(DEEP) == DEEP.decode()
