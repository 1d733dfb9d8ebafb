import json

import pytest
from fakes import a_report, a_row

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


def test_what_is_unknown_is_null_and_not_zero():
    row = json.loads(encode_report(REPORT))["comparisons"][1]
    assert (row["base"], row["ratio"]) == (None, None)


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


@pytest.mark.parametrize("data", [b"", b"{", b"not json", b'{"schema": "\xff"}'])
def test_what_is_no_json_is_refused(data):
    with pytest.raises(ConfigError, match=r"^r\.json: "):
        decode_report(data, origin="r.json")
