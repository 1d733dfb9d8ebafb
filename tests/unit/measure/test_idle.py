import math
from dataclasses import replace

import pytest
from fakes import a_benchmark, a_trial
from fakes_meters import ConstantPower, HandClock, ScriptedWatch, ScriptedWorkload, a_session, counter_reset

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise
from energygate.measure.energy import Energy
from energygate.measure.idle import AS_THE_TEST_FOUND_IT, NOTHING_LOADED, idle_window_s, with_idle_drift
from energygate.measure.requirement import TrialSettings
from energygate.measure.watch import Observed
from energygate.meters.base import Domain, Measured
from energygate.model import Idle

SETTINGS = TrialSettings(count=2, warmup=1)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def power_w():
    """What the machine draws; a test changes it on the way."""
    return {"package-0": 12.0, "dram-0": 2.0}


@pytest.fixture
def meter(clock, power_w):
    domains = (Domain(name="package-0", part="cpu"), Domain(name="dram-0", part="dram"))
    return ConstantPower(clock, power_w=power_w, domains=domains)


def idling(clock, meter, idle_s=10.0):
    return replace(a_session(clock, meter), idle_s=idle_s)


def test_idle_power_is_measured_before_the_first_warm_up_and_after_the_last_trial(clock, meter, power_w):
    session = idling(clock, meter)
    for name in ("a", "b"):
        session.measure(ScriptedWorkload(clock, name=name), SETTINGS)
    power_w["package-0"] = 12.5
    session.finish()
    assert session.run().idle == Idle(
        before_w={"package-0": 12.0, "dram-0": 2.0},
        after_w={"package-0": 12.5, "dram-0": 2.0},
        duration_s=10.0,
        state=NOTHING_LOADED,
    )
    assert clock.slept == [10.0, 5.0, 5.0, 10.0]
    assert [window.benchmark for window in meter.windows] == ["", *["a"] * 3, *["b"] * 3, "", "", ""]


def test_no_server_of_a_suite_is_started_before_the_first_window(clock, meter):
    session = idling(clock, meter)
    slept_at_open = []
    workload = ScriptedWorkload(clock, steps={"open": lambda: slept_at_open.append(list(clock.slept))})
    session.measure(workload, SETTINGS)
    assert slept_at_open == [[10.0]]


def test_a_test_is_idle_with_whatever_it_has_loaded(clock, meter):
    session = idling(clock, meter)
    energy = Energy(session, SETTINGS, name="test_it", location=None)
    for trial in energy.trials():
        with trial:
            clock.work(1.0)
    energy.finish()
    session.finish()
    assert session.run().idle.state == AS_THE_TEST_FOUND_IT


def test_it_is_off_unless_it_is_asked_for(clock, meter):
    session = idling(clock, meter, idle_s=0.0)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert (session.run().idle, clock.slept) == (None, [])


def test_a_replay_has_no_idle_window_and_spends_no_line_on_one(clock):
    meter = ConstantPower(clock, name="replay", kind="replay")
    session = idling(clock, meter)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert (session.run().idle, session.run().idle_unknown, clock.slept) == (None, None, [])


def test_an_estimate_has_none_and_that_is_said(clock):
    meter = ConstantPower(clock, name="estimate", kind="estimate")
    session = idling(clock, meter)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert session.run().idle is None
    assert session.run().idle_unknown == (
        "idle power is unknown: read_error: an estimate has no idle power but the one it is given."
    )
    assert clock.slept == []


@pytest.mark.parametrize("window", [0, 4], ids=["before", "after"])
def test_a_fault_in_a_window_leaves_idle_power_unknown_and_says_why(clock, window):
    meter = ConstantPower(clock, faults={window: counter_reset()})
    session = idling(clock, meter)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    run = session.run()
    assert (run.idle, len(run.benchmarks[0].valid), run.benchmarks[0].noisy) == (None, 2, None)
    assert run.notes == (
        "rapl: measures package-0.",
        "idle power is unknown: counter_reset: package-0 went backwards.",
    )


