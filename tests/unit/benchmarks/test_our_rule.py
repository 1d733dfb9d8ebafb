import numpy as np
import pytest
from characteristics.our_rule import Looks, Screened, confirm, interleave_all, look_times, two_stages

# docs/statistics.md says when these blocks, base / head in joules, are enough.
BLOCKS = (
    "49.83/55.23 52.38/55.44 51.47/53.86 50.34/53.86 47.92/52.35 47.21/53.45 51.81/52.15 51.25/54.52 47.1/52.19 "
    "50.95/50.5 46.54/50.94 51.52/51.65 51.07/54.9 51.47/50.22 49.34/54.5 51.05/52.8 49.61/52.15 47.93/53.92 "
    "50.83/56.97 50.72/53.4 50.26/53.1 50.38/53.35"
)


@pytest.mark.parametrize(
    ("available", "looks"),
    [
        pytest.param(30, (10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), id="as many as are ever measured"),
        pytest.param(13, (10, 12, 13), id="the last one counts"),
        pytest.param(7, (7,), id="fewer than the first look needs"),
        pytest.param(99, (10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), id="more than are ever measured"),
    ],
)
def test_the_stop_rule_is_asked_after_ten_blocks_then_after_every_second(available, looks):
    assert look_times(available) == looks


@pytest.mark.parametrize(("queued", "blocks"), [(1, 16), (5, 16), (20, 22)])
def test_a_longer_queue_asks_for_more_blocks(queued, blocks):
    base, head = np.array([pair.split("/") for pair in BLOCKS.split()], dtype=float).T
    looks = Looks.at(np.log(head / base)[np.newaxis])

    _, stopped = looks.at_stop(looks.stops(queued))

    assert stopped.tolist() == [blocks]


def test_each_queue_stops_by_its_own_length():
    base, head = np.array([pair.split("/") for pair in BLOCKS.split()], dtype=float).T
    looks = Looks.at(np.tile(np.log(head / base), (2, 20, 1)))
    queued = np.zeros((2, 20), dtype=bool)
    queued[0, 3] = True
    queued[1] = True

    _, blocks = confirm(looks, queued)

    assert blocks[0, 3] == 16
    assert blocks[1].tolist() == [22] * 20


def pull_requests():
    """Four of three benchmarks, whose trials vary by 0.5 %."""
    rng = np.random.default_rng(11)
    screened = Screened.of(rng.normal(0, 0.005, (4, 3, 10)), rng.normal(0, 0.005, (4, 3, 5, 10)))
    return screened, Looks.at(rng.normal(0, 0.005, (4, 3, 30)))


def test_what_does_not_change_passes_without_being_measured_again():
    judged = two_stages(*pull_requests(), 0.0)

    assert judged.outcomes.tolist() == [["pass"] * 3] * 4
    assert not judged.queued.any()


def test_what_changes_is_queued_and_fails_alone():
    judged = two_stages(*pull_requests(), 0.10)

    assert judged.outcomes.tolist() == [["regressed", "pass", "pass"]] * 4
    assert judged.queued.tolist() == [[True, False, False]] * 4
    assert judged.blocks[:, 0].tolist() == [10] * 4


def test_interleaving_everything_needs_no_suspicion():
    _, looks = pull_requests()

    same, changed = interleave_all(looks, (0.0, 0.10))

    assert same.outcomes.tolist() == [["pass"] * 3] * 4
    assert changed.outcomes.tolist() == [["regressed", "pass", "pass"]] * 4
    assert same.queued.all()
