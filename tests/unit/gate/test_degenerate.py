"""Whatever was measured has a named outcome: no traceback, and no warning from numpy."""

import math

import pytest
from fakes import NAME, STEADY_J, a_benchmark, a_run, a_trial, some_blocks, some_trials

from energygate.judging import judge, judge_interleaved, screen
from energygate.model import Baseline, Metric, Outcome
from energygate.policy import Anchor, Policy, Rules

POLICY = Policy(
    rules={NAME: Rules(limits=dict.fromkeys(Metric, 100.0))},
    anchors=(Anchor(name="v1", commit="0123456789abcdef0123456789abcdef01234567", budget=0.1),),
    canary=NAME,
)
ODD_J = {
    "no trial": [],
    "one": [100.0],
    "two": [100.0, 101.0],
    "all equal": [100.0] * 10,
    "zeros": [0.0] * 10,
    "one zero": [0.0, *STEADY_J, *STEADY_J],
    "negatives": [-100.0] * 10,
    "NaN": [math.nan] * 10,
    "one NaN": [math.nan, *STEADY_J, *STEADY_J],
    "infinities": [math.inf] * 10,
    "smallest": [5e-324] * 10,
    "largest": [1.7e308] * 10,
    "outlier": [*STEADY_J, 1e5, *STEADY_J],
    "usual": [*STEADY_J, *STEADY_J],
}
COUNTS = {
    "uncounted": {},
    "counted": {"requests": 10, "input_tokens": 100, "output_tokens": 640},
    "no request": {"requests": 0},
    "no answer": {"requests": 10, "output_tokens": 0},
}
SIDES = [
    ("uncounted", "uncounted"),
    ("counted", "counted"),
    ("counted", "uncounted"),
    ("uncounted", "counted"),
    ("no answer", "counted"),
    ("counted", "no request"),
]


def odd(kind, counts="uncounted", *, make=some_trials):
    return a_benchmark(trials=make(ODD_J[kind], **COUNTS[counts]))


def assert_named(report):
    assert report.comparisons
    for row in report.comparisons:
        assert row.outcome in Outcome
        assert row.reason
        numbers = (row.base, row.head, row.ratio, row.ratio_low, row.ratio_high, row.p_value, row.detectable)
        assert not any(number is not None and math.isnan(number) for number in numbers)


@pytest.mark.parametrize(("counts", "other_counts"), SIDES)
@pytest.mark.parametrize("head", ODD_J)
def test_any_head_against_any_stored_sessions(head, counts, other_counts):
    for other in ODD_J:
        runs = tuple(a_run(odd(other, other_counts), day=day) for day in (4, 3, 2, 1))
        assert_named(judge(a_run(odd(head, counts), day=9), Baseline(runs=runs), POLICY))
        screen(a_run(odd(head, counts), day=9), Baseline(runs=runs), POLICY)


@pytest.mark.parametrize(("counts", "other_counts"), SIDES)
@pytest.mark.parametrize("head", ODD_J)
def test_any_head_against_any_base_measured_in_turns(head, counts, other_counts):
    for other in ODD_J:
        base = a_run(odd(other, other_counts, make=some_blocks), day=1)
        report = judge_interleaved(base, a_run(odd(head, counts, make=some_blocks), day=2), POLICY)
        assert_named(report)


def test_a_benchmark_on_one_side_only():
    only_head, only_base = a_benchmark(name="new"), a_benchmark(name="old")
    assert_named(judge(a_run(only_head, day=2), Baseline(runs=(a_run(only_base),)), Policy()))
    assert_named(judge_interleaved(a_run(only_base), a_run(only_head, day=2), Policy()))


def test_a_count_that_half_of_the_trials_lack():
    trials = [*some_trials(STEADY_J, requests=10, output_tokens=64), *(a_trial(index=i) for i in range(5, 10))]
    half, whole = a_benchmark(trials=trials), odd("usual", "counted")
    for head, stored in ((half, whole), (whole, half)):
        assert_named(judge(a_run(head, day=9), Baseline(runs=(a_run(stored),)), POLICY))


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("no trial", Outcome.INVALID, "it measured no trial."),
        ("one", Outcome.INCONCLUSIVE, "1 of 5 valid trials: too few for an interval. Raise trials.count."),
        ("zeros", Outcome.INVALID, "10 of 10 trials are invalid. 0 J is not the energy of any work."),
        ("negatives", Outcome.INVALID, "10 of 10 trials are invalid. -100 J is not the energy of any work."),
        ("NaN", Outcome.INVALID, "10 of 10 trials are invalid. nan J is not the energy of any work."),
        ("infinities", Outcome.INVALID, "10 of 10 trials are invalid. inf J is not the energy of any work."),
        ("outlier", Outcome.PASS, "+0.1 %, within the budget of 5 %."),
    ],
)
def test_the_outcome_says_what_is_wrong(kind, outcome, reason):
    stored = Baseline(runs=tuple(a_run(odd("usual"), day=day) for day in (4, 3, 2, 1)))
    (row,) = judge(a_run(odd(kind), day=9), stored, Policy()).comparisons
    assert (row.outcome, row.reason) == (outcome, reason)


@pytest.mark.parametrize("odd_side", ["base", "head"])
@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("no trial", Outcome.INVALID, "10 of 10 blocks are void. A block needs one trial of either side."),
        ("one", Outcome.INVALID, "9 of 10 blocks are void. A block needs one trial of either side."),
        ("two", Outcome.INVALID, "8 of 10 blocks are void. A block needs one trial of either side."),
        ("zeros", Outcome.INVALID, "10 of 10 blocks are void. 0 J is not the energy of any work."),
        ("negatives", Outcome.INVALID, "10 of 10 blocks are void. -100 J is not the energy of any work."),
        ("NaN", Outcome.INVALID, "10 of 10 blocks are void. nan J is not the energy of any work."),
        ("infinities", Outcome.INVALID, "10 of 10 blocks are void. inf J is not the energy of any work."),
        ("outlier", Outcome.PASS, "{}0.1 %, within the budget of 5 %."),
        ("all equal", Outcome.PASS, "{}0.1 %, within the budget of 5 %."),
    ],
)
def test_the_outcome_of_blocks_says_what_is_wrong(kind, outcome, reason, odd_side):
    this, other = odd(kind, make=some_blocks), odd("usual", make=some_blocks)
    base, head = (this, other) if odd_side == "base" else (other, this)
    (row,) = judge_interleaved(a_run(base, day=1), a_run(head, day=2), Policy()).comparisons
    smaller = "+" if (kind == "outlier") == (odd_side == "head") else "\N{MINUS SIGN}"
    assert (row.outcome, row.reason) == (outcome, reason.format(smaller))
