"""An interrupt that comes while the collector runs finalizers must not be lost."""

import gc
import signal

import pytest
from fakes_meters import ConstantPower, HandClock

from energygate.measure.open_trial import OpenTrial
from energygate.meters.base import Window
from energygate.meters.group import MeterGroup


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
