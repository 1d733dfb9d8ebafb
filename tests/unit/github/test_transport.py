"""No answer takes for ever: each read from a connection obeys the deadline of the whole request."""

import itertools
import socket

import pytest
from fakes_github_http import Answer, Loopback
from requests import Session
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ReadTimeout

from energygate.github.transport import Deadline, DeadlineAdapter, TimedResponse

LONG = Answer(200, raw=b" " * 100_000)  # more than one read gives
LATE = "no whole answer within 20 s"


@pytest.fixture
def server():
    made = Loopback(lambda request: LONG)
    try:
        yield made
    finally:
        made.close()


def by_steps_of(seconds):
    """A deadline whose clock goes on at each look; one look is taken when the request begins, and one before a read."""
    steps = itertools.count(0, seconds)
    return Deadline(now_s=lambda: next(steps))


def ask(url, deadline, **options):
    with Session() as session:
        session.mount("http://", DeadlineAdapter(deadline))
        deadline.begin()
        return session.get(url, timeout=5, **options)


def test_an_answer_that_comes_in_time_is_read_whole(server):
    assert ask(server.url, Deadline(now_s=lambda: 1000.0)).content == LONG.raw


@pytest.mark.parametrize(("step_s", "error"), [(20, ReadTimeout), (12, NoConnection)])
def test_an_answer_that_is_not_whole_at_the_deadline_is_left_in_its_headers_as_in_its_body(server, step_s, error):
    with pytest.raises(error) as late:
        ask(server.url, by_steps_of(step_s))

    assert LATE in str(late.value.__context__.__cause__ or late.value.__context__.__context__)


def test_what_comes_by_a_proxy_has_the_deadline_too(server):
    proxies = {"http": server.url}
    assert ask("http://api.github.test/", Deadline(now_s=lambda: 0.0), proxies=proxies).content == LONG.raw

    with pytest.raises(NoConnection):
        ask("http://api.github.test/", by_steps_of(12), proxies=proxies)


@pytest.mark.parametrize(("gone_s", "said"), [(20, LATE), (19, "timed out")])
def test_silence_at_the_deadline_is_told_from_silence_before_it(gone_s, said):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0.001)
        clock = iter([0.0, 0.0, float(gone_s)])
        deadline = Deadline(now_s=lambda: next(clock))
        deadline.begin()

        with TimedResponse(ours, method="GET", deadline=deadline) as response, pytest.raises(TimeoutError, match=said):
            response.begin()


@pytest.mark.parametrize(("gone_s", "waited_s"), [(0, 7), (13, 7), (15, 5)])
def test_a_read_waits_for_as_long_as_silence_may_last_or_as_is_left(gone_s, waited_s):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(7)
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        clock = iter([1000.0, 1000.0 + gone_s])
        deadline = Deadline(now_s=lambda: next(clock))
        deadline.begin()

        with TimedResponse(ours, method="GET", deadline=deadline) as response:
            response.begin()

        assert (response.status, ours.gettimeout()) == (204, waited_s)
