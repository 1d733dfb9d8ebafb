"""`energygate report`: where it writes, and what it refuses to write over."""

import csv
import io
import json

import pytest
from click.testing import CliRunner
from shown_markdown import WHOLE

from energygate.cli.main import commands
from energygate.errors import ConfigError
from energygate.report.formats import FORMATS
from energygate.report.json import encode_report


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Render the report r.json again, with these options."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_bytes(encode_report(WHOLE))
    return lambda *options: CliRunner().invoke(commands, ["report", "r.json", *options])


def refusal(result):
    assert isinstance(result.exception, ConfigError)
    assert result.stdout == ""
    return str(result.exception)


def test_several_formats_are_written_at_once_each_as_its_function_gives_it(report, tmp_path):
    names = {
        "junit": "energy.xml",
        "csv": "energy.csv",
        "badge": "badge.json",
        "gitlab": "n.md",
        "codequality": "q.json",
    }
    options = [word for kind, file in names.items() for word in ("--report", f"{kind}:{file}")]
    result = report(*options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert {file: (tmp_path / file).read_bytes() for file in names.values()} == {
        file: FORMATS[kind].render(WHOLE) for kind, file in names.items()
    }


def test_a_dash_is_standard_output_and_nothing_else_is_printed(report, tmp_path):
    result = report("--report", "csv:-", "--report", "badge:badge.json")
    assert (result.exit_code, result.stdout_bytes) == (0, FORMATS["csv"].render(WHOLE))
    assert len(list(csv.reader(io.StringIO(result.stdout)))) == len(WHOLE.comparisons) + 1
    assert json.loads((tmp_path / "badge.json").read_text())["label"] == "energy"
    assert not (tmp_path / "-").exists()


def test_standard_output_takes_one_document(report):
    said = refusal(report("--report", "csv:-", "--report", "badge:-"))
    assert said == "Standard output takes one document. Give each of the others a file."


@pytest.mark.parametrize("same", ["x.csv", "./x.csv", "sub/../x.csv"])
def test_two_reports_are_not_written_to_one_file(report, tmp_path, same):
    said = refusal(report("--report", "csv:x.csv", "--report", f"badge:{same}"))
    assert said == "Two of the files to write are the same. Give each report and the run its own file."
    assert not (tmp_path / "x.csv").exists()


def test_the_report_that_is_read_is_not_written_over(report, tmp_path):
    (tmp_path / "link.json").symlink_to("r.json")
    said = refusal(report("--report", "csv:link.json"))
    assert said == "r.json is the report that is read. Write to another file, so that it is kept."
    assert (tmp_path / "r.json").read_bytes() == encode_report(WHOLE)


def test_settings_that_are_wrong_do_not_keep_a_stored_report_from_being_shown(report, tmp_path):
    (tmp_path / "energygate.yml").write_text("gate: {nonsense: 1}\n")
    result = report("--report", "badge:-")
    assert (result.exit_code, result.stdout_bytes) == (0, FORMATS["badge"].render(WHOLE))


def test_a_command_that_prints_a_verdict_writes_no_report_beside_it(report):
    result = CliRunner().invoke(commands, ["compare", "a.json", "b.json", "--report", "csv:-"])
    assert refusal(result) == (
        "--report: 'csv:-': only `energygate report` writes to standard output, where this prints already."
    )
