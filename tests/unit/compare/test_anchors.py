import math

import pytest
from fakes import NAME, STEADY_J, a_benchmark, a_run, an_acceptance, some_trials

from energygate.compare import AnchorCheck, CompareRules, Obstacle, compare
from energygate.model import Baseline, Outcome

PINNED, LATER = "1" * 40, "2" * 40
A, B, C, D = (
    (100.1, 99.8, 100.6, 100.2, 99.9),
    (101.3, 100.9, 101.6, 101.1, 101.8),
    (99.2, 98.9, 99.4, 99.6, 99.1),
    (100.7, 100.3, 100.9, 101.2, 100.5),
)
HEAD_J = (105.2, 104.6, 105.4, 105.9, 104.8)


def measured(energies_j, **more):
    return a_benchmark(trials=some_trials(energies_j), **more)


def sessions(*energies_j, commit, first_day=1):
    return [a_run(measured(each), day=first_day + i, commit=commit) for i, each in enumerate(energies_j)]


def compared(head, runs, *, anchors=None, **window):
    newest_first = tuple(sorted(runs, key=lambda run: run.started_at, reverse=True))
    anchors = {"v1": PINNED} if anchors is None else anchors
    (found,) = compare(
        a_run(head, day=29), Baseline(runs=newest_first), rules=CompareRules(anchors=anchors, **window), limits={}
    )
    return found


def anchor(head, runs, **more):
    (check,) = compared(head, runs, **more).anchors
    return check


# Computed independently with R 4.
def test_an_anchor_is_compared_with_its_own_sessions():
    runs = [*sessions(A, B, commit=PINNED), *sessions(C, D, commit=LATER, first_day=3)]
    check = anchor(measured(HEAD_J), runs, sessions=2)
    assert (check.name, check.commit, check.sessions, check.obstacle) == ("v1", PINNED, 2, None)
    estimate = check.change.estimate
    assert (estimate.log_ratio, estimate.se, estimate.df) == pytest.approx(
        (0.04324289195610653, 0.015485384443323633, 4), rel=1e-10
    )
    assert (check.change.head, check.change.base) == pytest.approx((105.1794, 100.7284), rel=1e-4)


def test_an_accepted_increase_moves_the_window_and_not_the_anchor():
    accepting = a_run(measured(HEAD_J), day=5, commit=LATER, accepts=(an_acceptance(),))
    found = compared(measured(HEAD_J), [*sessions(A, B, C, D, commit=PINNED), accepting])
    assert (found.sessions, found.primary.estimate.log_ratio) == (1, pytest.approx(0, abs=1e-12))
    (check,) = found.anchors
    assert (check.sessions, math.exp(check.change.estimate.log_ratio)) == (4, pytest.approx(1.048, abs=1e-3))


def test_an_anchor_that_no_run_is_stored_of_has_no_baseline():
    assert anchor(measured(STEADY_J), sessions(A, commit=LATER)) == AnchorCheck(
        name="v1",
        commit=PINNED,
        obstacle=Obstacle(
            outcome=Outcome.NO_BASELINE,
            reason=(
                "no run of anchor v1 (111111111111) is stored for this machine. Record one of that commit, or move "
                "the anchor to a commit that has one."
            ),
        ),
    )


def test_a_benchmark_that_is_younger_than_the_anchor_is_noted():
    older = a_run(a_benchmark(name="other"), commit=PINNED)
    found = compared(measured(STEADY_J), [older, *sessions(A, commit=LATER, first_day=2)])
    assert found.anchors == ()
    assert found.notes == ("anchor v1 (111111111111) has no run of it: it was added since",)


def test_an_anchor_whose_work_was_another_cannot_be_compared():
    older = a_run(measured(A, workload="b" * 64), commit=PINNED)
    check = anchor(measured(STEADY_J), [older, *sessions(A, commit=LATER, first_day=2)])
    assert (check.obstacle.outcome, check.change) == (Outcome.INCOMPARABLE, None)


def test_an_anchor_that_was_noisy_is_no_session():
    older = a_run(measured(A, noisy="others were busy."), commit=PINNED)
    check = anchor(measured(STEADY_J), [older, *sessions(A, commit=LATER, first_day=2)])
    assert check.obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason="it was noisy in every stored run. In the newest, others were busy. Record quiet ones.",
    )


@pytest.mark.parametrize(
    ("head", "outcome"),
    [
        (a_benchmark(trials=some_trials(STEADY_J[:4])), Outcome.INCONCLUSIVE),
        (a_benchmark(trials=(), invalid="the server did not start."), Outcome.INVALID),
    ],
)
def test_a_head_that_cannot_be_judged_cannot_be_held_against_an_anchor(head, outcome):
    check = anchor(head, sessions(A, B, C, commit=PINNED))
    assert (check.obstacle.outcome, check.change) == (outcome, None)


def test_every_anchor_is_checked():
    runs = [*sessions(A, B, commit=PINNED), *sessions(C, D, commit=LATER, first_day=3)]
    found = compared(measured(STEADY_J), runs, anchors={"v1": PINNED, "v2": LATER})
    assert [(check.name, check.sessions) for check in found.anchors] == [("v1", 2), ("v2", 2)]
    assert found.benchmark.name == NAME
