"""Sessions that are stopped."""

import pytest

STOPPED = "energy: FAILED, the session was stopped, so nothing was judged and nothing was recorded"
BODIES = {
    "interrupted": "raise KeyboardInterrupt",
    "left": "__import__('pytest').exit('enough')",
    "terminated": "__import__('signal').raise_signal(15)",
}
EXIT_CODES = {"interrupted": pytest.ExitCode.INTERRUPTED, "left": pytest.ExitCode.INTERRUPTED, "terminated": 143}
IN_THE_SECOND_IDLE_WINDOW = """\
import os, signal, sys, threading, time, traceback

def pytest_runtest_teardown():
    main = threading.main_thread().ident
    def stop():
        while "measure_idle_w" not in [frame.name for frame in traceback.extract_stack(sys._current_frames()[main])]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGNAL)
    threading.Thread(target=stop, daemon=True).start()
"""


def stopping_in(place, how):
    first = "def test_encode(energy):\n    energy(sum, [1, 2])\n"
    inside = "        " if place == "window" else "    "
    where = "    for n, trial in enumerate(energy.trials()):\n      with trial:\n" if place == "window" else ""
    condition = f"{inside}if n == 3:\n{inside}    " if place == "window" else inside
    return (
        f"{first}def test_decode(energy):\n{where}{condition}{BODIES[how]}\ndef test_after(energy):\n    energy(int)\n"
    )


@pytest.mark.parametrize("mode", ["gate", "record", "measure"])
@pytest.mark.parametrize("how", BODIES)
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
    assert result.ret == EXIT_CODES[how]
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


@pytest.mark.parametrize("how", ["interrupted", "terminated"])
def test_a_session_that_is_stopped_before_a_test_measures_saves_the_others(project, how):
    project.write("test_bench.py", stopping_in("test", how))
    result = project.run_alone(
        "--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6", "--energy-save=run.json"
    )
    assert result.ret == EXIT_CODES[how]
    assert [each["name"] for each in project.json("run.json")["benchmarks"]] == ["test_bench.py::test_encode"]


@pytest.mark.alone
@pytest.mark.parametrize(("name", "code"), [("SIGINT", pytest.ExitCode.INTERRUPTED), ("SIGTERM", 143)])
def test_a_signal_in_the_second_idle_window_costs_idle_power_and_not_the_run(project, live_powercap, name, code):
    project.write("conftest.py", IN_THE_SECOND_IDLE_WINDOW.replace("SIGNAL", name))
    with (project.path / "energygate.yml").open("a") as file:
        file.write("trials: {idle: 5, warmup: 0, count: 3, min_time: 0.1}\n")
    project.one_test("energy(sum, range(1000))")
    result = project.run_alone(
        "--energy", "--energy-meters=rapl", f"--energy-sysfs={live_powercap('one').root}", "--energy-save=run.json"
    )
    assert "Traceback" not in result.stderr.str()
    result.assert_outcomes(passed=1)
    assert (result.ret, project.section(result)) == (code, [STOPPED])
    run = project.json("run.json")
    assert ([trial["invalid"] for trial in run["benchmarks"][0]["trials"]], run["idle"]) == ([None] * 3, None)


def test_sigterm_while_tests_are_collected_ends_the_session_as_orderly(project):
    project.write("test_bench.py", "import signal\nsignal.raise_signal(signal.SIGTERM)\n")
    result = project.run_alone("--energy", "--energy-meters=replay:windows.jsonl", "--energy-save=run.json")
    assert (result.ret, project.section(result)) == (143, [STOPPED])
    assert project.json("run.json")["benchmarks"] == []


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