def test_an_interrupted_session_has_no_idle_power(clock, meter):
    def interrupt():
        raise KeyboardInterrupt

    session = idling(clock, meter)
    with pytest.raises(KeyboardInterrupt):
        session.measure(ScriptedWorkload(clock, steps={"run": interrupt}), SETTINGS)
    assert (session.run().idle, session.run().idle_unknown) == (None, None)


def test_a_session_that_measured_nothing_has_no_window_at_its_end(clock, meter):
    session = idling(clock, meter)
    session.finish()
    assert (session.run().idle, clock.slept) == (None, [])


@pytest.mark.parametrize(
    ("domains", "window_s"),
    [
        ([], 5.0),
        ([Domain(name="package-0", part="cpu", update_interval_s=0.001)], 5.0),
        ([Domain(name="gpu-0", part="gpu", update_interval_s=0.1)], 10.0),
        ([Domain(name="package-0", part="cpu", update_interval_s=5.0, shortest_window_s=100.0)], 100.0),
    ],
    ids=["no domain", "a quick counter", "a slow counter", "a scraped one"],
)
def test_a_window_is_as_long_as_the_slowest_domain_needs(domains, window_s):
    assert idle_window_s(tuple(domains), 5.0) == pytest.approx(window_s)


# 5 trials of 100 J in 4 s: 25 W, of which 2 % are 0.5 W.
STEADY = a_benchmark(trials=[a_trial(index=i, energy_j=100.0, duration_s=4.0) for i in range(5)])


def moved(before_w, after_w):
    return Idle(before_w={"package-0": before_w}, after_w={"package-0": after_w}, duration_s=10.0)


@pytest.mark.parametrize(("before_w", "after_w"), [(12.0, 12.5), (12.5, 12.0), (12.0, 12.0)])
def test_a_small_drift_of_idle_power_says_nothing_of_a_benchmark(before_w, after_w):
    assert with_idle_drift(STEADY, moved(before_w, after_w)) == STEADY


@pytest.mark.parametrize(
    ("after_w", "by", "share"),
    [(13.0, "1.00 W (from 12.0 W to 13.0 W", "4 %"), (11.0, "1.00 W (from 12.0 W to 11.0 W", "4 %")],
)
def test_a_large_drift_makes_a_benchmark_noisy_whichever_way_it_went(after_w, by, share):
    assert with_idle_drift(STEADY, moved(12.0, after_w)).noisy == (
        f"idle power moved by {by} in all) while it was measured, {share} of what this benchmark draws: that much of a "
        "change may be the machine's. Stop what else runs there, let it warm up or cool down, and measure again."
    )


def test_domains_that_moved_against_each_other_do_not_make_up_for_each_other():
    swapped = Idle(
        before_w={"package-0": 20.0, "dram-0": 30.0}, after_w={"package-0": 30.0, "dram-0": 20.0}, duration_s=10.0
    )
    assert with_idle_drift(STEADY, swapped).noisy.startswith(
        "idle power moved by 20.0 W (from 50.0 W to 50.0 W in all) while it was measured, 80 % of"
    )


def test_a_session_looks_for_drift_in_each_of_its_benchmarks(clock, meter, power_w):
    session = idling(clock, meter)
    power = {"idle": 12.0, "small": 20.0, "large": 400.0}

    def at(name):
        return {"before": lambda: power_w.update({"package-0": power[name]})}

    for name in ("small", "large"):
        session.measure(ScriptedWorkload(clock, name=name, steps=at(name)), SETTINGS)
    power_w["package-0"] = 14.0
    session.finish()
    small, large = session.run().benchmarks
    assert (small.noisy is None, large.noisy) == (False, None)


