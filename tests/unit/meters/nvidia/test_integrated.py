import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.nvidia.integrated import PowerSum


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
