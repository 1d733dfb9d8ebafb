import pytest

from energygate.errors import MeasurementInvalid
from energygate.workloads.answers import count_answer, error_text
from energygate.workloads.dataset import Request
from energygate.workloads.http import Reply
from energygate.workloads.text import Redactor

DEEP = b"[" * 100_000


@pytest.mark.parametrize("head", [b'{"usage": {"a": ', b'{"error": ', b'{"unknown": '])
def test_a_reply_that_is_nested_too_deeply_is_no_answer(head):
    request = Request(origin="p.jsonl:1", messages=(), max_tokens=4)
    body = head + DEEP
    with pytest.raises(MeasurementInvalid) as invalid:
        count_answer(Reply(200, "application/json", body), request, show=Redactor())
    assert str(invalid.value) == (
        f"work_failed: status 200, but no chat completion: {len(body)} bytes, nested too deeply"
    )


def test_an_error_that_is_nested_too_deeply_is_shown_as_it_came():
    assert error_text(DEEP) == DEEP.decode()