def test_idle_power_that_moved_says_nothing_of_benchmarks_where_no_meter_counts_the_machine(clock, power_w):
    gpu = ConstantPower(clock, power_w=power_w, domains=[Domain(name="gpu-0", part="gpu")], name="nvml")
    session = idling(clock, gpu)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    power_w["package-0"] = 20.0
    session.finish()
    run = session.run()
    assert (run.idle.drift_w, run.benchmarks[0].noisy) == (8.0, None)


class Cooling(ConstantPower):
    """Draws `idle_w`, and after work an excess that halves every `half_s`."""

    def __init__(self, clock, *, half_s, **more):
        super().__init__(clock, **more)
        self.half_s = half_s
        self.hot_since_s = math.inf

    def end(self, start):
        self.events.append("end")
        begun_s, ended_s = start.at_s, self._clock.now_s()
        return Measured({"package-0": 12.0 * (ended_s - begun_s) + self._excess_j(ended_s) - self._excess_j(begun_s)})

    def _excess_j(self, at_s):
        tau_s = self.half_s / math.log(2)
        return 6.0 * tau_s * (1 - math.exp(-max(at_s - self.hot_since_s, 0.0) / tau_s))


@pytest.mark.parametrize(
    ("half_s", "waits"),
    [
        (0.1, [5.0] * 3),
        (3.0, [5.0] * 5),
        (15.0, [5.0] * 6),  # still cooling after half a minute: the wait has an end
    ],
)
def test_a_machine_that_work_has_left_hot_cools_down_before_the_second_window(clock, half_s, waits):
    meter = Cooling(clock, half_s=half_s)
    session = idling(clock, meter)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    meter.hot_since_s = clock.now_s()
    session.finish()
    assert clock.slept == [10.0, *waits, 10.0]


@pytest.mark.parametrize(("shortest_s", "slept"), [(15.0, [15.0, 15.0, 15.0, 15.0]), (20.0, [20.0, 30.0, 20.0])])
def test_where_the_meters_can_tell_no_short_window_half_a_minute_passes(clock, shortest_s, slept):
    slow = Domain(name="package-0", part="cpu", shortest_window_s=shortest_s)
    session = idling(clock, ConstantPower(clock, domains=[slow]))
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert clock.slept == slept


def test_a_gpu_that_is_still_throttled_while_it_cools_down_does_not_make_idle_power_unknown(clock):
    throttled = Measured(fault=MeasurementInvalid(InvalidCode.THROTTLED, "gpu-0 was too hot."))
    session = idling(clock, ConstantPower(clock, seen={4: throttled}))
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert session.run().idle.after_w == {"package-0": 50.0}


BUSY = Observed(noise=Noise(kind="foreign", share=0.25, limit=0.10))
CHANGED = Observed(fault=MeasurementInvalid(InvalidCode.GOVERNOR_CHANGED, "turbo: False, now True."))


@pytest.mark.parametrize("window", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (BUSY, "noisy: other processes used 25 % of the machine's CPU time (limit 10 %, noise.foreign)."),
        (CHANGED, "governor_changed: turbo: False, now True."),
    ],
    ids=["noisy", "changed"],
)
def test_idle_power_is_unknown_where_others_used_the_machine_meanwhile(clock, meter, window, seen, why):
    quiet = [Observed()] * (4 if window else 0)  # the first window, a warm-up and two trials
    session = replace(a_session(clock, meter, watch=ScriptedWatch(*quiet, seen)), idle_s=10.0)
    session.measure(ScriptedWorkload(clock), SETTINGS)
    session.finish()
    assert (session.run().idle, session.run().idle_unknown) == (None, f"idle power is unknown: {why}")


def test_what_was_said_of_a_benchmark_before_is_not_replaced_by_drift():
    loud = a_benchmark(trials=STEADY.trials, noisy="foreign load.")
    assert with_idle_drift(loud, moved(12.0, 20.0)).noisy == "foreign load."


def test_a_benchmark_without_valid_trials_draws_nothing_to_compare_drift_with():
    broken = a_benchmark(trials=[a_trial(invalid="read_error: x.")])
    assert with_idle_drift(broken, moved(12.0, 20.0)) == broken
