import json

import msgspec
import pytest
from fakes import a_benchmark, a_run, a_trial, an_acceptance, some_trials

from energygate.baseline.schema import decode_run, encode_run
from energygate.errors import BaselineError
from energygate.model import Idle, Location

WHY = "A run that cannot be read in full cannot be compared."
FIX = "Restore the file from version control, or delete it and record that session again."
CUT_OFF = "The file was cut off or edited. " + FIX.replace("the file", "it")
RUN = a_run(*(a_benchmark(name=f"b{i}", trials=some_trials(requests=2, output_tokens=5)) for i in range(4)))


def document():
    """The run as plain values, to be spoilt."""
    return json.loads(encode_run(RUN))


def refusal(data):
    with pytest.raises(BaselineError) as error:
        decode_run(data if isinstance(data, bytes) else json.dumps(data).encode(), origin="run.json")
    return str(error.value)


def test_a_run_is_read_back_as_it_was_written():
    trial = a_trial(energy_j={"package-0": 1.25, "gpu-0": 3.0}, requests=2, invalid="too_short: 3 ms.")
    full = msgspec.structs.replace(
        a_run(
            a_benchmark(
                trials=[trial], labels={"model": "größe"}, location=Location(file="b.py", line=3), notes=("a note",)
            ),
            accepts=(an_acceptance(),),
            notes=("rapl: package-0",),
        ),
        idle=Idle(before_w={"package-0": 12.1}, after_w={"package-0": 12.3}),
    )
    assert decode_run(encode_run(full), origin="run.json") == full


def test_a_file_is_indented_utf_8_json_with_one_final_newline_and_its_schema_first():
    text = encode_run(a_run(a_benchmark(labels={"model": "größe"}))).decode("utf-8")
    assert text.startswith('{\n  "schema": "energygate.run/1",\n  "run_id": "20261101T031500Z-0000000001",\n')
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    assert '"model": "größe"' in text


def test_unknown_counts_are_absent_in_the_file():
    (trial,) = json.loads(encode_run(a_run(a_benchmark(trials=[a_trial(requests=2)]))))["benchmarks"][0]["trials"]
    assert trial["work"] == {"requests": 2}
    assert trial == {
        "index": 0,
        "started_s": 0.0,
        "duration_s": 3.2,
        "energy_j": {"package-0": 100.0},
        "work": {"requests": 2},
        "iterations": 1,
        "block": None,
        "conditions": {},
        "invalid": None,
    }


def test_fields_that_a_later_version_adds_are_ignored():
    later = document()
    later["weather"] = {"temperature": 21}
    later["machine"]["rack"] = 7
    later["benchmarks"][0]["trials"][0]["work"]["images"] = 3
    assert decode_run(json.dumps(later).encode(), origin="run.json") == RUN


def test_optional_parts_may_be_absent():
    small = document()
    for name in ("idle", "accepts", "notes"):
        del small[name]
    for benchmark in small["benchmarks"]:
        del benchmark["labels"], benchmark["notes"], benchmark["location"], benchmark["invalid"]
        for trial in benchmark["trials"]:
            del trial["iterations"], trial["block"], trial["conditions"], trial["invalid"]
    assert decode_run(json.dumps(small).encode(), origin="run.json") == RUN


def test_a_newer_version_is_refused_by_name_before_anything_else_is_read():
    assert refusal({"schema": "energygate.run/2", "run_id": 7}) == (
        "run.json: $.schema: energygate.run/2 was written by a newer energygate; this one reads up to "
        "energygate.run/1. Upgrade: python -m pip install --upgrade energygate."
    )


@pytest.mark.parametrize("schema", ["energygate.report/1", "energygate.run", "energygate.run/", "energygate.run/x", ""])
def test_another_kind_of_file_is_refused_by_name(schema):
    assert refusal({"schema": schema}) == (
        f"run.json: $.schema: {schema!r} is not a run of energygate (expected 'energygate.run/1'). "
        "Give a file that --energy-save or `energygate run --save` wrote."
    )


