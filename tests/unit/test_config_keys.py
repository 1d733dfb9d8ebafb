import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from fakes import a_benchmark, a_report, a_row, a_run, some_trials

from energygate.baseline.schema import encode_run
from energygate.config_keys import ConfigFile
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
