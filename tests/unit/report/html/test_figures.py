from fakes import COMMIT, FIRST_DAY, NAME, a_row, an_acceptance
from msgspec import to_builtins

from energygate.model import Evidence, Level, Metric, Outcome, Point, Side, Times, Work
from energygate.report.html.drawing import Part, Session
from energygate.report.html.figures import drawn
from energygate.report.rows import Line

MINUS = "\N{MINUS SIGN}"
RULES = {"budget": 0.05}


def a_side(*points):
    return Side(run_id="run", commit=COMMIT, at=FIRST_DAY, points=points)


def an_evidence(**more):
    return Evidence(**({"benchmark": NAME, "metric": Metric.ENERGY_J} | more))


def test_every_trial_is_there_in_its_order_with_what_was_seen_beside_it():
    hot = Point(
        started_s=3.5,
        duration_s=3.2,
        energy_j={"package-0": 104.0, "gpu-0": 12.0},
        value=116.0,
        temperature_c={"gpu-0": 88.0},
        throttled=("gpu-0: thermal",),
        invalid="throttled: gpu-0 was too hot",
    )
    cool = Point(
        started_s=0.1,
        duration_s=3.2,
        energy_j={"package-0": 100.123456},
        value=100.123456,
        work=Work(output_tokens=1234567),
    )
    found = drawn([Line(row=a_row())], an_evidence(head=a_side(cool, hot)), **RULES)
    assert to_builtins(found.head) == {
        "values": (100.12, 116.0),
        "started_s": (0.1, 3.5),
        "duration_s": (3.2, 3.2),
        "energy_j": {"package-0": (100.1, 104), "gpu-0": (None, 12)},
        "temperature_c": {"gpu-0": (None, 88.0)},
        "work": {"output tokens": (1234567, None)},
        "throttled": {1: "gpu-0: thermal"},
        "invalid": {1: "throttled: gpu-0 was too hot"},
    }
    assert (found.base, found.unit, found.head_value, found.base_value) == (None, "J", 101.0, 100.0)


def test_a_count_that_is_the_same_in_all_trials_stands_there_once_and_an_unknown_one_not_at_all():
    point = Point(started_s=0.0, duration_s=1.0, energy_j={}, work=Work(requests=32))
    assert drawn([Line(row=a_row())], an_evidence(head=a_side(point, point)), **RULES).head.work == {"requests": (32,)}


def test_what_was_measured_in_turns_has_both_sides_with_their_blocks():
    before, after = (
        a_side(Point(started_s=0.0, duration_s=1.0, energy_j={"package-0": energy_j}, value=energy_j, block=1))
        for energy_j in (100.0, 109.0)
    )
    found = drawn([Line(row=a_row())], an_evidence(head=a_side(), turns=(before, after)), **RULES)
    assert (found.base.values, found.base.blocks, found.head.values) == ((100.0,), (1,), (109.0,))


def test_a_stored_session_says_what_began_with_it():
    level = Level(
        run_id="r",
        commit=COMMIT,
        at=FIRST_DAY,
        value=108.0,
        values=(107.0, 109.0),
        change=1.08,
        is_certain=True,
        accepted=(an_acceptance(),),
    )
    doubtful = Level(run_id="s", commit=None, at=FIRST_DAY, value=175.0, is_shifted=True, change=1.62)
    assert drawn([Line(row=a_row())], an_evidence(history=(level, doubtful)), **RULES).sessions == (
        Session(
            value=108.0,
            at="2026-11-01",
            commit="0123456789ab",
            values=(107.0, 109.0),
            change="+8.0 %",
            is_certain=True,
            accepted=("by alice on 2026-11-01: a better model",),
        ),
        Session(value=175.0, at="2026-11-01", is_shifted=True, change="possible: +62.0 %"),
    )


def test_ratios_are_what_decides_with_its_interval_and_then_where_it_comes_from():
    row = a_row(
        metric=Metric.J_PER_REQUEST,
        domains={"package-0": 1.02},
        work={"output_tokens": 1.1},
        times={
            "request_s": Times(base=2.0, head=3.0),
            "output_tokens_per_s": Times(base=10.0, head=9.0),
            "ttft_s": Times(head=1.0),
        },
    )
    limit = a_row(
        metric=Metric.J_PER_REQUEST, outcome=Outcome.PASS, how="limit", ratio=0.5, ratio_low=None, ratio_high=None
    )
    token = a_row(metric=Metric.J_PER_OUTPUT_TOKEN, ratio=0.9, ratio_low=0.8, ratio_high=1.0)
    lines = [Line(row=row, per_token=token), Line(row=limit)]
    assert drawn(lines, an_evidence(metric=Metric.J_PER_REQUEST), **RULES).parts == (
        Part(name="J/request", said=f"+1.0 % (90 % CI {MINUS}1.0 … +3.0)", ratio=1.01, low=0.99, high=1.03),
        Part(name="J/token", said=f"{MINUS}10.0 % (90 % CI {MINUS}20.0 … 0.0)", ratio=0.9, low=0.8, high=1.0),
        Part(name="package-0", said="+2.0 %", ratio=1.02),
        Part(name="output tokens per request", said="+10.0 %", ratio=1.1),
        Part(name="median request", said="+50.0 %", ratio=1.5),
        Part(name="output tokens per second", said=f"{MINUS}10.0 %", ratio=0.9),
        Part(name="J/request (limit)", said=f"{MINUS}50.0 % against the limit", ratio=0.5),
    )


def test_small_values_are_shown_in_thousandths_as_in_the_table():
    found = drawn([Line(row=a_row(base=0.002, head=0.012))], None, **RULES)
    assert (found.unit, found.factor, found.head_value) == ("mJ", 1000.0, 0.012)


def test_without_evidence_ratios_and_typical_values_of_sessions_remain():
    found = drawn([Line(row=a_row(history=(99.0, 100.0)))], None, budget=0.03)
    assert (found.head, found.base, found.budget) == (None, None, 0.03)
    assert found.sessions == (Session(value=99.0), Session(value=100.0))


def test_numbers_that_are_no_measurement_are_called_what_the_tables_call_them():
    assert drawn([Line(row=a_row(estimated=True))], None, **RULES).label == "estimate"
    integrated = a_row(estimated=True, label="integrated power")
    assert drawn([Line(row=integrated)], None, **RULES).label == "integrated power"
