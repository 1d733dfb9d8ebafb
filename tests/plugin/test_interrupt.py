"""Sessions that are stopped."""

import pytest

STOPPED = "energy: FAILED, the session was stopped, so nothing was judged and nothing was recorded"
BODIES = {
    "interrupted": "raise KeyboardInterrupt",
    "left": "__import__('pytest').exit('enough')",
}


def stopping_in(place, how):
    first = "def test_encode(energy):\n    energy(sum, [1, 2])\n"
    inside = "        " if place == "window" else "    "
    where = "    for n, trial in enumerate(energy.trials()):\n      with trial:\n" if place == "window" else ""
    condition = f"{inside}if n == 3:\n{inside}    " if place == "window" else inside
    return (
        f"{first}def test_decode(energy):\n{where}{condition}{BODIES[how]}\ndef test_after(energy):\n    energy(int)\n"
    )


@pytest.mark.parametrize("mode", ["gate", "record", "measure"])
@pytest.mark.parametrize("how", ["interrupted", "left"])
def test_a_stopped_session_saves_what_was_measured_and_judges_and_records_nothing(project, mode, how):
    project.write("test_bench.py", stopping_in("window", how))
    result = project.run_alone(
        "--energy",
        "--energy-meters=replay:windows.jsonl",
        "--energy-trials=6",
        "--energy-save=run.json",
        f"--energy-mode={mode}",
        *(["--energy-report=json:report.json"] if mode == "gate" else []),
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.verdict(result) == STOPPED
    first, second = project.json("run.json")["benchmarks"]
    assert (first["name"], len(first["trials"]), first["invalid"]) == ("test_bench.py::test_encode", 6, None)
    assert (second["name"], second["invalid"]) == (
        "test_bench.py::test_decode",
        "the session was stopped before this test ended.",
    )
    assert [trial["invalid"] for trial in second["trials"][:2]] == [None, None]
    assert project.stored() == []
    assert not (project.path / "report.json").exists()


def test_a_session_that_is_stopped_before_a_test_measures_saves_the_others(project):
    project.write("test_bench.py", stopping_in("test", "interrupted"))
    result = project.run_alone(
        "--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6", "--energy-save=run.json"
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [each["name"] for each in project.json("run.json")["benchmarks"]] == ["test_bench.py::test_encode"]


def test_a_file_that_cannot_be_imported_stops_the_session_and_judges_nothing(project):
    project.write("test_broken.py", "import no_such_module\n")
    result = project.energy("--energy-mode=record")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.verdict(result) == STOPPED
    assert project.stored() == []


def test_a_path_that_is_not_there_is_a_usage_error_that_judges_nothing(project):
    result = project.energy("test_absent.py", "--energy-mode=record")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.stored() == []
