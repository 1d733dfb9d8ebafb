import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.aligning import AligningBank
from energygate.meters.base import Window
from energygate.meters.counters import Counter, CounterSpec

WINDOW = Window(benchmark="b")
GPU = CounterSpec(domain="gpu-0", source="gpu-0", bound_w=1000.0, update_interval_s=0.1)


@pytest.fixture
def aligning(clock):
    """Counters of one source, on a clock that moves when somebody sleeps."""
    return lambda read_uj: AligningBank([Counter(GPU, read_uj, at_s=clock())], clock=clock, sleep=clock.sleep)


def test_both_ends_of_a_window_wait_for_the_counter_to_change(aligning, clock):
    # It is refreshed every 100 ms at 210 W, from 40 ms after the start of the clock.
    stepping = aligning(lambda: int((clock() - 100.04 + 1e-9) // 0.1) * 21_000_000)
    start = stepping.begin(WINDOW)
    clock.sleep(1.03)
    energy_j = stepping.end(start).energy_j
    assert start.at_s == pytest.approx(100.04)
    assert clock() == pytest.approx(101.14)
    assert energy_j == {"gpu-0": 231.0}


def test_a_counter_that_stands_still_is_waited_for_a_second_and_is_a_fault(aligning, clock):
    frozen = aligning(lambda: 7)
    start = frozen.begin(WINDOW)
    assert clock() == pytest.approx(101.0, abs=0.003)
    with pytest.raises(MeasurementInvalid) as invalid:
        frozen.end(start)
    assert str(invalid.value) == (
        "read_error: gpu-0 did not change for 1.00 s, though it is refreshed every 0.100 s: the energy of gpu-0 is "
        "unknown. Update the firmware and the driver, or use another meter (--energy-meters)."
    )


def test_a_failed_reading_ends_the_waiting(aligning, clock):
    readings = iter([0, 0])

    def read_uj():
        for reading in readings:
            return reading
        raise MeasurementInvalid(InvalidCode.READ_ERROR, "Cannot read gpu-0.")

    failing = aligning(read_uj)
    start = failing.begin(WINDOW)
    assert clock() == pytest.approx(100.002)
    with pytest.raises(MeasurementInvalid, match=r"^read_error: Cannot read gpu-0\.$"):
        failing.end(start)
