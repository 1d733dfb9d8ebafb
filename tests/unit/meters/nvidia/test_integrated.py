import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Measured, Window
from energygate.meters.nvidia.integrated import PowerSum, Sampler


class Sensor:
    """Watts that a test sets; `fail` makes the next reading one that cannot be taken."""

    def __init__(self):
        self.power_w = 0.0
        self.fail = False

    def read_w(self):
        if self.fail:
            raise MeasurementInvalid(InvalidCode.GPU_LOST, "gpu-0 is lost.")
        return self.power_w

    def sampled(self, power_sum, at_s, power_w):
        self.power_w = power_w
        power_sum.sample(at_s)


@pytest.fixture
def sensor():
    return Sensor()


@pytest.fixture
def power_sum(sensor):
    return PowerSum("gpu-0 (P100)", sensor.read_w)


def test_the_energy_is_the_area_under_the_readings(sensor, power_sum):
    for at_s, power_w in [(10.0, 50.0), (10.1, 150.0), (10.3, 150.0)]:
        sensor.sampled(power_sum, at_s, power_w)
    assert power_sum.total_j == pytest.approx(10.0 + 30.0)
    assert power_sum.faults == []


def test_a_gap_among_the_readings_is_a_fault_and_adds_nothing(sensor, power_sum):
    sensor.sampled(power_sum, 10.0, 100.0)
    sensor.sampled(power_sum, 10.5, 100.0)
    sensor.sampled(power_sum, 11.01, 100.0)
    sensor.sampled(power_sum, 11.11, 100.0)
    assert power_sum.total_j == pytest.approx(50.0 + 10.0)
    (fault,) = power_sum.faults
    assert str(fault) == (
        "read_error: gpu-0 (P100) was not asked for its power for 0.510 s, and more than 0.5 s are no sum: its energy "
        "is unknown."
    )


def test_a_reading_that_fails_is_a_fault_and_what_follows_is_not_added_to_what_was_before(sensor, power_sum):
    sensor.sampled(power_sum, 10.0, 100.0)
    sensor.fail = True
    power_sum.sample(10.1)
    sensor.fail = False
    sensor.sampled(power_sum, 10.2, 100.0)
    assert power_sum.total_j == 0.0
    assert [str(fault) for fault in power_sum.faults] == ["gpu_lost: gpu-0 is lost."]


def test_rest_between_windows_is_no_gap(sensor, power_sum):
    sensor.sampled(power_sum, 10.0, 100.0)
    power_sum.rest()
    sensor.sampled(power_sum, 99.0, 100.0)
    assert (power_sum.total_j, power_sum.faults) == (0.0, [])


@pytest.fixture
def measured(sensor, power_sum, clock):
    """What a window of so many seconds at 100 W tells. Its thread finds none open, so the test takes the readings."""

    def measure(seconds):
        sampler = Sampler(sums={"gpu-0": power_sum}, has_windows=lambda: False, clock=clock)
        sensor.power_w = 100.0
        start = sampler.begin(Window())
        ends_s = clock() + seconds
        while clock() < ends_s:
            clock.sleep(min(0.25, ends_s - clock()))
            power_sum.sample(clock())
        found = sampler.end(start)
        sampler.close()
        return found

    return measure


def test_a_window_of_thirty_seconds_counts(measured):
    assert measured(30.0) == Measured({"gpu-0": pytest.approx(3000.0)})


def test_a_shorter_window_has_its_energy_and_does_not_count(measured):
    found = measured(29.0)
    assert found.energy_j == {"gpu-0": pytest.approx(2900.0)}
    assert str(found.fault) == (
        "too_short: The window was 29.0 s long, and integrated power needs 30 s: a reading is the mean of the last "
        "second, so both ends are blurred. Repeat the work inside the window."
    )
