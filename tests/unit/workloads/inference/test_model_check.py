import httpx
import msgspec
import pytest

from energygate.errors import WorkloadError
from energygate.workloads.inference.client import Encoded
from energygate.workloads.inference.exchange import Reply
from energygate.workloads.inference.loading import StillLoading
from energygate.workloads.inference.model_check import check_listed
from energygate.workloads.text import Redactor

URL = "http://127.0.0.1:8000/v1"
LABEL = (
    "It would answer all the same, under a wrong label. Correct endpoint.model, or start the server with that model."
)


class Answering:
    """A client whose server gives this answer, whatever it is asked."""

    def __init__(self, reply):
        self.reply = reply

    def get(self, _url, *, timeout_s):
        assert timeout_s > 0
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def refusal(reply):
    with pytest.raises(WorkloadError) as refused:
        check_listed(Answering(reply), URL, suite="chat", model="m", show=Redactor())
    return refused.value


def listing(*names):
    return Reply(200, "application/json", msgspec.json.encode({"data": [{"id": name} for name in names]}))


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ((), "none"),
        (("a", "b"), "a, b"),
        (tuple(f"model-{n}" for n in range(20_000)), ", ".join(f"model-{n}" for n in range(5)) + " and 19995 more"),
        (("x" * 1000,), "x" * 49 + "…"),
    ],
)
def test_of_the_models_that_a_server_has_the_first_few_are_named(names, shown):
    assert str(refusal(listing(*names))) == f"chat: endpoint.model: the server has {shown}, not m. {LABEL}"


def test_a_packed_list_is_told_from_a_server_that_does_not_answer():
    assert str(refusal(Encoded(httpx.Response(200, headers={"Content-Encoding": "br"})))) == (
        f"chat: {URL}/models: the answer's Content-Encoding is 'br', though none was asked for: switch compression off "
        "in the server, or in the proxy before it."
    )


def test_a_server_that_is_not_there_yet_is_told_from_one_that_refuses():
    assert isinstance(refusal(Reply(503, "", b"Loading model")), StillLoading)
    assert not isinstance(refusal(Reply(500, "", b"no")), StillLoading)
