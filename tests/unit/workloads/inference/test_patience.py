import asyncio

from energygate.workloads.inference.patience import Patience
from energygate.workloads.suites import Timeouts

TIMES = Timeouts(first_token=60, stall=30, request=300)


async def made(timeouts=TIMES, *, streamed=True):
    return Patience(timeouts, streamed=streamed), asyncio.get_running_loop().time()


def ends_in_s(patience, made_s):
    return round(patience.timer.when() - made_s)


def test_a_stream_waits_for_its_first_token_and_one_body_for_the_whole_request():
    assert ends_in_s(*asyncio.run(made())) == 60
    assert ends_in_s(*asyncio.run(made(streamed=False))) == 300
    assert ends_in_s(*asyncio.run(made(Timeouts(first_token=60, request=5)))) == 5


def test_a_body_in_place_of_a_stream_has_the_time_of_the_whole_request():
    async def turned():
        async with (patience := Patience(TIMES, streamed=True)).timer:
            made_s = asyncio.get_running_loop().time()
            patience.whole()
            return ends_in_s(patience, made_s)

    assert asyncio.run(turned()) == 300


def test_each_content_moves_the_deadline_but_never_beyond_the_requests():
    async def moved(timeouts):
        async with (patience := Patience(timeouts, streamed=True)).timer:
            made_s = asyncio.get_running_loop().time()
            patience.more(1)
            first_s = patience.first_s
            patience.more(2)
            assert patience.first_s == first_s
            assert patience.events == 3
            return ends_in_s(patience, made_s)

    assert asyncio.run(moved(TIMES)) == 30
    assert asyncio.run(moved(Timeouts(first_token=60, stall=500, request=300))) == 300
