"""`--energy-report`."""

import json
import subprocess
import sys

import jsonschema
import pytest

from energygate.report.formats import named_formats


def test_the_json_report_satisfies_the_schema_that_the_command_line_prints(project):
    project.with_baselines()
    project.session(test_encode=1.5)
    project.energy("--energy-report=json:out/report.json")
    printed = subprocess.run(
        [sys.executable, "-m", "energygate", "schema", "report"], capture_output=True, text=True, check=True
    )
    report = project.json("out/report.json")
    jsonschema.validate(report, json.loads(printed.stdout))
    assert report["schema"] == "energygate.report/1"
    assert report["baseline"]["how"] == "stored"
    assert len(report["baseline"]["runs"]) == 3
    worst, other = report["comparisons"]
    assert (worst["metric"], worst["sessions"], worst["trials"]) == (
        "energy_j",
        3,
        {"base": 18, "head": 6, "invalid": 0},
    )
    assert worst["ratio"] == pytest.approx(1.5, abs=0.005)
    assert worst["ratio_low"] < worst["ratio"] < worst["ratio_high"]
    assert worst["location"] == {"file": "test_bench.py", "line": 1}
    assert other["outcome"] == "pass"


def test_several_reports_are_written_in_one_go(project):
    project.with_baselines()
    project.session(test_encode=1.5)
    project.energy("--energy-report=json:report.json", "--energy-report=markdown:report.md")
    assert project.json("report.json")["verdict"] == "failed"
    text = (project.path / "report.md").read_text()
    assert "test_encode" in text
    assert "+50.0 %" in text


def test_reports_of_a_session_without_a_baseline_show_the_benchmarks_all_the_same(project):
    project.energy("--energy-report=markdown:report.md")
    text = (project.path / "report.md").read_text()
    assert "no baseline" in text
    assert "test_encode" in text


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ("pdf:report.pdf", f"there is no such format. There are {named_formats('and')}"),
        ("report.json", f"expected FORMAT:FILE with the format {named_formats()}"),
    ],
)
def test_an_unknown_format_is_refused_with_those_there_are_before_anything_runs(project, given, refused):
    assert project.usage_error(project.energy(f"--energy-report={given}")) == (
        f"--energy-report: {given!r}: {refused}."
    )


@pytest.mark.parametrize("mode", ["measure", "record"])
def test_a_report_is_refused_where_nothing_is_judged_before_anything_runs(project, mode):
    assert project.usage_error(project.energy("--energy-report=json:report.json", f"--energy-mode={mode}")) == (
        f"--energy-report asks for a verdict, and mode {mode} makes none. "
        "Use --energy-save for the run itself, or mode gate."
    )
    assert not (project.path / "report.json").exists()
    assert project.stored() == []


def test_the_environment_may_name_reports(project, monkeypatch):
    monkeypatch.setenv("ENERGYGATE_REPORT", "json:report.json,markdown:report.md")
    project.energy()
    assert project.json("report.json")["counts"] == {"no_baseline": 2}
    assert (project.path / "report.md").exists()
