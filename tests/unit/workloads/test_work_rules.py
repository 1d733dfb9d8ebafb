"""Suites of commands and functions: which rules may stand together."""

import datetime as dt
import re

import msgspec
import pytest

from energygate.workloads.suites import SuiteFile

COMMAND = {"name": "bench", "kind": "command", "command": ["./bench"]}
CALL = {"name": "call", "kind": "python", "callable": "myapp.bench:Bench.answer_all"}
SPANS = {"source": "spans"}


def read(suite):
    return msgspec.convert({"version": 1, "suites": [suite]}, SuiteFile).suites[0]


@pytest.mark.parametrize(
    "suite",
    [
        COMMAND | {"tokens": SPANS},
        COMMAND | {"tokens": SPANS, "work": {"requests": 5}},
        COMMAND | {"work": {"preset": "vllm-bench", "cached_input_tokens": {"json": "cached"}}},
        CALL | {"tokens": SPANS, "args": {"n": 8, "words": ["a", None, True, {"b": 1.5}]}},
    ],
)
def test_one_rule_for_each_count_is_read(suite):
    assert read(suite).name == suite["name"]


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        (
            COMMAND | {"tokens": SPANS, "work": {"output_tokens": 5}},
            "with tokens.source: spans, work may give requests alone: spans count the tokens - at `$.suites[0]`",
        ),
        (
            COMMAND | {"tokens": SPANS, "work": {"preset": "vllm-bench"}},
            "with tokens.source: spans, work may give requests alone: spans count the tokens - at `$.suites[0]`",
        ),
        (
            COMMAND | {"work": {"preset": "vllm-bench", "requests": 5, "output_tokens": {"json": "a"}}},
            "preset vllm-bench gives output_tokens, requests: remove either - at `$.suites[0].work`",
        ),
        (COMMAND | {"work": {"preset": "other"}}, "Invalid enum value 'other' - at `$.suites[0].work.preset`"),
        (CALL | {"tokens": {"source": "usage"}}, "Invalid enum value 'usage' - at `$.suites[0].tokens.source`"),
        (
            CALL | {"args": {"day": dt.date(2026, 11, 26)}},
            "args may hold text, numbers, true, false, null, lists and mappings of them - at `$.suites[0]`",
        ),
        (
            CALL | {"args": {"n": float("inf")}},
            "args may hold text, numbers, true, false, null, lists and mappings of them - at `$.suites[0]`",
        ),
    ],
)
def test_two_rules_for_one_count_and_impossible_values_are_refused(suite, message):
    with pytest.raises(msgspec.ValidationError) as fault:
        read(suite)
    assert str(fault.value) == message


@pytest.mark.parametrize("target", ["bench", "bench:", ":work", "a b:c", "a:b:c", "a.:b", "1a:b", "a:b\n", "a:b()"])
def test_what_names_no_function_of_a_module_is_refused(target):
    with pytest.raises(msgspec.ValidationError, match=re.escape("$.suites[0].callable")):
        read(CALL | {"callable": target})
