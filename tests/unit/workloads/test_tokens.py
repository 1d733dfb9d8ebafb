from types import SimpleNamespace

import pytest

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work
from energygate.workloads.tokens import total_work, work_from_usage

SHAPES = [
    (
        {"completion_tokens": 15, "prompt_tokens": 34, "prompt_tokens_details": {"cached_tokens": 33}},
        Work(input_tokens=34, output_tokens=15, cached_input_tokens=33),
    ),
    (
        {"prompt_tokens": 9, "completion_tokens": 400, "completion_tokens_details": {"reasoning_tokens": 384}},
        Work(input_tokens=9, output_tokens=400, reasoning_tokens=384),
    ),
    (
        {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None, "completion_tokens_details": {}},
        Work(input_tokens=9, output_tokens=4),
    ),
    (
        {"input_tokens": 8, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}},
        Work(input_tokens=8, output_tokens=3, cached_input_tokens=2),
    ),
    (
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 90,
            "cache_creation_input_tokens": 0,
            "output_tokens": 5,
        },
        Work(input_tokens=100, output_tokens=5, cached_input_tokens=90),
    ),
    (
        {"input_tokens": 10, "cache_read_input_tokens": None, "cache_creation_input_tokens": 7, "output_tokens": 5},
        Work(input_tokens=17, output_tokens=5),
    ),
    ({"prompt_eval_count": 26, "eval_count": 259}, Work(input_tokens=26, output_tokens=259)),
    ({"prompt_tokens": 2**53, "completion_tokens": 1}, Work(input_tokens=2**53, output_tokens=1)),
    ({"eval_count": 259}, Work(input_tokens=0, output_tokens=259)),
]


def as_object(value):
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(part) for name, part in value.items()})
    return value


@pytest.mark.parametrize(("usage", "work"), SHAPES)
def test_every_known_shape_is_counted_as_a_mapping_and_as_an_object(usage, work):
    assert work_from_usage(usage) == work
    assert work_from_usage(as_object(usage)) == work


@pytest.mark.parametrize(
    ("usage", "sentence"),
    [
        (None, "the answer has no usage, so its tokens are unknown"),
        ({}, "usage.input_tokens is missing, so the tokens of an answer are unknown"),
        ({"prompt_tokens": 5}, "usage.completion_tokens is missing, so the tokens of an answer are unknown"),
        (
            {"prompt_tokens": 5, "completion_tokens": -1},
            "usage.completion_tokens is -1, not a count of tokens from 0",
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": True},
            "usage.completion_tokens is True, not a count of tokens from 0",
        ),
        (
            {"prompt_tokens": 5.5, "completion_tokens": 1},
            "usage.prompt_tokens is 5.5, not a count of tokens from 0",
        ),
        (
            {"prompt_tokens": "a secret", "completion_tokens": 1},
            "usage.prompt_tokens is a str, not a count of tokens from 0",
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -2}},
            "usage.prompt_tokens_details.cached_tokens is -2, not a count of tokens from 0",
        ),
        (
            {"prompt_tokens": 2**53 + 1, "completion_tokens": 1},
            "inconsistent usage: usage.prompt_tokens is more than 2**53 tokens",
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}},
            "inconsistent usage: 6 cached_input_tokens of 5 input_tokens, so neither is believed",
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
            "inconsistent usage: 2 reasoning_tokens of 1 output_tokens, so neither is believed",
        ),
    ],
)
def test_a_usage_that_cannot_be_counted_is_invalid_and_names_the_field(usage, sentence):
    with pytest.raises(MeasurementInvalid) as invalid:
        work_from_usage(usage)
    assert (invalid.value.code, invalid.value.sentence) == (InvalidCode.WORK_FAILED, sentence)


def test_counts_that_add_up_to_more_than_2_53_are_invalid():
    caches = {"cache_read_input_tokens": 2**53, "cache_creation_input_tokens": 2**53}
    for add_up in (
        lambda: total_work([Work(requests=1, output_tokens=2**52)] * 3),
        lambda: work_from_usage({"input_tokens": 1, "output_tokens": 1, **caches}),
    ):
        with pytest.raises(
            MeasurementInvalid, match=r"^work_failed: inconsistent usage: more than 2\*\*53 \w+_tokens,"
        ):
            add_up()


def test_a_count_that_one_answer_lacks_is_unknown_for_all():
    parts = [
        Work(requests=1, input_tokens=3, output_tokens=2, cached_input_tokens=1),
        Work(requests=1, input_tokens=4, output_tokens=5),
    ]
    assert total_work(parts) == Work(requests=2, input_tokens=7, output_tokens=7)
