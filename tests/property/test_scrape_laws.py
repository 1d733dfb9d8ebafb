from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energygate.meters.counters import CounterSpec
from energygate.meters.scraped.scrapes import Rhythm, Samples, Span, used_j

RANGE_UJ = 262_143_328_850
SPEC = CounterSpec(domain="package-0", source="joules{}", bound_w=1000.0, update_interval_s=1.0, range_uj=RANGE_UJ)
RHYTHM = Rhythm(scrape_s=1.0, refresh_s=1.0, resolution_j=1e-6)
QUIET_S = 5.0


@given(
    idle_w=st.integers(1, 200),
    power_w=st.lists(st.integers(200, 900), min_size=1, max_size=60),
    phase_s=st.floats(0, 1),
    offset_uj=st.integers(0, RANGE_UJ),
    prompt=st.booleans(),
)
def test_a_window_has_its_energy_whatever_the_phase_of_the_scrapes_and_where_the_counter_wraps(
    idle_w, power_w, phase_s, offset_uj, prompt
):
    """Constant idle power around a window in which each second has a power of its own."""
    work_j = [0, *accumulate(watts - idle_w for watts in power_w)]

    def true_j(at_s):
        worked_s = min(max(at_s - QUIET_S, 0.0), float(len(power_w)))
        whole = int(worked_s)
        part_j = (worked_s - whole) * (power_w[whole] - idle_w) if whole < len(power_w) else 0.0
        return idle_w * at_s + work_j[whole] + part_j

    end_s = QUIET_S + len(power_w)
    at_s = tuple(phase_s + n for n in range(int(end_s) + 4))
    raw_uj = tuple((offset_uj + round(true_j(t) * 1e6)) % (RANGE_UJ + 61) for t in at_s)
    span = Span(quiet_s=0.0, start_s=QUIET_S, end_s=end_s, now_s=end_s + 4, duration_s=float(len(power_w)))
    found_j = used_j(Samples(at_s, raw_uj), SPEC, span, RHYTHM, prompt=prompt)
    assert found_j == pytest.approx(sum(power_w), abs=1e-4)
