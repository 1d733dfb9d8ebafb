import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.inference.drain import Drain


class Steps:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def now_s(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def drain(*readings, timeout_s=60.0):
    clock, left = Steps(), list(readings)
    return Drain(lambda: left.pop(0) if len(left) > 1 else left[0], timeout_s=timeout_s, clock=clock), clock


def test_two_idle_readings_a_twentieth_of_a_second_apart_are_needed():
    waiting, clock = drain(True, False, False, True, True, None)
    waiting.wait()
    assert clock.now == pytest.approx(4 * 0.05)


def test_a_server_that_stays_busy_makes_the_trial_invalid_after_its_time():
    waiting, clock = drain(False, timeout_s=2.0)
    with pytest.raises(MeasurementInvalid) as invalid:
        waiting.wait()
    assert str(invalid.value) == (
        "foreign_requests: the server was still busy after 2 s (timeouts.drain). Does anybody else use it, or does it "
        "need longer for a request that was given up?"
    )
    assert clock.now == pytest.approx(2.0)


def test_a_server_that_says_nothing_of_itself_gets_ten_seconds_after_a_failure_once():
    waiting, clock = drain(None)
    waiting.wait()
    assert clock.now == 0
    waiting.note_failure()
    waiting.wait()
    assert clock.now == 10
    waiting.wait()
    assert clock.now == 10


def test_a_failure_before_an_idle_server_costs_no_blind_wait_later():
    waiting, clock = drain(True, True, None)
    waiting.note_failure()
    waiting.wait()
    waiting.wait()
    assert clock.now == pytest.approx(0.05)


def test_a_server_that_cannot_be_asked_ends_the_wait():
    def gone():
        raise MeasurementInvalid(InvalidCode.READ_ERROR, "refused")

    with pytest.raises(MeasurementInvalid, match=r"^read_error: refused$"):
        Drain(gone, timeout_s=60, clock=Steps()).wait()
