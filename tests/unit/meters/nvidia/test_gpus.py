import pytest

from energygate.errors import MeterUnavailable
from energygate.meters.nvidia.gpus import measure_update_intervals_s


class Stepping:
    """A counter that changes every `period_s` seconds of the fake clock."""

    def __init__(self, clock, period_s):
        self.clock = clock
        self.period_s = period_s

    def __str__(self):
        return "gpu-0 (H100)"

    def read_uj(self):
        return int((self.clock() + 1e-9) / self.period_s)


def test_update_intervals_are_the_median_gap_between_changes(clock):
    gpus = [Stepping(clock, 0.1), Stepping(clock, 0.02)]
    assert measure_update_intervals_s(gpus, clock=clock, sleep=clock.sleep) == pytest.approx((0.1, 0.02), abs=1e-3)
    assert clock() == pytest.approx(101.1, abs=0.01)


def test_a_slow_counter_is_watched_for_three_seconds(clock):
    gpus = [Stepping(clock, 0.7)]
    assert measure_update_intervals_s(gpus, clock=clock, sleep=clock.sleep) == pytest.approx((0.7,), abs=2e-3)
    assert clock() == pytest.approx(103.0, abs=0.01)


def test_a_counter_that_changes_once_in_three_seconds_has_no_interval(clock):
    with pytest.raises(MeterUnavailable) as refused:
        measure_update_intervals_s([Stepping(clock, 2.9)], clock=clock, sleep=clock.sleep)
    assert str(refused.value) == (
        "The energy counter of gpu-0 (H100) changed 1 times in 3 s. A counter that stands still would show no energy "
        "whatever runs. Update the driver. Or leave GPUs out with --energy-meters=rapl."
    )
