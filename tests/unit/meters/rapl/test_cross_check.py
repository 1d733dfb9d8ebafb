import pytest
from fakes_meters import ConstantPower, HandClock

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.rapl.cross_check import cross_check, shadowed_tests

WAY_OUT = (
    "One of them does not read this machine's counters right. Measure with neither until it is known which; rapl shows "
    "the files that it reads in `energygate doctor`."
)


def compared(rapl_w, pyrapl_w, **more):
    clock = HandClock()
    rapl = ConstantPower(clock, power_w=rapl_w, name="rapl")
    pyrapl = ConstantPower(clock, power_w=pyrapl_w, name="pyrapl", **more)
    found = cross_check(rapl, pyrapl, clock=clock.now_s, sleep=clock.sleep)
    assert clock.slept == [2.0]
    return found


def test_meters_that_agree_are_said_to():
    found = compared({"package-0": 50.0, "dram-0": 6.0}, {"package-0": 50.2, "dram-0": 6.0})
    assert found.ratios == pytest.approx({"package-0": 1.004, "dram-0": 1.0})
    assert found.agrees
    assert found.sentence == "pyrapl agrees with rapl: +0.4 % where they are furthest apart."


class Looking(ConstantPower):
    """It looks at its counters for a while when it has read them, as RAPL's meter does."""

    def end(self, start):
        measured = super().end(start)
        self._clock.sleep(0.1)
        return measured


def test_the_one_that_ends_later_is_not_taken_for_one_that_counts_more():
    clock = HandClock()
    found = cross_check(
        Looking(clock, power_w={"package-0": 50.0}),
        Looking(clock, power_w={"package-0": 50.0}),
        clock=clock.now_s,
        sleep=clock.sleep,
    )
    assert found.ratios == pytest.approx({"package-0": 1.0})


def test_more_than_half_a_percent_apart_is_an_error_that_names_the_domain():
    found = compared({"package-0": 50.0, "dram-0": 6.0}, {"package-0": 50.0, "dram-0": 5.94})
    assert not found.agrees
    assert found.sentence == (
        f"pyrapl does not agree with rapl over the same seconds: dram-0 \N{MINUS SIGN}1.0 %. {WAY_OUT}"
    )


def test_a_domain_that_only_one_has_is_no_agreement():
    found = compared({"package-0": 50.0, "dram-0": 6.0}, {"package-0": 50.0})
    assert not found.agrees
    assert found.sentence == (
        f"pyrapl does not agree with rapl over the same seconds: dram-0 only by one of them. {WAY_OUT}"
    )


def test_no_energy_by_the_first_is_no_agreement():
    found = compared({"package-0": 0.0}, {"package-0": 50.0})
    assert not found.agrees
    assert "package-0 no energy by the first" in found.sentence


def test_a_fault_in_these_seconds_is_no_comparison():
    fault = MeasurementInvalid(InvalidCode.READ_ERROR, "gone.")
    with pytest.raises(MeasurementInvalid, match=r"^read_error: gone\.$"):
        compared({"package-0": 50.0}, {"package-0": 50.0}, faults={0: fault})


def test_without_pyrapl_no_tests_are_shadowed():
    assert shadowed_tests() is None
