import numpy as np
from characteristics.simulation import PullRequests, Setting, balanced_orders, session_effects, simulate, skewed


def rng():
    return np.random.default_rng(7)


def setting(**changes):
    return Setting(**{"noise": "plain", "benchmarks": 2, "sd": 0.02, "session_sd": 0.01} | changes)


def test_the_same_seed_draws_the_same_pull_requests():
    once, again = (simulate(setting(noise="hard"), 3, rng()) for _ in range(2))

    assert np.array_equal(once.sessions, again.sessions)
    assert np.array_equal(once.head, again.head)
    assert np.array_equal(once.differences, again.differences)


def test_a_pull_request_has_five_sessions_and_a_head_of_ten_trials_and_thirty_blocks():
    drawn = simulate(setting(benchmarks=4), 3, rng())

    assert drawn.sessions.shape == (3, 4, 5, 10)
    assert drawn.head.shape == (3, 4, 10)
    assert drawn.differences.shape == (3, 4, 30)


def test_noise_is_skewed_to_the_dear_side_with_mean_zero_and_variance_one():
    values = skewed((200_000,), rng())

    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1) < 0.05
    assert np.mean(values**3) > 1


def test_half_the_variance_of_a_session_is_common_to_all_benchmarks():
    effects = session_effects(setting(session_sd=0.02, sessions=1), 100_000, rng())[..., 0]

    covariance = np.cov(effects, rowvar=False)

    assert np.allclose(covariance, 0.02**2 * np.array([[1, 0.5], [0.5, 1]]), atol=5e-6)


def test_in_every_ten_blocks_the_head_runs_first_in_five():
    orders = balanced_orders((50, 30), rng())

    assert np.array_equal(orders.reshape(50, 3, 10).sum(axis=-1), np.full((50, 3), 5))
    assert not np.array_equal(orders[0], orders[1])


def test_a_difference_is_head_less_base_whichever_ran_first():
    pairs = np.array([[[[1.0, 3.0], [1.0, 3.0]]]])
    drawn = PullRequests(
        sessions=np.zeros((1, 1, 1, 1)),
        head=np.zeros((1, 1, 1)),
        pairs=pairs,
        head_first=np.array([[[True, False]]]),
    )

    assert drawn.differences.tolist() == [[[-2.0, 2.0]]]


def test_hard_noise_warms_up_and_plain_noise_does_not():
    first_less_last = {}
    for noise in ("plain", "hard"):
        head = simulate(setting(noise=noise, benchmarks=1, session_sd=0.0), 20_000, rng()).head
        first_less_last[noise] = float(np.median(head[..., 0] - head[..., -1])) / 0.02

    assert abs(first_less_last["plain"]) < 0.05
    assert first_less_last["hard"] < -0.5
