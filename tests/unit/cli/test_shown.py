"""How results are shown: as wide, as colourful and in as much detail as is asked for."""

import pytest
from click.testing import CliRunner
from fakes import a_report, a_row

from energygate.cli.main import commands
from energygate.report.json import encode_report
from energygate.report.terminal import render_terminal

REPORT = a_report(*(a_row(benchmark=f"test_{i}") for i in range(30)), warnings=("a word " * 30,))


@pytest.mark.parametrize(
    ("arguments", "environ", "manner"),
    [
        ([], {}, {"color": False, "width": None, "verbose": False}),
        (["-v"], {}, {"color": False, "width": None, "verbose": True}),
        ([], {"ENERGYGATE_VERBOSE": "1"}, {"color": False, "width": None, "verbose": True}),
        (["--verbose"], {"COLUMNS": "60"}, {"color": False, "width": 60, "verbose": True}),
        ([], {"FORCE_COLOR": "1"}, {"color": True, "width": None, "verbose": False}),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, {"color": False, "width": None, "verbose": False}),
    ],
)
def test_a_report_is_shown_as_asked(tmp_path, arguments, environ, manner):
    (file := tmp_path / "report.json").write_bytes(encode_report(REPORT))
    result = CliRunner(env=environ).invoke(commands, ["report", str(file), *arguments], color=True)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == render_terminal(REPORT, **manner)
