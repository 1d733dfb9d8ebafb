import fcntl
import os
import re
import socket
import ssl
import sys
import termios
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from energygate.workloads.inference.client import Encoded, HttpClient, Unreachable
from energygate.workloads.inference.exchange import Reply, Unanswered
from energygate.workloads.inference.stream import Streamed
from energygate.workloads.suites import Timeouts


def test_a_host_that_accepts_no_connection_ends_at_the_deadline_for_connecting():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # more than the queue of connections that nobody accepts can hold
            one.setblocking(False)
            one.connect_ex(address)
        client = HttpClient(timeouts=Timeouts(connect=0.2, request=30))
        exchange = client.post_all(f"http://127.0.0.1:{address[1]}/v1", [b"{}"], concurrency=1, streamed=False)
        for one in waiting:
            one.close()
    assert exchange.answered == ()
    assert exchange.unanswered == Unanswered(position=0, why="no connection within 0.2 s (timeouts.connect)")


@contextmanager
def serving(head, part, *, times, pause_s=0.0):
    """A server that answers one connection with `head` and then `part` so many times, with a pause before each."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection, suppress(OSError):  # the client may leave before the end
                connection.recv(65536)
                connection.sendall(head)
                for _ in range(times):
                    if over.wait(pause_s):
                        break
                    connection.sendall(part)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_byte_now_and_then_does_not_move_the_deadline_of_a_question(head):
    with serving(head, b".", times=100_000, pause_s=0.01) as url, pytest.raises(Unreachable) as late:
        HttpClient(timeouts=Timeouts()).get(url, timeout_s=0.3)
    assert str(late.value) == "ReadTimeout: timed out"


def test_the_body_of_a_question_is_cut_off_at_1_mib():
    with serving(b"HTTP/1.1 503 No\r\nContent-Type: a/b\r\n\r\n", b"." * 2**16, times=100_000) as url:
        reply = HttpClient(timeouts=Timeouts()).get(url, timeout_s=30)
    assert reply == Reply(503, "a/b", b"." * 2**20)


@pytest.mark.parametrize(("encoding", "shown"), [("gzip, gzip", "gzip, gzip"), ("br" * 50, "br" * 19 + "b…")])
def test_a_packed_answer_is_refused_unread_by_the_name_of_its_packing(encoding, shown):
    why = (
        f"the answer's Content-Encoding is '{shown}', though none was asked for: switch compression off in the server, "
        "or in the proxy before it"
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: {encoding}\r\n\r\n".encode()
    client = HttpClient(timeouts=Timeouts())
    with serving(head, b".", times=100_000, pause_s=0.01) as url, pytest.raises(Encoded) as refused:
        client.get(url, timeout_s=30)
    assert str(refused.value) == why
    with serving(head, b".", times=100_000, pause_s=0.01) as url:
        exchange = client.post_all(url, [b"{}"], concurrency=1, streamed=True)
    assert (exchange.answered, exchange.unanswered) == ((), Unanswered(position=0, why=why))


def test_an_answer_that_says_that_it_is_not_packed_is_read():
    with serving(b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\n", b"{}", times=1) as url:
        assert HttpClient(timeouts=Timeouts()).get(url, timeout_s=30) == Reply(200, "", b"{}")


def test_an_answer_larger_than_64_mib_is_not_read_to_its_end():
    with serving(b"HTTP/1.1 200 OK\r\n\r\n", b"." * 2**20, times=100_000) as url:
        exchange = HttpClient(timeouts=Timeouts()).post_all(url, [b"{}"], concurrency=1, streamed=False)
    assert exchange.answered == ()
    assert exchange.unanswered == Unanswered(position=0, why="reply larger than 64 MiB")


def test_a_refused_connection_and_an_impossible_address_are_named():
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    client = HttpClient(timeouts=Timeouts())
    url = f"http://127.0.0.1:{port}/v1"
    with pytest.raises(Unreachable) as refused:
        client.get(url, timeout_s=30)
    assert str(refused.value) == "ConnectError: [Errno 111] Connection refused"
    why = client.post_all(url, [b"{}"], concurrency=1, streamed=False).unanswered.why
    assert why == "ConnectError: [Errno 111] Connection refused"
    with pytest.raises(Unreachable, match=r"^InvalidURL: Invalid non-printable ASCII character in URL"):
        client.get(f"{url}/a\x7f", timeout_s=30)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
CLOSING = STREAM.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
CHUNKED = STREAM.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
ROLE = b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n'
WORD = b'data: {"choices": [{"delta": {"content": "word "}}]}\n\n'
END = b'data: {"choices": [{"finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}\n\n'
DONE = b"data: [DONE]\n\n"
COMMENT = b": still here\n\n"
OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def scripted(script, *, connections=1):
    """A server that reads each request and then calls `script(connection, over)`."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer(connection):
            with connection, suppress(OSError):  # the client may leave before the end
                received = b""
                while not received.endswith(b"\r\n\r\n{}"):
                    received += connection.recv(65536)
                script(connection, over)

        def accept():
            answering = []
            for _ in range(connections):
                answering.append(threading.Thread(target=answer, args=(listening.accept()[0],)))
                answering[-1].start()
            for thread in answering:
                thread.join()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            over.set()
            thread.join()


