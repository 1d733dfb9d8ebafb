import pytest
from fakes import NAME, a_benchmark, a_run, some_trials

from energygate.compare import CompareRules, compare
from energygate.gate import decide
from energygate.model import Baseline, Metric, Outcome
from energygate.policy import Anchor, Policy

PINNED, LATER = "1" * 40, "2" * 40
SESSIONS_J = (
    (100.1, 99.8, 100.6, 100.2, 99.9),
    (101.3, 100.9, 101.6, 101.1, 101.8),
    (99.2, 98.9, 99.4, 99.6, 99.1),
    (100.7, 100.3, 100.9, 101.2, 100.5),
)
HEAD_J = (105.2, 104.6, 105.4, 105.9, 104.8)


def measured(energies_j, **more):
    return a_benchmark(trials=some_trials(energies_j), **more)


def anchor_row(head_j=HEAD_J, *, pinned=2, budget=0.10, estimated=None, canary=None, **more):
    commits = [PINNED] * pinned + [LATER] * (4 - pinned)
    canaries = [a_benchmark(name="canary", trials=some_trials(each)) for each in SESSIONS_J]
    runs = [
        a_run(measured(each), own, day=i + 1, commit=commit)
        for i, (each, commit, own) in enumerate(zip(SESSIONS_J, commits, canaries, strict=True))
    ]
    policy = Policy(anchors=(Anchor(name="v1", commit=PINNED, budget=budget),), canary=canary)
    rules = CompareRules(anchors={"v1": PINNED}, canary=canary)
    moved = a_benchmark(name="canary", trials=some_trials([130.0] * 5 if canary else SESSIONS_J[0]))
    head = a_run(measured(head_j, **more), moved, day=29)
    rows = decide(compare(head, Baseline(runs=tuple(runs[::-1])), rules=rules, limits={}), policy, estimated=estimated)
    (row,) = [row for row in rows if row.how == "anchor" and row.benchmark == NAME]
    return row


# Computed independently with R 4.
def test_an_increase_inside_the_creep_budget_passes():
    row = anchor_row()
    assert (row.outcome, row.anchor, row.metric, row.sessions) == (Outcome.PASS, "v1", Metric.ENERGY_J, 2)
    assert row.reason == "+4.4 % since anchor v1 (111111111111), within its budget of 10 %."
    assert (row.ratio_low, row.ratio_high) == pytest.approx((1.0102829346051292, 1.0792381321608238), rel=1e-9)


def test_two_sessions_of_an_anchor_prove_nothing():
    row = anchor_row(budget=0.01)
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            "+4.4 % since anchor v1 (111111111111), neither within its budget of 1 % nor established above it from 2 "
            "of 3 sessions. `energygate ab --base 111111111111` settles it."
        ),
    )


def test_three_sessions_prove_that_increases_added_up():
    row = anchor_row(budget=0.01, pinned=3)
    assert (row.outcome, row.reason) == (
        Outcome.OVER_LIMIT,
        "+4.9 % since anchor v1 (111111111111), above its budget of 1 %.",
    )


def test_an_increase_about_as_large_as_the_creep_budget_is_inconclusive():
    row = anchor_row(budget=0.05, pinned=3)
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            "+4.9 % since anchor v1 (111111111111), neither within its budget of 5 % nor established above it. "
            "`energygate ab --base 111111111111` settles it."
        ),
    )


def test_an_anchor_without_a_stored_run_has_no_baseline():
    row = anchor_row(pinned=0)
    assert (row.outcome, row.head, row.ratio) == (Outcome.NO_BASELINE, None, None)
    assert row.reason.startswith("anchor v1 could not be checked: no run of anchor v1 (111111111111) is stored")


def test_readings_that_may_not_decide_hold_against_no_anchor():
    assert (anchor_row(estimated="a guess.").outcome, anchor_row(estimated="a guess.").reason) == (
        Outcome.INVALID,
        "a guess.",
    )


def test_noise_is_no_creep():
    row = anchor_row(budget=0.01, pinned=3, noisy="others were busy.")
    assert (row.outcome, row.reason) == (Outcome.INCONCLUSIVE, "others were busy.")


def test_a_machine_that_changed_is_no_creep():
    row = anchor_row(budget=0.01, pinned=3, canary="canary")
    row_reason = "differs by +29.5 %: the machine changed. Not judged: measure again, base and head."
    assert (row.outcome, row.reason.partition("touches, ")[2]) == (Outcome.INCONCLUSIVE, row_reason)


def test_an_invalid_head_is_named_before_the_anchor():
    row = anchor_row(invalid="the server did not start.")
    assert (row.outcome, row.reason) == (
        Outcome.INVALID,
        "anchor v1 could not be checked: the server did not start.",
    )
