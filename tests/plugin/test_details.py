import os
import subprocess
import sys

import pytest

MEASURE = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6")


def test_the_section_tells_what_passes_and_what_the_verdict_rests_on_with_v(project):
    project.with_baselines()
    lines = [line.strip() for line in project.section(project.energy("-v"))]
    assert "6 trials, 3 sessions, adjusted p 0.51, could detect about +5.4 %" in lines
    assert "meter: replay (replay): package-0" in lines
    assert lines[-1] == "energy: PASSED, 2 of 2 benchmarks within budget"


def test_the_section_is_as_wide_as_somebody_says(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = project.section(project.energy())
    assert [line for line in lines if line.startswith("no baseline")] == [
        "no baseline  test_bench.py::test_decode",
        "no baseline  test_bench.py::test_encode",
    ]
    assert max(map(len, lines[1:-1])) <= 40


@pytest.mark.parametrize(("wish", "is_coloured"), [("", True), ("0", False)])
def test_the_log_of_a_ci_service_shows_the_section_in_colour_unless_nobody_wants_it(project, wish, is_coloured):
    command = [sys.executable, "-m", "pytest", *MEASURE]
    in_ci = os.environ | {"GITHUB_ACTIONS": "true", "PY_COLORS": wish}
    done = subprocess.run(command, cwd=project.path, env=in_ci, stdout=subprocess.PIPE, text=True, check=True)
    verdict = "energy: INCONCLUSIVE, 2 benchmarks: 2 no baseline"
    assert (f"\x1b[1;33m{verdict}\x1b[0m\n" in done.stdout) == is_coloured
    assert ("\x1b" in done.stdout) == is_coloured
    assert verdict in done.stdout


LONG = '{"energy_j": {"package-0": 100.0}, "duration_s": 70}\n'
HOW_FAR = "energy: test_bench.py::test_encode: 1 of 6 trials, benchmark 1 of 2, about 14 min left"


def test_a_long_suite_says_now_and_then_how_far_it_is(project):
    project.write("windows.jsonl", LONG * 12)
    assert HOW_FAR in project.energy().errlines
    project.write("windows.jsonl", LONG * 12)
    assert not [line for line in project.energy("-q").errlines if "left" in line]


def test_what_stdout_has_no_character_for_is_spelt_and_nothing_else_changes(project):
    project.with_baselines()
    in_ascii = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PY_COLORS": "0"}
    command = [sys.executable, "-m", "pytest", *MEASURE, "-v"]
    done = subprocess.run(command, cwd=project.path, env=in_ascii, stdout=subprocess.PIPE, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "6 trials, 3 sessions, adjusted p 0.51, could detect about +5.4 %" in lines
    assert "energy: PASSED, 2 of 2 benchmarks within budget" in lines
    assert "\\" not in done.stdout
