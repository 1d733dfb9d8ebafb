from types import SimpleNamespace

import pytest

from energygate.errors import MeasurementInvalid
from energygate.model import Work
from energygate.workloads.returned import work_of

USAGE = {"prompt_tokens": 34, "completion_tokens": 15, "prompt_tokens_details": {"cached_tokens": 33}}
CANARY = "the canary of a prompt"


@pytest.mark.parametrize(
    ("results", "calls", "work"),
    [
        ([], 3, Work()),
        ([{"requests": 2, "output_tokens": 9}] * 3, 3, Work(requests=6, output_tokens=27)),
        ([{"requests": 2, "cached_input_tokens": 0}], 1, Work(requests=2, cached_input_tokens=0)),
        ([{"requests": 2, "output_tokens": 9}, {"requests": 2}], 2, Work(requests=4)),
        (
            [[USAGE, SimpleNamespace(**USAGE)]] * 2,
            2,
            Work(requests=4, input_tokens=136, output_tokens=60, cached_input_tokens=132),
        ),
        ([({"input_tokens": 3, "output_tokens": 2},)], 1, Work(requests=1, input_tokens=3, output_tokens=2)),
        ([{}], 1, Work()),
    ],
)
def test_counts_and_usages_of_all_calls_are_added_up(results, calls, work):
    assert work_of(results, calls=calls) == work


@pytest.mark.parametrize(
    ("results", "calls", "sentence"),
    [
        ([{"requests": 2}], 3, "it returned counts in 1 of 3 calls, so those of the others are unknown"),
        ([CANARY], 1, "it returned a value of type str, not None, a mapping of counts or a list of usages"),
        ([7], 1, "it returned a value of type int, not None, a mapping of counts or a list of usages"),
        ([[]], 1, "it returned an empty list of usages, so no request was made, or none is known"),
        (
            [[USAGE, {"prompt_tokens": 5}]],
            1,
            (
                "usage 2 of 2 that it returned: usage.completion_tokens is missing, so the tokens of an answer are "
                "unknown"
            ),
        ),
        ([[None]], 1, "usage 1 of 1 that it returned: the answer has no usage, so its tokens are unknown"),
        (
            [USAGE],
            1,
            (
                "it returned a mapping with prompt_tokens, which is none of requests, input_tokens, output_tokens, "
                "cached_input_tokens, reasoning_tokens"
            ),
        ),
        ([{"requests": 0}], 1, "it returned requests: 0, not a whole number from 1 to 2**53"),
        ([{"requests": 1.5}], 1, "it returned requests: 1.5, not a whole number from 1 to 2**53"),
        ([{"requests": True}], 1, "it returned requests: 1, not a whole number from 1 to 2**53"),
        ([{"requests": 10**400}], 1, "it returned requests: more than 2**53, not a whole number from 1 to 2**53"),
        ([{"reasoning_tokens": -1}], 1, "it returned reasoning_tokens: -1, not a whole number from 0 to 2**53"),
        (
            [{"requests": CANARY}],
            1,
            "it returned requests: a value of type str, not a whole number from 1 to 2**53",
        ),
        (
            [{"output_tokens": 2, "reasoning_tokens": 3}],
            1,
            "inconsistent usage: 3 reasoning_tokens of 2 output_tokens, so neither is believed",
        ),
    ],
)
def test_other_results_are_refused_with_what_is_wrong_and_no_text(results, calls, sentence):
    with pytest.raises(MeasurementInvalid) as invalid:
        work_of(results, calls=calls)
    assert str(invalid.value) == f"work_failed: {sentence}"
