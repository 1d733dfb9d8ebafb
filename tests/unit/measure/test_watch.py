import os

import pytest
from fakes_meters import ConstantPower, HandClock

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise, NoiseLimits
from energygate.measure.machine import Roots
from energygate.measure.watch import MachineWatch, Observed, Unwatched, watch_for
from energygate.meters.base import Domain, Window
from energygate.meters.group import MeterGroup

HZ = os.sysconf("SC_CLK_TCK")
GOVERNOR = "devices/system/cpu/cpufreq/policy0/scaling_governor"
THROTTLED = "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
LIMIT = "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw"


class Bench:
    """A machine of four processors in files. Others keep `busy` processors busy, and time passes with `pass_time`."""

    def __init__(self, folder):
        self.roots = Roots(sysfs=folder / "sys", proc=folder / "proc")
        self.clock = HandClock()
        self.busy = 0.0
        self._used_s = 0.0
        self.show("loadavg", "0.50 0.40 0.30 1/100 1234", root=self.roots.proc)
        self.show("devices/virtual/powercap/intel-rapl/intel-rapl:0/name", "package-0")
        for path, content in ((GOVERNOR, "performance"), (THROTTLED, "3"), (LIMIT, "125000000")):
            self.show(path, content)
        self.pass_time(0.0)

    def show(self, path, content, *, root=None):
        file = (root or self.roots.sysfs) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")

    def pass_time(self, seconds):
        self.clock.work(seconds)
        self._used_s += self.busy * seconds
        ticks = f"{round(self._used_s * HZ)} 0 0 0 0 0 0 0 0 0"
        self.show(
            "stat",
            "\n".join(f"{name} {ticks}" for name in ("cpu ", *(f"cpu{i}" for i in range(4)))),
            root=self.roots.proc,
        )

    def sleep(self, seconds):
        self.clock.slept.append(seconds)
        self.pass_time(seconds)

    def now_s(self):
        return self.clock.now_s()

    def watch(self, limits=None, tell=print):
        return MachineWatch(self.roots, limits=limits or NoiseLimits(), clock=self, own_s=lambda _: 0.0, tell=tell)

    def observe(self, watch, meanwhile=lambda: None):
        end = watch.begin(Window())
        meanwhile()
        self.pass_time(10.0)
        return end()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_quiet_window_is_recorded_and_counts(bench):
    seen = bench.observe(bench.watch())
    assert (seen.fault, seen.noise) == (None, None)
    assert seen.conditions["cpu"].pop("involuntary_switches") >= 0
    assert seen.conditions == {
        "cpu": {
            "foreign": 0.0,
            "pressure": None,
            "steal": 0.0,
            "load_1min": 0.5,
            "throttled": 0,
            "temp_start_c": None,
            "temp_end_c": None,
            "governor": ["performance"],
            "epp": None,
            "turbo": None,
            "power_limits_w": {"package-0": [125, None]},
        }
    }


def test_foreign_load_above_its_limit_is_noise(bench):
    bench.busy = 1.0
    seen = bench.observe(bench.watch())
    assert seen.noise == Noise(kind="foreign", share=0.25, limit=0.10)
    assert (seen.fault, seen.conditions["cpu"]["foreign"]) == (None, 0.25)


def test_processors_that_were_throttled_make_the_window_invalid(bench):
    seen = bench.observe(bench.watch(), meanwhile=lambda: bench.show(THROTTLED, "5"))
    assert str(seen.fault) == (
        "throttled: the processors were slowed down 2 times because they were too hot. Cool the machine, lower its "
        "power limit, or set trials.cooldown."
    )
    assert seen.conditions["cpu"]["throttled"] == 2


def test_throttling_before_a_window_is_not_its_own(bench):
    watch = bench.watch()
    bench.show(THROTTLED, "4")
    assert bench.observe(watch).fault is None


CHANGED = (
    "governor_changed: the processors are set otherwise than when the session began ({}). Keep what changes it "
    "(thermald, power-profiles-daemon, tuned, a laptop's charger) from doing so."
)
TO_POWERSAVE = CHANGED.format("governor: performance \N{RIGHTWARDS ARROW} powersave")


def test_a_governor_that_changes_makes_that_window_and_all_later_ones_invalid(bench):
    watch = bench.watch()
    first = bench.observe(watch, meanwhile=lambda: bench.show(GOVERNOR, "powersave"))
    assert [str(first.fault), str(bench.observe(watch).fault)] == [TO_POWERSAVE, TO_POWERSAVE]


def test_a_governor_that_was_put_back_lets_later_windows_count(bench):
    watch = bench.watch()
    bench.show(GOVERNOR, "powersave")
    during = bench.observe(watch, meanwhile=lambda: bench.show(GOVERNOR, "performance"))
    assert (str(during.fault), bench.observe(watch).fault) == (TO_POWERSAVE, None)


def test_a_power_limit_that_changes_makes_the_window_invalid(bench):
    seen = bench.observe(bench.watch(), meanwhile=lambda: bench.show(LIMIT, "95000000"))
    assert str(seen.fault) == CHANGED.format("power_limits_w.package-0: 125, unknown \N{RIGHTWARDS ARROW} 95, unknown")


