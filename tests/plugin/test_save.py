"""`--energy-save`."""

import jsonschema
import msgspec
import pytest

from energygate.conversion import schema
from energygate.model import Run


def test_the_run_is_written_where_the_option_says_with_every_trial(project):
    project.energy("--energy-save=out/run.json", "--energy-mode=measure")
    run = project.json("out/run.json")
    jsonschema.validate(run, schema(Run))
    assert run["schema"] == "energygate.run/1"
    assert [each["name"] for each in run["benchmarks"]] == ["test_bench.py::test_encode", "test_bench.py::test_decode"]
    first = run["benchmarks"][0]
    assert first["location"] == {"file": "test_bench.py", "line": 1}
    assert [trial["index"] for trial in first["trials"]] == [0, 1, 2, 3, 4, 5]
    assert {trial["duration_s"] for trial in first["trials"]} == {3.0}
    assert run["meters"][0]["kind"] == "replay"
    assert run["source"] == {"commit": None, "branch": None, "dirty": False, "changed": "", "repository": None}


@pytest.mark.parametrize("mode", ["measure", "gate", "record"])
def test_every_mode_saves(project, mode):
    project.energy("--energy-save=run.json", f"--energy-mode={mode}")
    run = msgspec.convert(project.json("run.json"), Run)
    assert [len(each.valid) for each in run.benchmarks] == [6, 6]


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(project):
    project.write("out", "a file, no folder")
    result = project.energy("--energy-save=out/run.json")
    target = project.path / "out/run.json"
    reason = f"Cannot make the folder of {target}: {target.parent} is a file. Give another path."
    assert project.usage_error(result) == reason


UNWRITABLE = "Give another path, or make room and give this user write permission there."


def test_a_file_that_can_no_longer_be_written_fails_the_session_and_what_was_measured_is_shown(project):
    project.one_test("import pathlib\npathlib.Path('run.json').mkdir()\nenergy(int)")
    result = project.energy("--energy-save=run.json", "--energy-mode=measure")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.section(result)[2:] == [
        "measured  test_bench.py::test_it   100 J  0.445 %       6  3.00 s",
        "energy: MEASURED, nothing was judged",
        f"energy: FAILED, Cannot write {project.path}/run.json: Is a directory. {UNWRITABLE}",
    ]


def test_below_a_root_that_cannot_be_written_a_session_is_measured_and_judged_all_the_same(project):
    project.one_test("energy(int)")
    windows = f"--energy-meters=replay:{project.path}/windows.jsonl"
    result = project.energy(windows, "--rootdir=/proc/self/fdinfo", "-pno:cacheprovider", "test_bench.py")
    assert result.ret == pytest.ExitCode.OK
    assert project.verdict(result) == "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline"


def test_a_session_that_can_no_longer_be_recorded_is_shown_with_what_to_do(project):
    project.one_test("import pathlib\npathlib.Path('baselines').write_text('')\nenergy(int)")
    result = project.energy("--energy-mode=record", "--energy-save=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = project.section(result)
    assert lines[2:4] == [
        "measured  test_bench.py::test_it   100 J  0.445 %       6  3.00 s",
        "energy: MEASURED, nothing was judged",
    ]
    assert lines[4].startswith(f"energy: FAILED, Cannot write {project.path}/baselines/")
    assert lines[4].endswith(
        f": Not a directory. {UNWRITABLE} Nothing was recorded, and nothing is lost: `energygate baseline record "
        f"{project.path}/run.json` records what was saved."
    )


def test_the_path_is_relative_to_where_pytest_was_started(project, monkeypatch):
    project.write("sub/test_sub.py", "def test_it(energy):\n    energy(int)\n")
    project.session_of("sub/test_sub.py::test_it")
    (project.path / "windows.jsonl").rename(project.path / "sub/windows.jsonl")
    monkeypatch.chdir(project.path / "sub")
    project.energy("--rootdir=..", "--energy-save=run.json").assert_outcomes(passed=1)
    assert [each["name"] for each in project.json("sub/run.json")["benchmarks"]] == ["sub/test_sub.py::test_it"]
