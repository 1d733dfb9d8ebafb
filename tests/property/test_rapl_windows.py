"""Whatever happens to the counters, a window of RAPL is right or invalid.

Each example is a machine of random layout, counter width and positions, and windows in which power changes, counters
stall, jump, wrap many times, cannot be read, hold no number or are removed. The ledger of what a reader could see
decides what may be said of a window.
"""

from contextlib import ExitStack

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from rig.bench import Bench
from rig.fixtures import make_host
from rig.layouts import COUNTED

LAYOUTS = [layout for layout, counted in COUNTED.items() if counted]
FRACTIONS = st.floats(0, 1, exclude_max=True)
ZONES = st.integers(0, 1) | st.integers(0, 11)  # most trouble meets the same counters again
NO_NUMBERS = [b"", b"\n", b"garbage\n", b"1e9\n", b"12 34\n", b"0x10\n", b"\xff\xfe\n"]
IMPOSSIBLE = [b"-1\n", b"1_000\n", b"262143328851\n", b"99999999999999999999\n"]  # numbers that no counter shows
RUN = st.tuples(st.just("run"), st.sampled_from([0.001, 0.05, 0.3, 1.0]) | st.floats(0.0, 12.0))
POWER = st.tuples(st.just("power"), ZONES, FRACTIONS)
TROUBLE = st.one_of(
    RUN,
    POWER,
    st.tuples(st.sampled_from(["freeze", "thaw", "lose", "heal", "heal", "remove"]), ZONES),
    st.tuples(st.just("garble"), ZONES, st.sampled_from(NO_NUMBERS + IMPOSSIBLE)),
    st.tuples(st.just("jump"), ZONES, FRACTIONS),
    st.tuples(st.just("stop"), st.floats(0.0, 30.0)),
)
WINDOWS = st.lists(st.lists(RUN | POWER, max_size=6) | st.lists(TROUBLE, max_size=6), min_size=1, max_size=4)
POSITIONS = st.lists(FRACTIONS | st.floats(0.999, 1, exclude_max=True), min_size=12, max_size=12, unique=True)
MIDDLE = [(i + 1) / 13 for i in range(12)]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Bare-metal machines by layout: AMD's dies show one counter, Intel's two."""
    made = {}
    for layout in LAYOUTS:
        vendor = "AuthenticAMD" if layout.startswith("amd") else "GenuineIntel"
        made[layout] = make_host(tmp_path_factory.mktemp(layout), vendor=vendor)
    return made


def check(said_j, ledgers, layout):
    """Right, or invalid with a reason."""
    if said_j is None:
        assert any(ledger.may_fail for ledger in ledgers.values())
        return "invalid"
    assert not any(ledger.must_fail for ledger in ledgers.values())
    for domain, keys in COUNTED[layout].items():
        true_j = sum(ledgers[key].true_j for key in keys)
        tolerance_j = sum(ledgers[key].tolerance_j for key in keys)
        assert said_j[domain] == pytest.approx(true_j, rel=1e-9, abs=tolerance_j)
    assert sorted(said_j) == sorted(COUNTED[layout])
    return "right"


@given(st.sampled_from(LAYOUTS), st.sampled_from([32, 32, 26, 25]), POSITIONS, WINDOWS)
@example(
    "one", 32, MIDDLE, [[("run", 1.0), ("garble", 0, b"")], [("run", 1.0), ("heal", 0)]]
)  # blind at a window's start
@example("one", 32, MIDDLE, [[("garble", 0, b""), ("garble", 0, b"99999999999999999999\n"), ("heal", 0)]])
@example("one", 24, MIDDLE, [[("power", 0, 0.999), ("run", 60.0)]])  # wraps 52 times
@example("server2", 32, MIDDLE, [[("run", 20.0), ("freeze", 0), ("run", 40.0)]])  # stands still for two readings
@example("server2", 32, MIDDLE, [[("run", 20.0), ("freeze", 0), ("run", 4.0), ("thaw", 0), ("run", 20.0)]])
@example("gap", 32, MIDDLE, [[("garble", 0, b"-1\n")], [], [("heal", 0)], [("run", 1.0)]])  # a number, and no counter's
@example("clientdram", 32, MIDDLE, [[("remove", 1), ("run", 1.0)], [("run", 1.0)]])
@example("amd", 26, [0.998046875, *MIDDLE[1:]], [[("run", 0.05), ("jump", 0, 0.0)]])  # a reset near the wrap
@settings(deadline=None, max_examples=1000)
def test_a_window_is_right_or_invalid_whatever_happens_to_the_counters(hosts, layout, bits, positions, windows):
    with ExitStack() as stack:
        bench = Bench(layout, bits=bits, positions=positions, host=hosts[layout], stack=stack)
        for events in windows:
            event(check(bench.window(events), bench.ledgers, layout))
