import socket

from energygate.workloads.http import HttpClient, Unanswered
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
