import numpy as np
import pytest
from characteristics.peer_rules import (
    PEERS,
    Evidence,
    asv,
    bencher,
    criterion,
    github_action_benchmark,
    joules_ci,
    mann_whitney_p,
    pyperf,
    pytest_benchmark,
)
from scipy import stats

BASE = np.array([99.0, 101.0, 100.0, 98.0, 102.0, 100.0, 99.0, 101.0, 97.0, 103.0])  # mean 100, minimum 97


def evidence(head, *, sessions=None, alternating=((1.0, 1.0),)):
    stored = BASE[np.newaxis] if sessions is None else np.array(sessions)
    return Evidence(sessions=stored, head=np.array(head), alternating=np.array(alternating))


@pytest.mark.parametrize(("factor", "fails"), [(1.049, False), (1.051, True), (0.5, False)])
@pytest.mark.parametrize("field", [np.mean, np.min])
def test_pytest_benchmark_fails_above_its_percentage(field, factor, fails):
    assert pytest_benchmark(evidence(BASE * factor), field=field, percent=5.0) == fails


def test_pytest_benchmark_min_looks_at_the_cheapest_trial_alone():
    head = np.array([97.0, *BASE[1:] * 2])

    assert not pytest_benchmark(evidence(head), field=np.min, percent=5.0)
    assert pytest_benchmark(evidence(head), field=np.mean, percent=5.0)


def test_only_the_last_stored_run_counts():
    sessions = [BASE * 2, BASE]

    assert pytest_benchmark(evidence(BASE * 1.06, sessions=sessions), field=np.mean, percent=5.0)


@pytest.mark.parametrize(("factor", "fails"), [(1.09, False), (1.11, True)])
def test_asv_fails_above_its_factor(factor, fails):
    assert asv(evidence(BASE * factor), factor=1.1) == fails


def test_asv_does_not_fail_what_a_rank_test_cannot_tell_apart():
    four = BASE[:4]

    assert not asv(evidence(four * 2, sessions=[four]), factor=1.1)  # separate, and p is still 2 / 70


@pytest.mark.parametrize(("n", "m"), [(10, 10), (4, 7), (15, 30)])
def test_the_rank_test_is_the_exact_one(n, m):
    rng = np.random.default_rng(3)
    base, head = rng.normal(size=(40, n)), rng.normal(0.7, 1, size=(40, m))

    expected = stats.mannwhitneyu(base, head, axis=-1, method="exact").pvalue

    assert np.allclose(mann_whitney_p(base, head), expected, rtol=1e-9)


def test_pyperf_fails_what_a_two_sided_t_test_finds_slower():
    rng = np.random.default_rng(5)
    base, head = rng.normal(100, 2, size=(200, 10)), rng.normal(101.5, 2, size=(200, 10))

    fails = pyperf(Evidence(sessions=base[:, np.newaxis], head=head, alternating=np.ones((200, 1, 2))))

    slower = head.mean(axis=-1) > base.mean(axis=-1)
    assert fails.any()
    assert np.array_equal(fails, slower & (stats.ttest_ind(base, head, axis=-1).pvalue < 0.05))


@pytest.mark.parametrize(
    ("factor", "fails"),
    [
        pytest.param(1.02, False, id="significant, but not beyond 1 %"),
        pytest.param(1.04, True, id="wholly beyond 1 %"),
        pytest.param(0.9, False, id="better"),
    ],
)
def test_criterion_asks_for_an_interval_beyond_its_noise_threshold(factor, fails):
    assert criterion(evidence(BASE * factor)) == fails


@pytest.mark.parametrize(("factor", "fails"), [(1.99, False), (2.01, True)])
def test_github_action_benchmark_compares_with_its_alert_threshold(factor, fails):
    assert github_action_benchmark(evidence(BASE * factor), percent=200.0) == fails


@pytest.mark.parametrize(("beyond", "fails"), [(-0.01, False), (0.01, True)])
def test_bencher_fails_beyond_a_prediction_interval_of_the_stored_means(beyond, fails):
    sessions = [[98.0] * 2, [100.0] * 2, [102.0] * 2, [100.0] * 2, [100.0] * 2]  # mean 100, sd 1.414

    limit = 100 + stats.t.ppf(0.99, 4) * np.sqrt(2) * np.sqrt(1.2)
    head = [limit + beyond] * 2

    assert bencher(evidence(head, sessions=sessions)) == fails


@pytest.mark.parametrize(
    ("alternating", "fails"),
    [
        pytest.param([[106.0, 100.0], [107.0, 101.0], [106.5, 99.0]], True, id="over budget, ranges apart"),
        pytest.param([[106.0, 100.0], [107.0, 106.0], [106.5, 99.0]], False, id="over budget, ranges touch"),
        pytest.param([[104.0, 100.0], [104.5, 101.0], [104.2, 100.0]], False, id="ranges apart, inside the budget"),
    ],
)
def test_joules_ci_wants_medians_apart_and_ranges_that_do_not_overlap(alternating, fails):
    assert joules_ci(evidence(BASE, alternating=alternating), percent=5.0, runs=3) == fails


def test_a_planted_change_is_the_heads_alone():
    changed = evidence(BASE, alternating=[[100.0, 100.0]]).with_change(0.5)

    assert changed.head.tolist() == (BASE * 1.5).tolist()
    assert changed.sessions.tolist() == [BASE.tolist()]
    assert changed.alternating.tolist() == [[150.0, 100.0]]


def test_every_peer_passes_equal_runs_and_fails_a_tripled_one():
    sessions = np.stack([BASE * factor for factor in (0.99, 1.01, 1.0, 0.995, 1.0)])
    same = evidence(BASE, sessions=sessions, alternating=np.stack([BASE, BASE], axis=-1))

    assert [peer.name for peer in PEERS if peer.fails(same)] == []
    assert [peer.name for peer in PEERS if not peer.fails(same.with_change(2.0))] == []
