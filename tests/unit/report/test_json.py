import functools
import json

import msgspec
import pytest
from fakes import a_report, a_row, a_run
from msgspec.structs import replace
from shown_reports import shown_report

from energygate.baseline.schema import encode_run
from energygate.errors import ConfigError
from energygate.model import Location, Outcome, TrialCounts
from energygate.report.json import decode_report, encode_report

REPORT = a_report(
    a_row(
        outcome=Outcome.REGRESSED,
        trials=TrialCounts(base=40, head=10, invalid=1),
        domains={"package-0": 1.07},
        location=Location(file="bench.py", line=12),
        notes=("a note",),
    ),
    a_row(benchmark="b", base=None, ratio=None),
    exit_code=1,
    verdict="failed",
    warnings=("a warning",),
)


def test_a_report_comes_back_as_it_was():
    assert decode_report(encode_report(REPORT), origin="r.json") == REPORT


def test_a_report_that_was_written_before_rows_had_a_history_can_be_read():
    document = json.loads(encode_report(REPORT))
    for row in document["comparisons"]:
        assert row.pop("history") == []
    assert decode_report(json.dumps(document).encode(), origin="r.json") == REPORT


def test_the_file_has_the_documented_keys_and_ends_with_one_newline():
    data = encode_report(REPORT)
    document = json.loads(data)
    assert data.endswith(b"}\n")
    assert (document["schema"], document["verdict"], document["exit_code"]) == ("energygate.report/1", "failed", 1)
    assert document["counts"] == {"regressed": 1, "pass": 1}
    assert set(document) == {
        "schema",
        "verdict",
        "exit_code",
        "counts",
        "tool",
        "head",
        "base",
        "baseline",
        "machine",
        "meters",
        "policy",
        "comparisons",
        "warnings",
        "notes",
        "evidence",
        "terms",
    }
    assert set(document["comparisons"][0]) >= {
        "benchmark",
        "metric",
        "outcome",
        "reason",
        "base",
        "head",
        "ratio",
        "ratio_low",
        "ratio_high",
        "p_value",
        "p_adjusted",
        "trials",
        "sessions",
        "blocks",
        "how",
        "detectable",
        "domains",
        "work",
        "estimated",
        "label",
        "location",
        "notes",
    }


def test_each_benchmark_has_its_evidence_on_a_line_of_its_own():
    report = shown_report("20")
    text = encode_report(report).decode()
    assert decode_report(text.encode(), origin="r.json") == report
    _, _, below = text.partition('\n  "evidence": [\n')
    lines = below.partition("\n  ]")[0].splitlines()
    assert [json.loads(line.rstrip(","))["benchmark"] for line in lines] == [each.benchmark for each in report.evidence]
    bare = encode_report(replace(report, evidence=()))
    assert bare == msgspec.json.format(bare, indent=2) + b"\n"


def test_a_report_that_was_written_before_there_was_evidence_can_be_read():
    report = shown_report("20")
    document = json.loads(encode_report(report))
    del document["evidence"], document["baseline"]["machine"]
    old = decode_report(json.dumps(document).encode(), origin="r.json")
    assert old == replace(report, evidence=(), baseline=replace(report.baseline, machine=None))


def test_what_is_unknown_is_null_and_not_zero():
    row = json.loads(encode_report(REPORT))["comparisons"][1]
    assert (row["base"], row["ratio"]) == (None, None)


def test_a_run_in_the_place_of_a_report_is_called_one():
    with pytest.raises(ConfigError) as wrong:
        decode_report(encode_run(a_run()), origin="run.json")
    assert str(wrong.value) == (
        "run.json is a run and holds no verdict. `energygate compare BASE... HEAD` judges runs; --report json:FILE "
        "writes a report."
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema": "energygate.report/2"}, "$.schema: Invalid enum value 'energygate.report/2'."),
        ({"verdict": "fine"}, "$.verdict: Invalid enum value 'fine'."),
        ({"comparisons": [{}]}, "$.comparisons[0]: Object missing required field `benchmark`."),
        ({"exit_code": "1"}, "$.exit_code: Expected `int`, got `str`."),
    ],
)
def test_a_fault_is_named_with_its_path(change, fault):
    data = json.dumps(json.loads(encode_report(REPORT)) | change).encode()
    with pytest.raises(ConfigError) as wrong:
        decode_report(data, origin="r.json")
    assert str(wrong.value) == (
        f"r.json: {fault} Give a report of schema energygate.report/1, as --report json:FILE writes it."
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"verdict": "passed"}, "$.verdict: it says passed, and its comparisons come to failed."),
        ({"exit_code": 0}, "$.exit_code: it says 0, and its comparisons come to 1."),
        ({"comparisons": []}, "$.exit_code: it says 1, and its comparisons come to 5."),
    ],
)
def test_a_report_that_says_something_else_than_its_comparisons_is_refused(change, fault):
    data = json.dumps(json.loads(encode_report(REPORT)) | change).encode()
    with pytest.raises(ConfigError) as wrong:
        decode_report(data, origin="r.json")
    assert str(wrong.value) == (
        f"r.json: {fault} Write the report again, by --report json:FILE; it is not to be changed by hand."
    )


NESTED = functools.reduce(lambda inner, _: {"x": inner}, range(900), 1)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            {"policy": {"budget": 0, "min_effect": 0.02, "false_alarms": 0.05, "adjust": "bh"}},
            "the policy's numbers are fractions, above 0 and at most 1: Expected `float` > 0.0.",
        ),
        (
            {"comparisons": [json.loads(encode_report(REPORT))["comparisons"][0] | {"head": 1.7e308}]},
            "quantities lie between 0 and 1e12: Expected `float` <= 1000000000000.0.",
        ),
        (
            {"machine": {"fingerprint": "0123456789ab", "label": "m", "hard": NESTED}},
            "a report is nested at most 20 levels deep.",
        ),
    ],
    ids=["budget", "quantity", "depth"],
)
def test_what_no_format_could_show_is_refused(change, rule):
    data = json.dumps(json.loads(encode_report(REPORT)) | change).encode()
    with pytest.raises(ConfigError) as wrong:
        decode_report(data, origin="r.json")
    assert str(wrong.value) == (
        f"r.json: {rule} Write the report again, by --report json:FILE; it is not to be changed by hand."
    )


def test_a_verdict_is_held_against_what_the_policy_in_the_file_fails_on():
    lenient = replace(REPORT, policy=replace(REPORT.policy, fail_on=("suspect",)), verdict="inconclusive", exit_code=0)
    assert decode_report(encode_report(lenient), origin="r.json") == lenient


def test_counts_are_those_of_the_comparisons_whatever_a_file_says():
    assert decode_report(encode_report(replace(REPORT, counts={"pass": 12})), origin="r.json") == REPORT


def test_comparisons_in_another_order_are_read_worst_first_and_else_as_they_stand():
    passing = [a_row(benchmark=name, base=None, ratio=None) for name in "cab"]
    worst = a_row(outcome=Outcome.REGRESSED)
    shuffled = a_report(*passing, worst, exit_code=1, verdict="failed")
    found = decode_report(encode_report(shuffled), origin="r.json")
    assert found == a_report(worst, *passing, exit_code=1, verdict="failed")


DEEP = encode_report(REPORT).replace(b"{", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b",", 1)


@pytest.mark.parametrize("data", [b"", b"{", b"not json", b'{"schema": "\xff"}', DEEP])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(ConfigError, match=r"^r\.json: "):
        decode_report(data, origin="r.json")