def test_a_quiet_machine_is_waited_for_no_longer_than_it_takes_to_see_that(bench):
    assert bench.watch().wait_until_quiet() == ()
    assert bench.clock.slept == [0.5]


def test_a_busy_machine_is_waited_for_until_it_is_quiet(bench):
    bench.busy = 2.0
    ends_s = bench.now_s() + 3.0
    sleep = bench.sleep

    def sleep_and_calm_down(seconds):
        sleep(seconds)
        bench.busy = 2.0 if bench.now_s() < ends_s else 0.0

    bench.sleep = sleep_and_calm_down
    assert bench.watch().wait_until_quiet() == ()
    assert sum(bench.clock.slept) == 3.5


def test_a_machine_that_never_gets_quiet_is_measured_after_half_a_minute_with_a_note(bench):
    bench.busy = 1.0
    watch = bench.watch()
    assert watch.wait_until_quiet() == ("the machine was 25 % busy with other work for 30 s before the first trial",)
    assert sum(bench.clock.slept) == 30.0
    assert watch.wait_until_quiet() == ()
    assert sum(bench.clock.slept) == 30.0


def test_a_wait_that_takes_long_is_told_once_and_a_short_one_is_not(bench):
    heard = []
    bench.busy = 1.0
    bench.watch(tell=heard.append).wait_until_quiet()
    assert heard == ["waiting for a quiet machine, at most 30 s: other work keeps 25 % of it busy"]
    bench.busy = 0.0
    bench.watch(tell=heard.append).wait_until_quiet()
    assert len(heard) == 1


def test_half_of_what_makes_a_trial_noisy_is_not_waited_for(bench):
    bench.busy = 0.16  # 4 % of four processors
    assert bench.watch().wait_until_quiet() == ()
    assert bench.clock.slept == [0.5]


def test_nobody_waits_where_foreign_load_never_is_noise(bench):
    bench.busy = 4.0
    assert bench.watch(NoiseLimits(foreign=1.0)).wait_until_quiet() == ()
    assert bench.clock.slept == []


def test_nobody_waits_where_the_kernel_does_not_tell_the_load(bench):
    (bench.roots.proc / "stat").unlink()
    assert bench.watch().wait_until_quiet() == ()
    assert bench.clock.slept == [0.5]


def unable(_):
    raise MeasurementInvalid(InvalidCode.READ_ERROR, "Processes ended at each of 10 attempts.")


@pytest.mark.parametrize(
    ("own_s", "limits", "unknown"),
    [
        (unable, NoiseLimits(), "Processes ended at each of 10 attempts."),
        (lambda _: None, NoiseLimits(), ""),
        (unable, NoiseLimits.none(), ""),
        (lambda _: 0.0, NoiseLimits(), ""),
    ],
    ids=["cannot be told", "nobody named them", "in no number", "known"],
)
def test_that_foreign_load_is_unknown_is_said_where_it_matters_and_was_not_declared(bench, own_s, limits, unknown):
    watch = MachineWatch(bench.roots, limits=limits, clock=bench, own_s=own_s)
    seen = bench.observe(watch)
    assert (seen.unknown, seen.noise, seen.fault) == (unknown, None, None)


def for_meters(bench, *meters):
    heard = []
    watch = watch_for(
        MeterGroup(meters), roots=bench.roots, limits=NoiseLimits(foreign=0.01), clock=bench, tell=heard.append
    )
    bench.busy = 400.0  # beside it this process, whose own seconds are subtracted, is nothing
    seen, notes = bench.observe(watch), watch.wait_until_quiet()
    assert len(heard) == len(notes)
    return seen, notes


@pytest.mark.parametrize("kind", ["counter", "scraped"])
def test_load_is_noise_where_a_meter_counts_the_whole_machine(bench, kind):
    seen, notes = for_meters(bench, ConstantPower(bench.clock, kind=kind))
    assert (seen.noise.kind, len(notes)) == ("foreign", 1)


@pytest.mark.parametrize(
    ("kind", "part"), [("estimate", "cpu"), ("counter", "gpu"), ("integrated", "gpu"), ("scraped", "gpu")]
)
def test_load_is_recorded_and_is_no_noise_where_no_meter_counts_the_whole_machine(bench, kind, part):
    meter = ConstantPower(bench.clock, kind=kind, domains=[Domain(name="d", part=part)])
    seen, notes = for_meters(bench, meter)
    assert (seen.noise, seen.conditions["cpu"]["foreign"], notes) == (None, 1.0, ())


def test_a_replay_is_not_watched(bench):
    meter = ConstantPower(bench.clock, kind="replay")
    watch = watch_for(MeterGroup([meter]), roots=bench.roots, limits=NoiseLimits(), clock=bench, tell=print)
    assert isinstance(watch, Unwatched)
    assert (watch.begin(Window())(), watch.wait_until_quiet()) == (Observed(), ())
