import pytest
from fakes import a_trial

from energygate.measure.equal_work import other_work


def asking(prefix_cache="any", tolerance=0.02):
    return {"inference": {"equal_work": {"output_tolerance": tolerance, "prefix_cache": prefix_cache}}}


def trials(outputs, *, sent=100, **options):
    return [a_trial(input_tokens=sent, output_tokens=n, conditions=asking(**options)) for n in outputs]


def with_cache(cached, prefix_cache):
    return [a_trial(input_tokens=300, cached_input_tokens=n, conditions=asking(prefix_cache)) for n in cached]


@pytest.mark.parametrize(
    ("outputs", "odd"),
    [
        ([100, 102, 98, 100], set()),
        ([100, 130, 130, 130, 130], {0}),  # the first may be the odd one
        ([1000, 1019, 1029, 1040, 1050, 1060, 1070], {0, 1, 6}),  # each like the one before, and yet a drift
        ([100, 130], {0, 1}),
        ([559], set()),
    ],
)
def test_output_must_lie_near_the_median_of_all_trials(outputs, odd):
    assert set(other_work(trials(outputs))) == odd


def test_of_what_is_left_no_trial_differs_from_its_median():
    outputs = [100, 100, 102, 103, 104, 104, 150]
    left = [n for at, n in enumerate(outputs) if at not in other_work(trials(outputs))]
    assert other_work(trials(left)) == {}
    assert left == [102, 103, 104, 104]


def test_an_odd_output_is_told_with_the_cure():
    assert other_work(trials([384, 384, 559])) == {
        2: "work_differs: 559 output tokens, 384 in the median trial: more than 2 % apart. "
        "Set requests.temperature to 0 or fixed_output to true, or raise requests.output_tolerance."
    }


def test_each_trial_is_as_tolerant_as_its_own_suite():
    assert other_work(trials([100, 100, 120], tolerance=0.2)) == {}


def test_trials_of_several_passes_are_compared_per_pass():
    one = trials([50], tolerance=0.0)
    three = [a_trial(input_tokens=300, output_tokens=150, iterations=3, conditions=asking(tolerance=0.0))]
    assert other_work([*one, *three]) == {}


def test_input_must_be_equal_exactly():
    assert other_work([*trials([50, 50]), *trials([50], sent=101)]) == {
        2: "work_differs: 101 input tokens, 100 in the median trial. The same prompts must be sent: "
        "does the server change them, or did another server answer?"
    }


def test_a_warm_cache_gives_about_as_many_tokens_in_each_trial():
    assert other_work(with_cache([0, 277, 277, 275, 277], "warm")) == {
        0: "work_differs: 0 of 300 input tokens came from the prefix cache, 277 in the median trial. Set "
        "load.concurrency to 1, give the server more room for its cache, or set requests.prefix_cache: any."
    }
    assert other_work(with_cache([0, 277, 277, 275, 277], "any")) == {}


@pytest.mark.parametrize("conditions", [{}, {"inference": {}}, {"inference": 3}, {"inference": {"equal_work": []}}])
def test_trials_that_ask_for_no_equal_work_are_equal(conditions):
    assert other_work([a_trial(output_tokens=n, conditions=conditions) for n in (1, 2)]) == {}


def test_what_does_not_count_is_no_part_of_the_median():
    odd = [a_trial(output_tokens=9, invalid="noisy: why.", conditions=asking()) for _ in range(5)]
    assert other_work([*odd, *trials([100, 100])]) == {}


def test_what_nobody_counts_is_not_compared():
    assert other_work([a_trial(requests=4, conditions=asking("warm")) for _ in range(2)]) == {}
