import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from energygate.workloads.http import HttpClient, Reply, Unanswered, Unreachable
from energygate.workloads.suites import Timeouts


def test_a_host_that_accepts_no_connection_ends_at_the_deadline_for_connecting():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # more than the queue of connections that nobody accepts can hold
            one.setblocking(False)
            one.connect_ex(address)
        client = HttpClient(timeouts=Timeouts(connect=0.2, request=30))
        exchange = client.post_all(f"http://127.0.0.1:{address[1]}/v1", [b"{}"], concurrency=1)
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


def test_an_answer_larger_than_64_mib_is_not_read_to_its_end():
    with serving(b"HTTP/1.1 200 OK\r\n\r\n", b"." * 2**20, times=100_000) as url:
        exchange = HttpClient(timeouts=Timeouts()).post_all(url, [b"{}"], concurrency=1)
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
    why = client.post_all(url, [b"{}"], concurrency=1).unanswered.why
    assert why == "ConnectError: [Errno 111] Connection refused"
    with pytest.raises(Unreachable, match=r"^InvalidURL: Invalid non-printable ASCII character in URL"):
        client.get(f"{url}/a\x7f", timeout_s=30)