@pytest.mark.parametrize(
    ("steps", "value", "fault"),
    [
        (("schema",), 1, "$.schema: Expected `str`, got `int`"),
        (("schema",), "energygate.run/0", "$.schema: Invalid enum value 'energygate.run/0'"),
        (("run_id",), "today", "$.run_id: Expected `str` matching regex '^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10}$'"),
        (("started_at",), "yesterday", "$.started_at: Invalid RFC3339 encoded datetime"),
        (
            ("started_at",),
            "2026-11-01T03:15:00",
            "$.started_at: Expected `datetime` with a timezone component",
        ),
        (
            ("source", "commit"),
            "../../../etc",
            "$.source.commit: Expected `str` matching regex '^([0-9a-f]{40}|[0-9a-f]{64})$'",
        ),
        (
            ("machine", "fingerprint"),
            "../escape",
            "$.machine.fingerprint: Expected `str` matching regex '^[0-9a-f]{12}$'",
        ),
        (("meters", 0, "kind"), "guess", "$.meters[0].kind: Invalid enum value 'guess'"),
        (("benchmarks",), {}, "$.benchmarks: Expected `array`, got `object`"),
        (("benchmarks", 1, "name"), "", "$.benchmarks[1].name: Expected `str` of length >= 1"),
        (
            ("benchmarks", 3, "trials", 0, "energy_j", "package-0"),
            "1.5",
            "$.benchmarks[3].trials[0].energy_j[...]: Expected `float`, got `str`",
        ),
        (
            ("benchmarks", 3, "trials", 0, "energy_j", "package-0"),
            -0.5,
            "$.benchmarks[3].trials[0].energy_j[...]: Expected `float` >= 0.0",
        ),
        (
            ("benchmarks", 3, "trials", 0, "energy_j", "package-0"),
            None,
            "$.benchmarks[3].trials[0].energy_j[...]: Expected `float`, got `null`",
        ),
        (
            ("benchmarks", 0, "trials", 4, "iterations"),
            0,
            "$.benchmarks[0].trials[4].iterations: Expected `int` >= 1",
        ),
        (
            ("benchmarks", 0, "trials", 4, "work", "requests"),
            1.5,
            "$.benchmarks[0].trials[4].work.requests: Expected `int | null`, got `float`",
        ),
        (
            ("benchmarks", 0, "trials", 4, "duration_s"),
            -1,
            "$.benchmarks[0].trials[4].duration_s: Expected `float` >= 0.0",
        ),
    ],
)
def test_a_fault_is_named_with_its_path(steps, value, fault):
    spoilt = place = document()
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    assert refusal(spoilt) == f"run.json: {fault}. {WHY} {FIX}"


def test_a_missing_field_is_named_with_its_path():
    spoilt = document()
    del spoilt["benchmarks"][3]["trials"][0]["energy_j"]
    fault = "$.benchmarks[3].trials[0]: Object missing required field `energy_j`"
    assert refusal(spoilt) == f"run.json: {fault}. {WHY} {FIX}"
    assert refusal({}) == f"run.json: $: Object missing required field `schema`. {WHY} {FIX}"
    assert refusal([]) == f"run.json: $: Expected `object`, got `array`. {WHY} {FIX}"


def test_an_energy_beyond_the_largest_float_is_refused():
    data = encode_run(a_run(a_benchmark(trials=some_trials([77.5])))).replace(b"77.5", b"1e999")
    fault = "$.benchmarks[0].trials[0].energy_j[...]: Number out of range"
    assert refusal(data) == f"run.json: {fault}. {WHY} {FIX}"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "Input data was truncated"),
        (encode_run(RUN)[:400], "Input data was truncated"),
        (b"\x00\x01", "JSON is malformed: invalid character (byte 0)"),
        (b'{"schema": "energygate.run/1"} x', "JSON is malformed: trailing characters (byte 32)"),
        (
            encode_run(RUN).replace(b'"kernel"', b'"\xff"'),
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
    ],
    ids=["empty", "truncated", "binary", "two documents", "not UTF-8"],
)
def test_what_is_no_complete_json_document_is_refused(data, detail):
    assert refusal(data) == f"run.json: not a complete JSON document ({detail}). {CUT_OFF}"


def test_not_a_number_is_no_json():
    data = encode_run(a_run(a_benchmark(trials=some_trials([77.5])))).replace(b"77.5", b"NaN")
    assert refusal(data).startswith("run.json: not a complete JSON document (JSON is malformed: invalid character")


def test_a_bottomless_document_is_refused():
    data = encode_run(RUN).replace(b'"conditions": {}', b'"conditions": {"a":' + b"[" * 100_000)
    assert refusal(data).startswith("run.json: not a complete JSON document (maximum recursion depth exceeded")
