import pytest
from hypothesis import given
from hypothesis import strategies as st

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.meters.base import Window
from energygate.meters.counters import Counter, CounterBank, CounterSpec

RANGES_UJ = st.sampled_from([262143328850, 65712999613, 65532610987, 1023999939])
FRACTIONS = st.floats(0, 1, exclude_max=True)
BOUND_W = 1000.0


def spec(range_uj):
    return CounterSpec(domain="d", source="s", bound_w=BOUND_W, update_interval_s=0.001, range_uj=range_uj)


class Counting:
    """A wrapping counter and its clock; each step takes as long as it would at half the bound."""

    def __init__(self, range_uj, start_uj):
        self.modulus_uj = spec(range_uj).modulus_uj
        self.raw_uj = start_uj % self.modulus_uj
        self.now_s = 0.0
        self.fails = False

    def step(self, energy_uj):
        self.raw_uj = (self.raw_uj + energy_uj) % self.modulus_uj
        self.now_s += 2 * energy_uj / 1e6 / BOUND_W

    def read_uj(self):
        if self.fails:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, "gone")
        return self.raw_uj


@given(RANGES_UJ, FRACTIONS, st.lists(FRACTIONS.map(lambda x: x / 2), max_size=300))
def test_any_steps_that_are_shorter_than_half_a_wrap_add_up_to_the_energy_used(range_uj, start, steps):
    source = Counting(range_uj, int(start * range_uj))
    counter = Counter(spec(range_uj), source.read_uj, at_s=0.0)
    used_uj = [int(step * source.modulus_uj) for step in steps]
    for energy_uj in used_uj:
        source.step(energy_uj)
        counter.refresh(source.now_s)
    assert (counter.total_uj, counter.faults) == (sum(used_uj), [])


@given(RANGES_UJ, FRACTIONS, FRACTIONS)
def test_a_step_just_short_of_a_wrap_is_the_energy_used(range_uj, start, short):
    modulus_uj = spec(range_uj).modulus_uj
    counter = Counter(spec(range_uj), lambda: int(start * range_uj), at_s=0.0)
    step_uj = modulus_uj - 1 - int(short * 1000)
    counter.advance((counter.last_uj + step_uj) % modulus_uj, spec(range_uj).watch_s)
    assert (counter.total_uj, counter.faults) == (step_uj, [])


@given(st.lists(st.sampled_from(["begin", "end", "good", "bad"]), max_size=60))
def test_exactly_the_windows_that_contain_a_failed_reading_are_invalid(events):
    source = Counting(262143328850, 0)
    bank = CounterBank([Counter(spec(262143328850), source.read_uj, at_s=0.0)], clock=lambda: source.now_s)
    open_windows = []
    for event in [*events, "end"]:
        source.step(1_000_000)
        source.fails = event == "bad"
        if event == "begin":
            open_windows.append([bank.begin(Window()), 0, False])
            continue
        for window in open_windows:
            window[1] += 1
            window[2] |= source.fails
        if event == "end" and open_windows:
            start, _, failed = open_windows[0]
            if failed:
                with pytest.raises(MeasurementInvalid, match=r"^read_error: gone$"):
                    bank.end(start)
            else:
                used_j = bank.end(start).energy_j["d"]
                assert used_j == pytest.approx((source.now_s - start.at_s) * BOUND_W / 2)
            open_windows.clear()
        else:
            bank.refresh()
