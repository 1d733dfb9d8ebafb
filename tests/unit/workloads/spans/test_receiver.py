"""The receiver over real connections of this machine."""

import gzip
import http.client
import socket

import pytest
from fakes_spans import INPUT, OUTPUT, export

from energygate.model import Work
from energygate.workloads.spans.body import MAX_BYTES
from energygate.workloads.spans.inbox import Interval
from energygate.workloads.spans.receiver import Receiver

BODY = export({"id": "a", "end_ns": 5, "attributes": {INPUT: 34, OUTPUT: 15}})
PROTOBUF = {"Content-Type": "application/x-protobuf"}
WRONG_TYPE = "it is {}, not application/x-protobuf; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"


@pytest.fixture(scope="module")
def receiver():
    made = Receiver()
    yield made
    made.close()


def post(receiver, body, *, path="/v1/traces", headers=PROTOBUF, chunked=False):
    link = http.client.HTTPConnection(receiver.url.removeprefix("http://"), timeout=30)
    try:
        link.request("POST", path, iter([body[:9], body[9:]]) if chunked else body, headers, encode_chunked=chunked)
        answer = link.getresponse()
        return answer.status, answer.read()
    finally:
        link.close()


def received(receiver):
    spans, refusals = receiver.inbox.take()
    return [span.work for span in spans], list(refusals)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("body", "headers"), [(BODY, {}), (gzip.compress(BODY), {"Content-Encoding": "gzip"})], ids=["plain", "gzip"]
)
def test_an_export_is_taken_plain_packed_and_in_chunks(receiver, body, headers, chunked):
    chunks = {"Transfer-Encoding": "chunked"} if chunked else {}
    assert post(receiver, body, headers=PROTOBUF | headers | chunks, chunked=chunked) == (200, b"")
    assert received(receiver) == ([Work(input_tokens=34, output_tokens=15)], [])
    assert received(receiver) == ([], [])


def test_spans_are_told_by_when_they_ended(receiver):
    post(receiver, BODY)
    assert receiver.inbox.ended_in(Interval(begin_ns=5, end_ns=5)) == 1
    assert receiver.inbox.ended_in(Interval(begin_ns=6, end_ns=9)) == 0
    receiver.inbox.take()


@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/logs"])
def test_metrics_and_logs_are_answered_and_forgotten(receiver, path):
    assert post(receiver, b"anything", path=path) == (200, b"")
    assert received(receiver) == ([], [])


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        ({"headers": {"Content-Type": "application/json"}}, 415, WRONG_TYPE.format("JSON")),
        ({"headers": {}}, 415, WRONG_TYPE.format("another content type")),
        ({"headers": PROTOBUF | {"Content-Encoding": "br"}}, 415, "its encoding is neither gzip nor none"),
        ({"headers": PROTOBUF | {"Content-Encoding": "gzip"}}, 400, "its body is not gzip"),
        ({"path": "/v2/traces"}, 404, "it was sent to another path than /v1/traces"),
        ({"body": b"\xff" * 9}, 400, "9 bytes that are no export of spans"),
        ({"body": bytes(MAX_BYTES + 1)}, 413, "it is larger than 16 MiB"),
        (
            {"body": gzip.compress(bytes(MAX_BYTES + 1)), "headers": PROTOBUF | {"Content-Encoding": "gzip"}},
            413,
            "it is larger than 16 MiB",
        ),
        (
            {"body": gzip.compress(BODY)[:-9], "headers": PROTOBUF | {"Content-Encoding": "gzip"}},
            400,
            "its body is cut off or broken",
        ),
    ],
)
def test_what_cannot_be_taken_is_answered_and_remembered(receiver, sent, status, why):
    assert post(receiver, **{"body": BODY, **sent}) == (status, b"")
    assert received(receiver) == ([], [f"HTTP {status}, {why}"])


def raw(receiver, text):
    host, port = receiver.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as link:
        link.sendall(text)
        link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(4096), b"")).split(b"\r\n")[0]


HEAD = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (HEAD + b"\r\n", b"HTTP/1.1 411 Length Required"),
        (HEAD + b"Content-Length: 99\r\n\r\nshort", b"HTTP/1.1 400 Bad Request"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"HTTP/1.1 413 Request Entity Too Large"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", b"HTTP/1.1 400 Bad Request"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nshort", b"HTTP/1.1 400 Bad Request"),
    ],
)
def test_a_request_without_its_body_is_refused_too(receiver, text, status):
    assert raw(receiver, text) == status
    spans, refusals = received(receiver)
    assert (spans, len(refusals)) == ([], 1)


def test_nobody_listens_after_the_end():
    receiver = Receiver()
    receiver.close()
    with pytest.raises(ConnectionRefusedError):
        post(receiver, BODY)


def test_a_connection_that_breaks_is_remembered_and_prints_nothing(receiver, capfd):
    host, port = receiver.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closing resets the connection
        link.sendall(HEAD + b"Content-Length: 99\r\n\r\n")
    while not (found := received(receiver)[1]):
        post(receiver, b"", path="/v1/logs")  # each answered after a thread has come and gone
    assert len(found) == 1
    assert capfd.readouterr() == ("", "")
