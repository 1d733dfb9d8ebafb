import os

import pytest
from fakes_meters import HandClock

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.measure.load import Load, load_between, sample, tree_cpu_s
from energygate.meters.base import Window

HZ = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def proc(tmp_path):
    """Write what four processors did so far, in seconds: `proc(user=3.0)`; `pressure` in seconds, too."""

    def write(*, pressure=None, processors=4, **seconds):
        names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
        ticks = " ".join(str(round(seconds.get(name, 0.0) * HZ)) for name in names)
        each = "".join(f"cpu{i} {ticks}\n" for i in range(processors))
        (tmp_path / "stat").write_text(f"cpu  {ticks}\n{each}intr 12 0 0\nctxt 5\n")
        if pressure is not None:
            (tmp_path / "pressure").mkdir(exist_ok=True)
            some = f"some avg10=0.00 avg60=1.00 avg300=2.00 total={round(pressure * 1e6)}"
            (tmp_path / "pressure/cpu").write_text(f"{some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n")
        return tmp_path

    return write


@pytest.fixture
def load(proc, clock):
    """The load of ten seconds in which the machine did `after` and we used `own_s`."""

    def measure(*, own_s=0.0, seconds=10.0, before=None, **after):
        used = iter([0.0, own_s] if own_s is not None else [None, None])
        first = sample(Window(), proc=proc(**before or {}), clock=clock, own_s=lambda _: next(used))
        clock.work(seconds)
        return load_between(first, sample(Window(), proc=proc(**after), clock=clock, own_s=lambda _: next(used)))

    return measure


def test_foreign_load_is_what_was_busy_and_not_ours_as_a_share_of_all_processors(load):
    found = load(user=6.0, nice=1.0, system=2.0, irq=0.5, softirq=0.5, idle=25.0, iowait=5.0, own_s=6.0)
    assert found.foreign == pytest.approx(4.0 / 40)


def test_time_in_which_guests_ran_is_counted_once(load):
    assert load(user=8.0, guest=8.0).foreign == pytest.approx(8.0 / 40)


def test_what_is_used_before_the_window_is_not_in_it(load):
    before = {"user": 100.0, "steal": 50.0, "pressure": 30.0}
    assert load(before=before, user=102.0, steal=51.0, pressure=31.0) == Load(
        foreign=pytest.approx(2.0 / 40),
        pressure=pytest.approx(1.0 / 10),
        steal=pytest.approx(1.0 / 40),
        tick_error=pytest.approx(1 / HZ / 10),
    )


def test_more_of_our_own_than_the_ticks_show_is_rounding_and_no_load(load):
    assert load(user=1.0, own_s=1.02).foreign == 0.0


def test_where_nobody_knows_which_processes_are_ours_foreign_load_is_unknown_and_the_rest_is_not(load):
    found = load(user=8.0, steal=1.0, own_s=None)
    assert (found.foreign, found.unknown, found.steal) == (None, "", pytest.approx(1.0 / 40))


def test_where_our_own_processes_cannot_be_told_at_one_end_foreign_load_is_unknown_and_says_why(proc, clock):
    fault = MeasurementInvalid(InvalidCode.READ_ERROR, "Processes ended at each of 10 attempts.")

    def at(end):
        def own_s(_):
            if end == "fails":
                raise fault
            return 1.0

        clock.work(1.0)
        return sample(Window(), proc=proc(), clock=clock, own_s=own_s)

    for ends in (("fails", "works"), ("works", "fails"), ("fails", "fails")):
        found = load_between(*map(at, ends))
        assert (found.foreign, found.unknown) == (None, fault.sentence)
    assert load_between(at("works"), at("works")).unknown == ""


def test_what_the_kernel_does_not_say_is_absent_and_not_zero(tmp_path, clock):
    first = sample(Window(), proc=tmp_path, clock=clock, own_s=lambda _: 0.0)
    clock.work(1.0)
    second = sample(Window(), proc=tmp_path, clock=clock, own_s=lambda _: 1.0)
    unknown = "The kernel does not say in /proc/stat how busy the processors are."
    assert load_between(first, second) == Load(unknown=unknown, tick_error=pytest.approx(1 / HZ))
    assert second.load_1min is None


def test_pressure_that_the_kernel_has_switched_off_is_absent(load, tmp_path):
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure/cpu").mkdir()  # reading it fails, as with psi=0
    assert load(user=1.0).pressure is None


def test_a_window_of_no_length_has_no_load(load):
    assert load(seconds=0.0, user=1.0) == Load()


def test_the_load_average_of_the_last_minute_is_read(proc, clock):
    (proc() / "loadavg").write_text("1.25 0.80 0.50 2/345 6789\n")
    assert sample(Window(), proc=proc(), clock=clock, own_s=lambda _: 0.0).load_1min == 1.25


def test_a_large_machine_is_read_whole(proc, clock):
    assert sample(Window(), proc=proc(processors=512), clock=clock, own_s=lambda _: 0.0).processors == 512


def test_our_own_seconds_are_those_of_this_process_and_its_children():
    before_s = tree_cpu_s(Window())
    sum(range(3_000_000))
    assert tree_cpu_s(Window()) > before_s


def test_our_own_seconds_are_unknown_where_nobody_named_the_processes():
    assert tree_cpu_s(Window(unknown_processes=True)) is None


def test_a_process_that_was_named_and_is_gone_is_told():
    with pytest.raises(MeasurementInvalid, match=r"^read_error: Process 4194305, which does part of the work, is gone"):
        tree_cpu_s(Window(pids=(2**22 + 1,)))
