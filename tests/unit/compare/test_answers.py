import pytest
from fakes import a_trial

from energygate.compare.answers import changed_answers, times_of_both
from energygate.model import Times

ARROW = "\N{RIGHTWARDS ARROW}"


def answered(*, finish=None, work="w", text="a", ttft_s=None, **counts):
    told = {"finish": {"stop": 10} if finish is None else finish, "work_digest": work, "output_digest": text}
    times = {} if ttft_s is None else {"ttft_s": {"p50": ttft_s, "p95": ttft_s}}
    counts = {"requests": 10, "input_tokens": 1000, "output_tokens": 500} | counts
    return a_trial(conditions={"inference": told | times}, **counts)


def changes(base, head):
    return list(changed_answers(base, head))


def test_equal_answers_have_nothing_to_tell():
    assert changes([answered()] * 3, [answered()] * 5) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            {"cached_input_tokens": 0},
            {"cached_input_tokens": 900},
            [f"input tokens from the prefix cache per request: 0 {ARROW} 90"],
        ),
        ({"reasoning_tokens": 100}, {"reasoning_tokens": 400}, [f"reasoning tokens per request: 10 {ARROW} 40"]),
        ({"cached_input_tokens": 900}, {"cached_input_tokens": 890}, []),  # which slot serves what is chance
        ({}, {"cached_input_tokens": 900}, []),  # unknown is not 0
    ],
)
def test_cached_and_reasoning_tokens_are_told_with_both_values(before, after, said):
    assert changes([answered(**before)], [answered(**after)]) == said


def test_other_endings_are_told_as_shares():
    assert changes([answered()], [answered(finish={"stop": 5, "length": 5})]) == [
        f"answers ended by: stop 100 % {ARROW} length 50 %, stop 50 %"
    ]


def test_other_texts_are_told_where_counts_are_equal_and_texts_steady():
    base = [answered(), answered()]
    assert changes(base, [answered(text="b")]) == ["the answers' texts differ, at equal token counts"]
    assert changes(base, [answered(text="b", work="v")]) == []
    assert changes([answered(), answered(text="c")], [answered(text="b")]) == []


def test_of_tests_and_of_one_side_alone_there_is_nothing_to_tell():
    assert changes([a_trial()], [a_trial()]) == []
    assert changes([], [answered()]) == []
    assert times_of_both([a_trial()], [a_trial()]) == {}


def test_times_are_medians_over_trials_and_a_base_that_knows_none_has_none():
    head = [answered(ttft_s=ttft_s) for ttft_s in (0.1, 0.2, 0.9)]
    assert times_of_both([answered()], head) == {"ttft_s": Times(head=0.2)}
    assert times_of_both([answered(ttft_s=0.3)], head) == {"ttft_s": Times(base=0.3, head=0.2)}


def test_conditions_that_somebody_else_wrote_are_unknown():
    odd = a_trial(conditions={"inference": {"finish": ["stop"], "ttft_s": "soon"}}, requests=10, output_tokens=500)
    assert changes([answered()], [odd]) == []
    assert times_of_both([answered(ttft_s=0.3)], [odd]) == {}
