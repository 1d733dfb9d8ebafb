import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.group import MeterGroup
from energygate.meters.suspension import Suspension

WINDOW = Window(benchmark="b")
GPU_BUSY = MeasurementInvalid(InvalidCode.FOREIGN_GPU, "gpu-0 is shared.")
LOST = MeasurementInvalid(InvalidCode.IMPLAUSIBLE, "package-0 rose by 262000 J.")
SLEPT = "suspended: the machine was suspended for 30.0 s while it was measured."


class Laptop:
    """Both clocks of a machine that may sleep; reading one takes `reading_s`."""

    def __init__(self, reading_s=0.0):
        self.awake_s = 1000.0
        self.asleep_s = 250.0
        self.reading_s = reading_s

    def monotonic_s(self):
        self.awake_s += self.reading_s
        return self.awake_s

    def boottime_s(self):
        return self.monotonic_s() + self.asleep_s

    def suspension(self):
        return Suspension(monotonic_s=self.monotonic_s, boottime_s=self.boottime_s)


class Scripted:
    """A meter of one domain that says what it is told."""

    constants = {}  # noqa: RUF012  never changed
    domains = (Domain(name="package-0", part="cpu"),)
    name = "rapl"

    def __init__(self, *, kind="counter", measured=None, fault=None):
        self.kind = kind
        self.measured = measured or Measured({"package-0": 7.0})
        self.fault = fault

    def begin(self, window):
        return Reading(window, 1.0)

    def end(self, start):
        if self.fault:
            raise self.fault
        return self.measured


def window_with_sleep(meter, asleep_s):
    laptop = Laptop()
    group = MeterGroup([meter], suspension=laptop.suspension())
    starts = group.begin(WINDOW)
    laptop.awake_s += 5.0
    laptop.asleep_s += asleep_s
    return group.end(starts)


def test_a_window_in_which_the_machine_slept_keeps_its_energy_and_does_not_count():
    measured = window_with_sleep(Scripted(), 30.0)
    assert (measured.energy_j, str(measured.fault)) == ({"package-0": 7.0}, SLEPT)


@pytest.mark.parametrize("asleep_s", [0.0, 0.09])
def test_a_window_without_sleep_is_left_as_the_meter_gives_it(asleep_s):
    measured = Measured({"package-0": 7.0}, fault=GPU_BUSY, notes=("one",))
    assert window_with_sleep(Scripted(measured=measured), asleep_s) is measured


def test_sleep_is_named_before_what_it_did_to_a_counter():
    with pytest.raises(MeasurementInvalid) as invalid:
        window_with_sleep(Scripted(fault=LOST), 30.0)
    assert str(invalid.value) == SLEPT


def test_without_sleep_a_counters_fault_stays_what_it_is():
    with pytest.raises(MeasurementInvalid) as invalid:
        window_with_sleep(Scripted(fault=LOST), 0.0)
    assert invalid.value is LOST


def test_a_replay_may_be_played_on_a_machine_that_sleeps():
    assert window_with_sleep(Scripted(kind="replay"), 30.0).fault is None


def test_time_that_passes_between_the_two_clocks_does_not_look_like_sleep():
    suspension = Laptop(reading_s=20.0).suspension()
    assert suspension.fault(suspension.begin()) is None


def test_this_machines_clocks_are_compared():
    suspension = Suspension()
    slept_s = suspension.begin()
    assert slept_s >= 0.0  # since boot
    assert suspension.fault(slept_s) is None
    assert str(suspension.fault(slept_s - 3600)).startswith("suspended: the machine was suspended for 36")
