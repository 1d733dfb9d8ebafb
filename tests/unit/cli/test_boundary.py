"""How the program ends: one paragraph, the exit code, and a traceback only where it helps."""

import re
import signal
import tempfile
from dataclasses import dataclass

import click
import pytest

from energygate.cli.boundary import DEFECT, Boundary
from energygate.cli.main import commands
from energygate.cli.manners import Manners
from energygate.errors import BaselineError, ConfigError, EnergyGateError, MeterUnavailable
from energygate.signals import Terminated

MENDED = ConfigError("It is wrong.", why="It matters.", fix="Mend it with --energy-mode=gate.")


@dataclass
class Written:
    """Streams that have lost nothing, or something."""

    lost: OSError | None = None


@pytest.fixture
def end(monkeypatch, tmp_path):
    """End a program with this; give its exit code."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    def end(error, *, lost=None, **manners):
        with pytest.raises(SystemExit) as ended:
            leave(error, Boundary(Manners(**manners), Written(lost)))
        return ended.value.code

    return end


def leave(error, boundary):
    with boundary:
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SystemExit(1), 1),
        (SystemExit(None), 0),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (Terminated(signal.SIGHUP), 129),
        (EnergyGateError("x"), 2),
        (ConfigError("x"), 2),
        (MeterUnavailable("x"), 5),
        (BaselineError("x"), 4),
        (click.UsageError("x"), 2),
        (ZeroDivisionError(), 70),
    ],
)
def test_each_end_has_its_exit_code(end, error, code):
    assert end(error) == code


def test_what_a_user_can_mend_is_one_paragraph_spelt_for_this_shell(end, capsys):
    end(MENDED)
    assert capsys.readouterr().err == "error: It is wrong. It matters. Mend it with --mode=gate.\n"


def test_debug_shows_the_traceback_above_the_paragraph(end, capsys):
    end(MENDED, debug=True)
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("\nerror: It is wrong. It matters. Mend it with --mode=gate.\n")


def test_wrong_usage_is_one_paragraph_that_names_the_help(end, capsys):
    end(
        click.MissingParameter(
            ctx=click.Context(commands, info_name="energygate"), param_hint="HEAD", param_type="argument"
        )
    )
    assert capsys.readouterr().err == "error: Missing argument HEAD. `energygate --help` shows how it is used.\n"


def test_a_defect_says_that_it_is_one_and_keeps_the_traceback_in_a_private_file(end, capsys, tmp_path):
    assert end(ZeroDivisionError("by nothing")) == DEFECT
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().endswith("ZeroDivisionError: by nothing\n")
    assert capsys.readouterr().err == (
        "error: energygate failed: ZeroDivisionError. This is a defect of energygate, not of what it measures, and "
        "exit code 70 is no verdict. Please report it to energygate's issue tracker with the traceback in "
        f"{file}; --debug shows it here.\n"
    )


@pytest.mark.parametrize("where", ["debug", "CI", "no room"])
def test_a_defect_shows_its_traceback_where_a_file_would_be_lost_or_is_not_wanted(
    end, capsys, monkeypatch, tmp_path, where
):
    if where == "CI":
        monkeypatch.setenv("CI", "true")
    if where == "no room":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert end(ZeroDivisionError("by nothing"), debug=where == "debug") == DEFECT
    shown = capsys.readouterr().err
    assert re.fullmatch(r"Traceback .*\nZeroDivisionError: by nothing\nerror: .* above; .*\n", shown, re.DOTALL)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "code"), [(None, 2), (SystemExit(1), 1), (SystemExit(0), 2)])
def test_results_that_nobody_can_read_are_no_success_and_no_other_verdict(end, capsys, error, code):
    assert end(error, lost=OSError(28, "No space left on device")) == code
    assert capsys.readouterr().err == (
        "error: The results cannot be written: No space left on device. Make room where stdout leads.\n"
    )
