import os
import threading
import warnings

import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Window
from energygate.meters.counters import Counter, CounterBank, CounterSpec
from energygate.meters.keep_alive import KeepAlive

RANGE_UJ = 262143328850
WINDOW = Window(benchmark="b")


def spec(**changes):
    usual = {
        "domain": "package-0",
        "source": "intel-rapl:0/energy_uj",
        "bound_w": 1000.0,
        "update_interval_s": 0.001,
        "range_uj": RANGE_UJ,
    }
    return CounterSpec(**{**usual, **changes})


class Source:
    """A counter that shows what it is told, or fails."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self):
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if value is None:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, "Cannot read intel-rapl:0/energy_uj.")
        return value


def counter(last_uj, **changes):
    return Counter(spec(**changes), Source(last_uj), at_s=0.0)


def bank(source, clock, **changes):
    return CounterBank([Counter(spec(**changes), source, at_s=clock())], clock=clock, sleep=clock.sleep)


@pytest.mark.parametrize(
    ("range_uj", "modulus_uj"),
    [(262143328850, 262143328911), (65712999613, 65712999628), (65532610987, 65532611002), (None, None)],
)
def test_the_modulus_is_one_step_above_the_largest_value(range_uj, modulus_uj):
    assert spec(range_uj=range_uj).modulus_uj == modulus_uj


def test_a_counter_that_wraps_once_gives_back_the_energy_used():
    wrapped = counter(262143328000)
    wrapped.advance(5000, 1.0)
    assert (wrapped.total_uj, wrapped.faults) == (5911, [])


def test_a_counter_that_is_set_back_is_implausible_and_adds_nothing():
    reset = counter(100_000_000)
    reset.advance(5000, 1.0)
    reset.advance(6000, 2.0)
    assert [(fault.code, fault.sentence) for fault in reset.faults] == [
        (
            InvalidCode.IMPLAUSIBLE,
            (
                "intel-rapl:0/energy_uj rose by 262000 J in 1.00 s, more than 1000 W: it was set back or is broken, so "
                "the energy of package-0 is unknown."
            ),
        )
    ]
    assert reset.total_uj == 1000


def test_a_counter_without_a_range_that_falls_is_a_reset():
    reset = counter(200_000_000, range_uj=None)
    reset.advance(5000, 1.0)
    reset.advance(7000, 2.0)
    assert [(fault.code, fault.sentence) for fault in reset.faults] == [
        (
            InvalidCode.COUNTER_RESET,
            (
                "intel-rapl:0/energy_uj fell by 200 J, and without a known range that is a counter that began again: "
                "the energy of package-0 is unknown."
            ),
        )
    ]
    assert reset.total_uj == 2000


def test_a_counter_above_its_own_range_that_falls_is_a_reset():
    reset = counter(RANGE_UJ + 100_000_000)
    reset.advance(5000, 1.0)
    reset.advance(7000, 2.0)
    assert [(fault.code, fault.sentence) for fault in reset.faults] == [
        (
            InvalidCode.COUNTER_RESET,
            (
                "intel-rapl:0/energy_uj fell by 262000 J, and from above its range that is a counter that began again: "
                "the energy of package-0 is unknown."
            ),
        )
    ]
    assert reset.total_uj == 2000


def test_a_narrow_counter_that_wraps_from_the_top_of_its_range_gives_back_the_energy_used():
    narrow = counter(1_023_999_939, range_uj=1_023_999_939)
    narrow.advance(5000, 1.0)
    assert (narrow.total_uj, narrow.faults) == (5000, [])


def test_a_counter_that_may_have_wrapped_twice_was_not_watched():
    unwatched = counter(0)
    unwatched.advance(50_000_000, 263.0)
    assert [(fault.code, fault.sentence) for fault in unwatched.faults] == [
        (
            InvalidCode.UNWATCHED,
            (
                "intel-rapl:0/energy_uj was not read for 263 s, and at up to 1000 W it may have wrapped more than "
                "once: the energy of package-0 is unknown."
            ),
        )
    ]
    assert unwatched.total_uj == 0


@pytest.mark.parametrize(("step_uj", "faults"), [(1_012_000_000, []), (1_012_000_001, [InvalidCode.IMPLAUSIBLE])])
def test_the_bound_allows_for_two_refreshes_and_the_reading(step_uj, faults):
    fast = counter(0)
    fast.advance(step_uj, 1.0)
    assert [fault.code for fault in fast.faults] == faults


@pytest.mark.parametrize(
    ("range_uj", "bound_w", "every_s"),
    [
        (262143328850, 1000, 10),
        (65712999613, 2000, pytest.approx(8.214124951625)),
        (1_023_999_939, 1000, 0.5),
        (None, 1050, 10),
    ],
)
def test_keep_alive_reads_four_times_before_a_wrap_is_possible(range_uj, bound_w, every_s):
    assert spec(range_uj=range_uj, bound_w=bound_w).keep_alive_s == every_s


def test_the_hastiest_counter_sets_the_pace(clock):
    counters = [counter(0), counter(0, range_uj=20_000_000_000, bound_w=1000.0)]
    assert CounterBank(counters, clock=clock).keep_alive_s == 5.0


def test_a_window_holds_the_energy_between_its_ends(clock):
    one = bank(Source(0, 1_000_000, 51_000_000, 51_200_000), clock)
    start = one.begin(WINDOW)
    clock.sleep(1.0)
    assert one.end(start).energy_j == {"package-0": 50.0}
    assert (start.window, start.at_s, start.totals_uj, start.epochs) == (WINDOW, 100.0, (1_000_000,), (0,))


def test_a_long_window_holds_every_wrap_that_the_keep_alive_saw(clock):
    modulus_uj = spec().modulus_uj

    def at_900_w():
        return int((clock() - 100.0) * 900e6) % modulus_uj

    counters = bank(at_900_w, clock)
    start = counters.begin(WINDOW)
    while clock() < 100.0 + 3600.0:
        clock.sleep(counters.keep_alive_s)
        counters.refresh()
    assert (clock() - 100.0) * 900e6 > 12 * modulus_uj
    assert counters.end(start).energy_j == {"package-0": pytest.approx(900 * 3600, abs=1e-4)}


def test_counters_of_one_domain_are_summed(clock):
    counters = [
        Counter(spec(), Source(0, 0, 50_000_000, 50_200_000), at_s=100.0),
        Counter(spec(), Source(0, 0, 40_000_000, 40_160_000), at_s=100.0),
    ]
    dies = CounterBank(counters, clock=clock, sleep=clock.sleep)
    start = dies.begin(WINDOW)
    clock.sleep(1.0)
    assert dies.end(start).energy_j == {"package-0": 90.0}


class Stalling(Source):
    """A counter at 100 W, after whose reading the reader does not get on for some seconds."""

    def __init__(self, clock, *stalls_s):
        super().__init__(*stalls_s)
        self.clock = clock

    def __call__(self):
        stall_s, energy_uj = super().__call__(), int((self.clock() - 100.0) * 100e6)
        self.clock.sleep(stall_s)
        return energy_uj


def test_each_counter_has_the_time_of_its_own_reading(clock):
    # The second is read 8 s after the first each time: 800 J more than in the 0.1 s between the readings' begins.
    counters = CounterBank(
        [
            Counter(spec(domain=domain, range_uj=None), read, at_s=100.0)
            for domain, read in {"package-0": Stalling(clock, 0.0, 0.0, 8.0), "package-1": Stalling(clock, 0.0)}.items()
        ],
        clock=clock,
    )
    start = counters.begin(WINDOW)
    clock.sleep(0.1)
    assert counters.end(start).energy_j == {
        "package-0": pytest.approx(10.0, abs=1e-5),
        "package-1": pytest.approx(810.0, abs=1e-5),
    }


def test_a_reading_that_may_be_late_by_a_whole_wrap_counts_for_nothing(clock):
    stopped = bank(Stalling(clock, 0.0, 0.0, 300.0, 0.0), clock)
    start = stopped.begin(WINDOW)
    stopped.refresh()
    with pytest.raises(MeasurementInvalid) as invalid:
        stopped.end(start)
    assert str(invalid.value) == (
        "unwatched: intel-rapl:0/energy_uj was not read for 300 s, and at up to 1000 W it may have wrapped more than "
        "once: the energy of package-0 is unknown."
    )


def test_a_late_reading_that_hides_no_wrap_is_a_reading(clock):
    slow = bank(Stalling(clock, 0.0, 0.0, 8.0, 0.0), clock)
    start = slow.begin(WINDOW)
    slow.refresh()
    assert slow.end(start).energy_j == {"package-0": pytest.approx(800.0)}


def test_a_window_of_counters_that_were_closed_or_opened_anew_is_invalid(clock):
    start = bank(Source(0), clock).begin(WINDOW)
    clock.sleep(1.0)
    for other in (CounterBank((), clock=clock), bank(Source(0), clock)):
        with pytest.raises(MeasurementInvalid, match=r"^unwatched: The meter was closed or opened anew inside"):
            other.end(start)


def in_a_fork(work):
    """What `work` answers in a forked process, or the error that it ends with there."""
    receiver, sender = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on: this process has threads
        child = os.fork()
    if not child:
        try:
            answer = str(work())
        except MeasurementInvalid as error:
            answer = str(error)
        finally:
            os.write(sender, answer.encode())
            os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


FORKED = (
    "unwatched: This process was forked from the one that opened the meter, so nothing is read in between here. Open "
    "meters in the process that measures."
)


class Held:
    """A reading that goes on until it is let go."""

    def __init__(self):
        self._running, self._go_on = threading.Event(), threading.Event()

    def __call__(self):
        self._running.set()
        assert self._go_on.wait(60)

    def wait_until_it_runs(self):
        assert self._running.wait(60)

    def let_go(self):
        self._go_on.set()


def test_a_forked_process_has_no_keep_alive_so_its_windows_are_invalid(clock):
    counters = bank(Source(0, 0, 1_000_000), clock)
    start = counters.begin(WINDOW)
    assert in_a_fork(lambda: counters.end(start)) == FORKED
    assert in_a_fork(lambda: counters.end(counters.begin(WINDOW))) == FORKED
    assert counters.end(start).energy_j == {"package-0": 1.0}


def test_a_forked_process_may_open_meters_of_its_own(clock):
    def measured():
        own = bank(Source(0, 0, 1_000_000), clock)
        return own.end(own.begin(WINDOW)).energy_j

    assert in_a_fork(measured) == "{'package-0': 1.0}"


def test_a_fork_in_the_middle_of_a_reading_is_told_too_and_can_close_the_meter(clock):
    held = Held()

    def read_uj():
        if threading.current_thread() is not threading.main_thread():
            held()
        return 0

    counters = bank(read_uj, clock)
    start = counters.begin(WINDOW)
    with KeepAlive(counters.refresh, every_s=0.001, name="rapl") as keep_alive:
        held.wait_until_it_runs()
        assert in_a_fork(lambda: counters.end(start)) == FORKED
        assert in_a_fork(lambda: keep_alive.__exit__(None, None, None)) == "None"
        held.let_go()


@pytest.mark.parametrize("values", [(0, None, 1000, 2000), (0, 0, None), (0, None, None)])
def test_a_window_with_a_failed_reading_at_either_end_is_invalid(clock, values):
    failing = bank(Source(*values), clock)
    start = failing.begin(WINDOW)
    with pytest.raises(MeasurementInvalid, match=r"^read_error: Cannot read intel-rapl:0/energy_uj\.$"):
        failing.end(start)


def test_a_failed_keep_alive_reading_inside_a_window_makes_it_invalid_and_the_next_one_not(clock):
    failing = bank(Source(0, 0, None, 5000, 6000, 9000), clock)
    start = failing.begin(WINDOW)
    failing.refresh()
    with pytest.raises(MeasurementInvalid, match=r"^read_error: "):
        failing.end(start)
    assert failing.end(failing.begin(WINDOW)).energy_j == {"package-0": 0.003}


def test_a_fault_between_two_windows_is_in_neither(clock):
    failing = bank(Source(0, 0, 1000, None, 5000, 7000), clock)
    assert failing.end(failing.begin(WINDOW)).energy_j == {"package-0": 0.001}
    failing.refresh()
    assert failing.end(failing.begin(WINDOW)).energy_j == {"package-0": 0.002}


def test_a_window_tells_its_own_first_fault(clock):
    falling = bank(Source(5000, 4000, 3000, 2_000_000_000, 2_000_000_000), clock, range_uj=None)
    falling.refresh()
    start = falling.begin(WINDOW)
    falling.refresh()
    with pytest.raises(MeasurementInvalid) as invalid:
        falling.end(start)
    assert invalid.value.code is InvalidCode.IMPLAUSIBLE


def test_a_counter_that_did_not_move_in_a_whole_window_is_broken_and_not_zero(clock):
    counters = bank(Source(1000), clock)
    start = counters.begin(WINDOW)
    clock.sleep(1.0)
    with pytest.raises(MeasurementInvalid) as still:
        counters.end(start)
    assert str(still.value).startswith("read_error: ")
    assert "did not change for 1.00 s" in str(still.value)


def test_a_counter_that_stood_still_for_a_part_of_a_window_is_broken_too(clock):
    counters = bank(Source(0, 0, 1_000_000, 1_000_000, 9_000_000), clock)
    start = counters.begin(WINDOW)
    for _ in range(2):
        clock.sleep(10.0)
        counters.refresh()
    with pytest.raises(MeasurementInvalid) as still:
        counters.end(start)
    assert str(still.value) == (
        "read_error: intel-rapl:0/energy_uj did not change for 10.0 s, though it is refreshed every 1.00 ms: the "
        "energy of package-0 is unknown. Update the firmware and the driver, or use another meter (--energy-meters)."
    )
    assert counters.end(counters.begin(WINDOW)).energy_j == {"package-0": 0.0}


def test_a_window_that_is_shorter_than_a_refresh_may_hold_nothing(clock):
    counters = bank(Source(1000), clock)
    start = counters.begin(WINDOW)
    clock.sleep(0.19)
    assert counters.end(start).energy_j == {"package-0": 0.0}


def test_a_counter_that_stood_still_before_a_window_costs_it_nothing(clock):
    counters = bank(Source(0, 0, 5_000_000, 5_020_000), clock)
    clock.sleep(10.0)
    start = counters.begin(WINDOW)
    clock.sleep(1.0)
    assert counters.end(start).energy_j == {"package-0": 5.0}


def test_a_counter_that_has_stopped_when_a_window_ends_makes_it_invalid(clock):
    stopped = bank(Source(0, 0, 25_000_000), clock)
    start = stopped.begin(WINDOW)
    clock.sleep(6.0)
    with pytest.raises(MeasurementInvalid) as invalid:
        stopped.end(start)
    assert str(invalid.value) == (
        "read_error: intel-rapl:0/energy_uj did not change for 0.200 s, though it is refreshed every 1.00 ms: the "
        "energy of package-0 is unknown. Update the firmware and the driver, or use another meter (--energy-meters)."
    )


def test_a_window_too_short_to_tell_whether_a_counter_moves_is_not_held_up(clock):
    short = bank(Source(0, 0, 1_000_000), clock)
    start = short.begin(WINDOW)
    clock.sleep(0.1)
    assert short.end(start).energy_j == {"package-0": 1.0}
    assert clock() == pytest.approx(100.1)
