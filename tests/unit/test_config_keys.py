import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
import yaml
from fakes import a_benchmark, a_report, a_row, a_run, some_trials

from energygate.baseline.schema import encode_run
from energygate.config import parse_config
from energygate.config_keys import ConfigFile, MarkerKeys
from energygate.conversion import convert, schema
from energygate.errors import ConfigError
from energygate.model import GateReport, Outcome, Run
from energygate.report.json import encode_report
from energygate.workloads.suites import SuiteFile

ROOT = Path(__file__).parents[2]
KINDS = {"config": ConfigFile, "suite": SuiteFile, "run": Run, "report": GateReport}


def refusal(kind, document):
    """What the schema has against a document, or None."""
    checker = jsonschema.Draft202012Validator(schema(kind))
    return next((error.message for error in checker.iter_errors(document)), None)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_schema_is_one(kind):
    jsonschema.Draft202012Validator.check_schema(schema(kind))
    assert schema(kind)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/**/*.energy.yml")), ids=lambda path: path.name)
def test_the_schema_of_suites_accepts_the_examples(file):
    assert refusal(SuiteFile, yaml.safe_load(file.read_text())) is None


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/**/energygate.yml")), ids=lambda path: path.parent.name)
def test_the_schema_of_the_configuration_accepts_the_examples(file):
    assert refusal(ConfigFile, yaml.safe_load(file.read_text())) is None


def test_the_schemas_of_run_and_report_accept_what_is_written():
    run = a_run(a_benchmark(), a_benchmark(name="b", trials=some_trials(requests=3, output_tokens=20)))
    report = a_report(a_row(), a_row(outcome=Outcome.NO_BASELINE, benchmark="b", base=None, ratio=None))
    assert refusal(Run, json.loads(encode_run(run))) is None
    assert refusal(GateReport, json.loads(encode_report(report))) is None


@pytest.mark.parametrize(
    ("kind", "document", "message"),
    [
        (ConfigFile, {"version": 2}, "2 is not one of [1]"),
        (ConfigFile, {"version": 1, "gate": {"budget": 5}}, "5 is not of type 'string'"),
        (
            ConfigFile,
            {"version": 1, "budgt": 1},
            "Additional properties are not allowed ('budgt' was unexpected)",
        ),
        (SuiteFile, {"version": 1, "suites": []}, "[] should be non-empty"),
        (Run, {"schema": "energygate.run/1"}, "'run_id' is a required property"),
        (GateReport, {"schema": "energygate.report/1"}, "'verdict' is a required property"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(kind, document, message):
    assert refusal(kind, document) == message


def test_the_schema_says_how_a_percentage_is_written():
    budget = schema(ConfigFile)["$defs"]["GateKeys"]["properties"]["budget"]
    assert budget == {
        "type": "string",
        "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$",
        "description": "a percentage, written 5%",
    }


def numbers(kind, path="", above=()):
    """Each number that a file of this kind may hold: its path, and its type with both bounds."""
    kind = kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
    match kind:
        case msgspec.inspect.FloatType() | msgspec.inspect.IntType():
            yield path, kind
        case msgspec.inspect.StructType() if kind.cls not in above:
            for field in kind.fields:
                yield from numbers(field.type, f"{path}.{field.encode_name}", (*above, kind.cls))
        case msgspec.inspect.UnionType():
            for each in kind.types:
                yield from numbers(each, path, above)
        case msgspec.inspect.VarTupleType():
            yield from numbers(kind.item_type, f"{path}[]", above)
        case msgspec.inspect.DictType():
            yield from numbers(kind.value_type, f"{path}.*", above)


@pytest.mark.parametrize("kind", [ConfigFile, SuiteFile, MarkerKeys])
def test_every_number_of_a_file_has_both_bounds_because_infinity_is_one_in_yaml(kind):
    found = dict(numbers(msgspec.inspect.type_info(kind)))
    assert found
    assert [path for path, number in found.items() if number.ge is None and number.gt is None] == []
    assert [path for path, number in found.items() if number.le is None and number.lt is None] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("noise: {foreign: 101%}", "noise: `foreign` must be at most 100%, got 101 %."),
        ("gate: {work_tolerance: 101%}", "gate: `work_tolerance` must be at most 100%, got 101 %."),
        ("gate: {screen: {effect: 101%}}", "gate.screen: `effect` must be at most 100%, got 101 %."),
        (f"trials: {{count: 1{40 * '0'}}}", "trials.count: Expected `int` <= 1000000."),
        ("estimate: {watts_per_core: .inf}", "estimate.watts_per_core: Expected `float` <= 1000000.0."),
        ("estimate: {base_w: 1.0e+40}", "estimate.base_w: Expected `float` <= 1000000.0."),
        ("estimate: {base_w: .nan}", "estimate.base_w: Expected `float` >= 0.0."),
        (
            "prometheus: {url: 'http://h', preset: custom, domains: {a: {select: x, unit: J, range_j: .inf}}}",
            "prometheus.domains.a.range_j: Expected `float` <= 1000000000000.0.",
        ),
    ],
)
def test_a_number_out_of_bounds_is_refused_by_its_path(text, said):
    with pytest.raises(ConfigError) as wrong:
        parse_config(f"version: 1\n{text}\n", Path("f"))
    assert str(wrong.value) == f"f:2: {said}"


@pytest.mark.parametrize("value", [5000 * "9", "2026-13-01", "!!int x", "!!timestamp x", "0b_", "!!bool x"])
def test_a_value_that_only_looks_like_what_it_is_said_to_be_is_refused_with_the_way_out(value):
    with pytest.raises(ConfigError) as wrong:
        parse_config(f"version: 1\nsysfs: {value}\n", Path("f"))
    assert str(wrong.value).startswith("f: a value looks like a date, a number or what its tag says, and is none: ")
    assert wrong.value.fix == "Write quotes around a text that only looks like one."


@pytest.mark.parametrize("good", ["a", "b::test_x[a.b]", "c[0]", "\N{SNOWMAN}"])
def test_the_key_at_fault_is_found_among_others(good):
    document = {"version": 1, "overrides": {good: {"budget": "5%"}, "bad[1].x": {"budget": 5}, "z": {}}}
    with pytest.raises(ConfigError) as wrong:
        convert(document, ConfigFile, origin="f", lines={"$.overrides.bad[1].x.budget": 7})
    assert str(wrong.value) == "f:7: overrides.bad[1].x.budget: expected a percentage such as 5%, got 5."


def test_a_fault_whose_line_is_not_known_is_shown_without_one():
    with pytest.raises(ConfigError) as wrong:
        convert({"version": 1, "trials": {"count": 0}}, ConfigFile, origin="f")
    assert str(wrong.value) == "f: trials.count: Expected `int` >= 1."


def test_a_fault_in_a_limit_of_a_suite_in_a_list_is_found():
    suite = {"name": "a", "kind": "command", "command": ["x"], "limits": {"energy_j": -1}}
    with pytest.raises(ConfigError) as wrong:
        convert({"version": 1, "suites": ["other.yml", suite]}, ConfigFile, origin="f")
    assert str(wrong.value) == "f: suites[1].limits.energy_j: Expected `float` > 0.0."


def test_a_key_that_is_no_text_is_refused():
    with pytest.raises(ConfigError) as wrong:
        convert({"version": 1, 5: 1}, ConfigFile, origin="f")
    assert str(wrong.value) == "f: the file: Expected `str`."