def streams(*parts, then=None):
    """A script: these parts, and then one more again and again until the test is over."""

    def script(connection, over):
        connection.sendall(b"".join(parts))
        while then is not None and not over.wait(0.005):
            connection.sendall(then)

    return script


def ask(url, times=1, *, concurrency=1, **timeouts):
    client = HttpClient(timeouts=Timeouts(**timeouts))
    return client.post_all(url, [b"{}"] * times, concurrency=concurrency, streamed=True)


def test_a_stream_is_put_together_and_its_first_word_is_timed():
    with scripted(streams(CLOSING, ROLE, WORD, WORD, END, b"data: [DONE]\n\n")) as url:
        exchange = ask(url)
    (answered,) = exchange.answered
    assert exchange.unanswered is None
    assert isinstance(answered.reply, Streamed)
    assert (answered.reply.text, answered.reply.finish) == ("word word ", "stop")
    assert answered.reply.usage == {"prompt_tokens": 9, "completion_tokens": 3}
    assert 0 < answered.first_s <= answered.duration_s


def test_done_ends_a_stream_though_its_server_leaves_the_connection_open():
    def script(connection, over):
        connection.sendall(CLOSING + WORD + END + b"data: [DONE]\n\n")
        over.wait()

    with scripted(script) as url:
        exchange = ask(url, stall=1)
    assert (exchange.unanswered, exchange.answered[0].reply.text) == (None, "word ")


def test_many_streams_leave_no_connection_open():
    before = len(list(OPEN_FILES.iterdir()))
    with scripted(streams(CLOSING, WORD, END), connections=100) as url:
        exchange = ask(url, 100, concurrency=8)
    assert [answered.reply.text for answered in exchange.answered] == ["word "] * 100
    assert sorted(answered.position for answered in exchange.answered) == list(range(100))
    assert len(list(OPEN_FILES.iterdir())) == before


@pytest.mark.parametrize(
    ("parts", "then", "timeouts", "why"),
    [
        ((ROLE,), COMMENT, {"first_token": 0.2}, r"no token within 0\.2 s \(timeouts\.first_token\)"),
        ((WORD,), COMMENT, {"stall": 0.2}, r"no token for 0\.2 s \(timeouts\.stall\) after 1 chunk"),
        ((WORD, WORD), ROLE, {"stall": 0.2}, r"no token for 0\.2 s \(timeouts\.stall\) after 2 chunks"),
        ((), WORD, {"request": 0.3}, r"no complete answer within 0\.3 s \(timeouts\.request\) after \d+ chunks?"),
        ((), COMMENT, {"request": 0.3}, r"no answer within 0\.3 s \(timeouts\.request\)"),
    ],
)
@pytest.mark.parametrize("head", [STREAM, CLOSING])
def test_a_stream_without_content_ends_at_the_deadline_that_is_named(head, parts, then, timeouts, why):
    with scripted(streams(head, *parts, then=then)) as url:
        exchange = ask(url, **timeouts)
    assert exchange.answered == ()
    assert re.fullmatch(why, exchange.unanswered.why)


@pytest.mark.parametrize("head", [STREAM, CLOSING])
def test_slow_content_is_no_stall(head):
    def script(connection, over):
        connection.sendall(head)
        for _ in range(20):  # for longer than a stall in all, each pause being far shorter
            over.wait(0.1)
            connection.sendall(WORD)
        connection.sendall(END)

    with scripted(script) as url:
        exchange = ask(url, stall=1.5)
    assert [answered.reply.text for answered in exchange.answered] == ["word " * 20]


def test_a_stream_that_breaks_off_is_told_with_how_far_it_came():
    with scripted(streams(CHUNKED, b"%x\r\n%b\r\n" % (len(WORD), WORD))) as url:
        exchange = ask(url)
    assert exchange.unanswered == Unanswered(
        position=0,
        why="RemoteProtocolError: peer closed connection without sending complete message body "
        "(incomplete chunked read) after 1 chunk",
    )
    assert list(exchange.texts()) == ["word "]


@pytest.mark.parametrize("fault", [b'data: {"error": {"message": "out of memory"}}\n\n', b"data: <html>\n\n"])
def test_a_fault_in_a_stream_ends_the_trial_without_waiting_for_its_end(fault):
    with scripted(streams(CLOSING, WORD, fault, then=COMMENT)) as url:
        exchange = ask(url, 50)
    (answered,) = exchange.answered
    assert answered.failed
    assert answered.reply.error == {"message": "out of memory"} or answered.reply.broken is not None


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "application/json", b"{}"),
        (200, "text/html", b"<html>"),
        (400, "text/event-stream", b"data: 1\n\n"),
    ],
)
def test_what_is_no_stream_is_read_as_one_body(status, kind, body):
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\n\r\n".encode()
    with scripted(streams(head, body)) as url:
        (answered,) = ask(url).answered
    assert answered.reply == Reply(status, kind, body)
    assert (answered.first_s, answered.failed) == (None, status != 200)


