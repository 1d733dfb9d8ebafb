import asyncio
import select
import socket
import sys

import pytest

from energygate.workloads.inference.wakeups import Wakeups, closes_soon, was_left_open

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems wake for every part")


@pytest.fixture
def ends():
    """Both ends of one TCP connection: the server's, and the reader's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reading = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    with reading, server:
        reading.setblocking(False)
        yield server, reading


def readable(connection):
    return bool(select.select([connection], [], [], 0)[0])


def test_the_reader_sleeps_through_small_parts_until_some_kib_wait(ends):
    async def collected():
        server, reading = ends
        with Wakeups(reading, stall_s=1000) as wakeups:
            server.sendall(b"x" * 200)
            seen = [readable(reading)]
            wakeups.collect()
            seen.append(readable(reading))
            server.sendall(b"x" * 4000)
            return [*seen, readable(reading)]

    assert asyncio.run(collected()) == [True, False, True]


def test_the_end_wakes_the_reader_at_once(ends):
    async def ended():
        server, reading = ends
        with Wakeups(reading, stall_s=1000) as wakeups:
            wakeups.collect()
            server.sendall(b"last")
            before = readable(reading)
            server.close()
            return before, readable(reading)

    assert asyncio.run(ended()) == (False, True)


def test_the_reader_looks_four_times_before_a_stall_at_what_came(ends):
    async def looked():
        server, reading = ends
        with Wakeups(reading, stall_s=0.02) as wakeups:
            parts = []
            for part in (b"one", b"two"):
                wakeups.collect()
                server.sendall(part)
                parts.append(await asyncio.get_running_loop().sock_recv(reading, 100))
            return parts

    assert asyncio.run(looked()) == [b"one", b"two"]


def test_a_connection_that_may_stay_open_wakes_the_reader_for_every_part(ends):
    async def woken():
        server, reading = ends
        with Wakeups(None, stall_s=1000) as wakeups:
            wakeups.collect()
            server.sendall(b"x")
            return readable(reading)

    assert asyncio.run(woken())


def test_a_connection_that_is_lost_is_left_alone(ends):
    async def lost():
        faults = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        _, reading = ends
        with Wakeups(reading, stall_s=0.004) as wakeups:
            wakeups.collect()
            reading.close()
            await asyncio.sleep(0.01)  # until it has looked
            wakeups.collect()
        return faults

    assert asyncio.run(lost()) == []


def test_a_connection_that_its_server_has_closed_and_one_that_it_leaves_open_are_told_apart(ends):
    server, reading = ends
    server.sendall(b"what was not read yet")
    assert not closes_soon(reading)
    server.close()
    assert closes_soon(reading)
    reading.close()
    assert closes_soon(reading)


def test_a_connection_was_left_open_if_it_still_is_long_after_the_last_part(ends):
    server, reading = ends
    server.sendall(b"the last part")
    while not was_left_open(reading):
        pass
    server.sendall(b"one more")
    assert not was_left_open(reading)
    server.close()
    while not closes_soon(reading):
        pass
    assert not was_left_open(reading)
    reading.close()
    assert not was_left_open(reading)
