import asyncio
import signal

import anyio
import pytest

from energygate.signals import Terminated, interrupted_by_sigterm
from energygate.workloads.inference.interruptible import run


async def interrupted_in_a_task_of_many(number, ended):
    async def work(which):
        try:
            await asyncio.sleep(0)
            if which == 1:
                signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            ended.append(which)

    async with anyio.create_task_group() as group:  # httpx connects in one
        for which in range(3):
            group.start_soon(work, which)


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_an_interrupt_cancels_every_task_and_is_raised_when_the_loop_is_closed(number, kind, capfd, caplog):
    ended = []
    with interrupted_by_sigterm():
        before = signal.getsignal(number)
        with pytest.raises(KeyboardInterrupt) as stop:
            run(interrupted_in_a_task_of_many(number, ended))
        assert signal.getsignal(number) is before
    assert (type(stop.value), stop.value.__cause__, sorted(ended)) == (kind, None, [0, 1, 2])
    assert (caplog.text, capfd.readouterr()) == ("", ("", ""))


def test_an_interrupt_after_the_last_step_is_raised_too():
    async def work():
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(work())


def test_work_that_is_interrupted_before_its_first_step_never_begins(monkeypatch):
    began = []

    def interrupted_at_once():
        signal.raise_signal(signal.SIGINT)
        return asyncio.SelectorEventLoop()

    async def work():
        began.append(True)

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted_at_once)
    with pytest.raises(KeyboardInterrupt):
        run(work())
    assert began == []


def test_a_program_that_handles_a_signal_otherwise_keeps_its_way():
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))

    async def work():
        signal.raise_signal(signal.SIGTERM)
        await asyncio.sleep(0)
        return "done"

    try:
        assert run(work()) == "done"
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