def test_a_stream_larger_than_64_mib_is_not_read_to_its_end():
    with scripted(streams(CLOSING, then=b":" * 2**22)) as url:
        exchange = ask(url)
    assert exchange.unanswered == Unanswered(position=0, why="reply larger than 64 MiB")


def reader_of(connection):
    """The client's end of a connection whose server runs in this process."""
    for entry in OPEN_FILES.iterdir():
        with suppress(OSError):
            found = socket.socket(fileno=os.dup(int(entry.name)))
            if found.family == socket.AF_INET and found.getsockname() == connection.getpeername():
                return found
            found.close()
    raise LookupError


@pytest.mark.skipif(sys.platform != "linux", reason="other systems wake for every part")
@pytest.mark.parametrize(("head", "collected"), [(STREAM, 1), (CLOSING, 4096)])
def test_after_its_first_word_a_stream_wakes_the_client_seldom_if_the_server_closes_it(head, collected):
    found = []

    def script(connection, over):
        with reader_of(connection) as reader:
            connection.sendall(head + WORD)
            while found and (waiting(reader) or (bytes_to_wake(reader) != collected and not over.wait(0.01))):
                pass
            found.append(bytes_to_wake(reader))
        connection.sendall(END + DONE)

    with scripted(script, connections=2) as url:
        client = HttpClient(timeouts=Timeouts(stall=4000))
        for _ in range(2):
            exchange = client.post_all(url, [b"{}"], concurrency=1, streamed=True)
            assert (exchange.unanswered, exchange.overslept) == (None, False)
    assert found == [1, collected]  # the first one shows what the server does


@pytest.mark.skipif(sys.platform != "linux", reason="other systems wake for every part")
def test_a_server_that_stops_closing_is_found_out_by_the_first_answer_that_is_seen_late():
    answers = iter(("closed", "left open", "left open"))
    found = []

    def script(connection, over):
        is_closed = next(answers) == "closed"
        with reader_of(connection) as reader:
            connection.sendall(CLOSING + WORD)
            if not is_closed:
                while waiting(reader) or (not found and bytes_to_wake(reader) == 1 and not over.wait(0.01)):
                    pass
                if found:
                    over.wait(0.2)  # for the client to choose what wakes it next
                found.append(bytes_to_wake(reader))
        connection.sendall(END + DONE)
        while not is_closed and connection.recv(1024):  # until the client has left
            pass

    with scripted(script, connections=3) as url:
        client = HttpClient(timeouts=Timeouts(stall=4))
        exchanges = [client.post_all(url, [b"{}"], concurrency=1, streamed=True) for _ in range(3)]
    assert [exchange.overslept for exchange in exchanges] == [False, True, False]
    assert [exchange.answered[0].reply.text for exchange in exchanges] == ["word "] * 3
    assert found == [4096, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems wake for every part")
def test_a_server_that_says_that_it_closes_and_does_not_wakes_the_client_for_every_part_from_then_on():
    found, left = [], threading.Event()

    def script(connection, over):
        with reader_of(connection) as reader:
            connection.sendall(CLOSING + WORD)
            if left.is_set():
                over.wait(0.2)  # for the client to read it, and to choose what wakes it next
                found.append(bytes_to_wake(reader))
        connection.sendall(END + b"data: [DONE]\n\n")
        while connection.recv(1024):  # until the client has left
            pass
        left.set()

    with scripted(script, connections=2) as url:
        client = HttpClient(timeouts=Timeouts())
        for _ in range(2):
            assert client.post_all(url, [b"{}"], concurrency=1, streamed=True).unanswered is None
            left.wait()
    assert found == [1]


def bytes_to_wake(connection):
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


def waiting(connection):
    return int.from_bytes(fcntl.ioctl(connection, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_server_without_tls_costs_no_loading_of_certificates(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("certificates were loaded")

    monkeypatch.setattr(ssl, "create_default_context", refuse)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    client = HttpClient(timeouts=Timeouts())
    with serving(answer, b"{}", times=1) as url:
        assert client.get(url, timeout_s=30) == Reply(200, "", b"{}")
    with serving(answer, b"{}", times=1) as url:
        exchange = client.post_all(url, [b"{}"], concurrency=1, streamed=False)
    assert [answered.reply for answered in exchange.answered] == [Reply(200, "", b"{}")]


def test_a_server_with_tls_has_to_be_one_that_this_machine_trusts():
    with serving(b"HTTP/1.1 200 OK\r\n\r\n", b"", times=0) as url, pytest.raises(Unreachable, match=r"^ConnectError: "):
        HttpClient(timeouts=Timeouts()).get(url.replace("http:", "https:"), timeout_s=30)
