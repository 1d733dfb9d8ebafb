"""No interrupt gets lost, not even one in a finalizer that the collector runs; and SIGTERM and SIGHUP are some."""

import gc
import signal
import subprocess
import sys
import threading

import pytest
from fakes_meters import ConstantPower, HandClock

from energygate.measure.open_trial import OpenTrial
from energygate.meters.base import Window
from energygate.meters.group import MeterGroup
from energygate.signals import Terminated, interrupted_by_sigterm, interrupts_held_back


class Loud:
    """Garbage in a cycle, whose finalizer runs when the collector does, and sends a signal then."""

    def __init__(self, number):
        self.number = number
        self.itself = self

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.fixture
def no_collection_but_ours():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def a_trial():
    clock = HandClock()
    return OpenTrial(meters=MeterGroup([ConstantPower(clock)]), window=Window(), clock=clock)


def test_ctrl_c_in_a_finalizer_still_interrupts(no_collection_but_ours):
    Loud(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), a_trial():
        pytest.fail("the trial began all the same")


def test_a_handler_of_the_user_s_own_is_called_and_is_there_afterwards(no_collection_but_ours):
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        own = signal.getsignal(signal.SIGTERM)
        Loud(signal.SIGTERM)
        with a_trial():
            assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("number", "name", "status"), [(signal.SIGTERM, "SIGTERM", 143), (signal.SIGHUP, "SIGHUP", 129)]
)
def test_what_ends_a_job_becomes_an_interrupt_and_afterwards_what_it_was(number, name, status):
    assert signal.getsignal(number) is signal.SIG_DFL
    with pytest.raises(Terminated) as stopped, interrupted_by_sigterm():
        signal.raise_signal(number)
    assert (isinstance(stopped.value, KeyboardInterrupt), str(stopped.value)) == (True, name)
    assert (stopped.value.exit_code, signal.getsignal(number)) == (status, signal.SIG_DFL)


def test_sigterm_in_a_finalizer_still_interrupts(no_collection_but_ours):
    Loud(signal.SIGTERM)
    with pytest.raises(Terminated), interrupted_by_sigterm(), a_trial():
        pytest.fail("the trial began all the same")


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "handled"])
def test_a_program_that_ignores_or_handles_sigterm_keeps_its_way(own):
    before = signal.signal(signal.SIGTERM, own)
    try:
        with interrupted_by_sigterm():
            signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_outside_the_main_thread_no_handler_is_touched():
    seen = []

    def work():
        with interrupted_by_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_process_that_the_work_has_forked_ends_as_it_would_without_us():
    code = (
        "import os, signal\n"
        "from energygate.signals import interrupted_by_sigterm\n"
        "with interrupted_by_sigterm():\n"
        "    if not (child := os.fork()):\n"
        "        try:\n"
        "            signal.raise_signal(signal.SIGTERM)\n"
        "        finally:\n"
        "            os._exit(3)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("-15\n", "")


def test_an_interrupt_that_is_held_back_is_told_inside_the_block_and_raised_after_it():
    came = []

    def work():
        with interrupts_held_back() as held:
            came.append(held.came)
            signal.raise_signal(signal.SIGINT)
            came.append(held.came)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert came == [False, True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_block_inside_another_one_leaves_the_delivery_to_that():
    came = []

    def work():
        with interrupts_held_back() as outer:
            with interrupts_held_back():
                signal.raise_signal(signal.SIGINT)
            with interrupts_held_back() as later:
                came.append(later.came)
            came.append(outer.came)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert came == [True, True]


def test_an_interrupt_is_raised_also_where_the_block_fails():
    def work():
        with interrupts_held_back():
            signal.raise_signal(signal.SIGINT)
            raise OSError

    with pytest.raises(KeyboardInterrupt):
        work()


class Interrupted:
    """Setting of handlers into which, once it is armed, an interrupt comes between the first and the others."""

    def __init__(self):
        self.really = signal.signal
        self.armed = False

    def __call__(self, number, handler):
        before = self.really(number, handler)
        if self.armed:
            self.armed = False
            signal.raise_signal(signal.SIGINT)
        return before


def test_signals_keep_their_effect_where_setting_their_handlers_again_is_interrupted(monkeypatch):
    setting, came = Interrupted(), []
    monkeypatch.setattr(signal, "signal", setting)

    def work(*, armed):
        with interrupts_held_back() as held:
            setting.armed = armed
            if not armed:
                signal.raise_signal(signal.SIGTERM)
            came.append(held.came)

    with interrupted_by_sigterm():
        with pytest.raises(KeyboardInterrupt):
            work(armed=True)
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Terminated):
            work(armed=False)
    assert came == [False, True]
