"""However a stream is cut on its way, and whatever text it carries, the same is counted."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from energygate.errors import MeasurementInvalid
from energygate.workloads.dataset import Request
from energygate.workloads.inference.answers import count_answer
from energygate.workloads.inference.sse import Events
from energygate.workloads.inference.stream import Streamed
from energygate.workloads.text import Redactor, printable

REQUEST = Request(origin="p.jsonl:1", messages=(), max_tokens=48)
TEXTS = st.text(st.sampled_from('ab \u2028\u2029\u0085\x0b\x0c\x1c\r\n"\\:é€😀') | st.characters(codec="utf-8"))


@st.composite
def streams(draw):
    """Bytes of a chat stream, and the text that it carries."""
    texts = draw(st.lists(TEXTS, min_size=1, max_size=6))
    escaped = draw(st.booleans())
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    objects = [{"choices": [{"delta": {"content": text}}], "usage": None} for text in texts]
    objects.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    objects.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": draw(st.integers(1, 48))}})
    lines = [f"data: {json.dumps(each, ensure_ascii=escaped)}" for each in objects]
    for place in draw(st.lists(st.integers(0, len(lines)), max_size=3)):
        lines.insert(place, draw(st.sampled_from([": waiting", ":", "event: message", "id: 7"])))
    if draw(st.booleans()):
        lines.append("data: [DONE]")
    return "".join(line + newline * 2 for line in lines).encode(), "".join(texts)


@st.composite
def cut(draw, stream):
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    ends = [0, *places, len(stream)]
    return [stream[one:other] for one, other in itertools.pairwise(ends)]


def read(parts):
    events, answer = Events(), Streamed()
    content = sum(answer.add(payload) for part in parts for payload in events.feed(part))
    return answer, content


def counted(parts):
    return count_answer(read(parts)[0], REQUEST, fixed_output=False, show=Redactor())


@given(streams(), st.data())
def test_any_cut_of_the_bytes_gives_the_same_counts_and_the_text_that_was_sent(made, data):
    stream, text = made
    one_piece = counted([stream])
    assert one_piece.text == text
    assert counted(data.draw(cut(stream))) == one_piece
    assert counted([bytes([each]) for each in stream]) == one_piece


@given(streams(), st.data())
def test_a_stream_that_ends_too_early_is_never_counted_as_another_answer(made, data):
    stream, _ = made
    shorter = stream[: data.draw(st.integers(0, len(stream)))]
    try:
        found = counted([shorter])
    except MeasurementInvalid:
        return
    assert found == counted([stream])  # only what follows the usage was lost


def sentence_of(answer):
    """Why it does not count; empty if it does."""
    try:
        count_answer(answer, REQUEST, fixed_output=False, show=Redactor())
    except MeasurementInvalid as invalid:
        return invalid.sentence
    return ""


def is_fit_to_be_shown(sentence):
    return printable(sentence, limit=400) == sentence


@given(st.lists(st.binary(max_size=40).map(lambda each: b"data: " + each + b"\n"), max_size=4))
def test_any_bytes_are_read_without_a_traceback(parts):
    answer, content = read(parts)
    assert content <= answer.chunks
    assert is_fit_to_be_shown(sentence_of(answer))


NAMES = st.sampled_from(["choices", "delta", "content", "usage", "error", "finish_reason", "timings", "prompt_ms"])
VALUES = st.none() | st.booleans() | st.integers() | st.text()
DOCUMENTS = st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


@given(st.dictionaries(NAMES, DOCUMENTS))
def test_any_json_is_read_without_a_traceback(document):
    answer, _ = read([b"data: " + json.dumps(document).encode() + b"\n"])
    assert is_fit_to_be_shown(sentence_of(answer))
