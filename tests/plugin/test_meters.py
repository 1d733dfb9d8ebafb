"""`--energy-meters`, `--energy-sysfs`, `--energy-allow-estimates`."""

import pytest

QUICK = ("--energy-warmup=0", "--energy-min-time=0.1")
ESTIMATE = "cpu-estimate: 5.00 W per busy core, 0 W base; not calibrated, so its error is unknown"
ONE_WINDOW = "import time\nfor trial in energy.trials():\n    with trial:\n        time.sleep(0.12)"


@pytest.fixture
def no_gpu(project, monkeypatch):
    """A driver library that cannot be loaded, for processes of their own: also where the tests' machine has a GPU."""
    project.write("lib/libnvidia-ml.so.1", "")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(project.path / "lib"))


@pytest.fixture
def no_counter(project, no_gpu):
    """A sysfs without counters, and one short test."""
    (project.path / "sys").mkdir()
    project.one_test("energy(sum, range(1000))")
    return project


def test_a_tree_of_counters_is_measured_where_the_option_says(project, live_powercap):
    tree = live_powercap("server2")
    project.one_test(ONE_WINDOW)
    result = project.run(
        "--energy",
        "--energy-meters=rapl",
        f"--energy-sysfs={tree.root}",
        "--energy-save=run.json",
        *QUICK,
        "--energy-trials=2",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["energy: rapl: package-0, dram-0, package-1, dram-1"])
    trials = project.json("run.json")["benchmarks"][0]["trials"]
    assert len(trials) >= 2
    for trial in trials:
        assert trial["energy_j"].keys() == {"package-0", "dram-0", "package-1", "dram-1"}
        assert sum(trial["energy_j"].values()) == pytest.approx(101 * trial["duration_s"], rel=0.5)


def test_a_short_function_is_repeated_until_a_trial_is_long_enough(project, live_powercap):
    tree = live_powercap("one")
    project.one_test("energy(sum, range(1000))")
    project.run(
        "--energy",
        "--energy-meters=rapl",
        f"--energy-sysfs={tree.root}",
        "--energy-save=run.json",
        *QUICK,
        "--energy-trials=2",
    ).assert_outcomes(passed=1)
    trials = project.json("run.json")["benchmarks"][0]["trials"]
    counted = [trial for trial in trials if trial["invalid"] is None]
    assert len(counted) == 2
    assert all(trial["iterations"] > 100 and trial["duration_s"] >= 0.08 for trial in counted)


def test_automatic_meters_say_what_they_took_and_what_they_could_not(project, no_gpu, live_powercap):
    tree = live_powercap("one")
    project.one_test("energy(sum, range(1000))")
    result = project.run_alone("--energy", f"--energy-sysfs={tree.root}", "--energy-trials=1", *QUICK)
    result.stdout.fnmatch_lines(["energy: rapl: measures package-0.", "energy: nvml: not used: *"])


def test_a_named_counter_that_is_not_there_is_an_error_with_the_fix_and_nothing_runs(no_counter):
    said = no_counter.usage_error(no_counter.run_alone("--energy", "--energy-meters=rapl", "--energy-sysfs=sys"))
    assert said.startswith("No RAPL counters in sys"), said


def test_without_any_counter_numbers_are_estimates_that_decide_nothing_and_the_fix_is_said(no_counter):
    result = no_counter.run_alone("--energy", "--energy-sysfs=sys", "--energy-trials=1", "--energy-warmup=0")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["energy: estimate: NO HARDWARE COUNTER can be used here, *"])
    lines = no_counter.section(result)
    assert lines[0].startswith(f"estimated by estimate ({ESTIMATE}) on ")
    assert lines[1] == "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS."
    assert "(estimate)" in lines[3]
    assert lines[4].strip() == (
        "the readings are an estimate by model (estimate), not a measurement, and may not decide. "
        "Use a hardware counter (`energygate doctor` says what is missing and how to mend it), "
        "or let estimates decide: --energy-allow-estimates, allow_estimates: true."
    )
    assert lines[-1] == "energy: FAILED, 1 of 1 benchmark invalid"


def test_estimates_decide_where_they_are_allowed_and_stay_labelled(no_counter):
    result = no_counter.run_alone(
        "--energy", "--energy-sysfs=sys", "--energy-trials=1", "--energy-warmup=0", "--energy-allow-estimates"
    )
    assert result.ret == 0
    assert "(estimate)" in no_counter.section(result)[3]
    assert no_counter.verdict(result).startswith("energy: INCONCLUSIVE, 1 benchmark: 1 ")


def test_estimates_are_not_recorded_unless_they_are_allowed(no_counter):
    said = no_counter.usage_error(no_counter.run_alone("--energy", "--energy-sysfs=sys", "--energy-mode=record"))
    assert said.startswith(
        "This run cannot be recorded: the readings are an estimate by model (estimate), not a measurement"
    )
    assert said.endswith("--energy-allow-estimates, allow_estimates: true.")


@pytest.mark.parametrize(
    ("meters", "message"),
    [
        (
            "watts",
            (
                "--energy-meters names 'watts'. There is no such meter to be had alone or beside others. "
                "Allowed: auto, rapl, nvml, pyrapl, prometheus, codecarbon, estimate, replay:FILE; auto and "
                "replay:FILE stand alone."
            ),
        ),
        (
            "replay:windows.jsonl,rapl",
            (
                "--energy-meters=replay:windows.jsonl,rapl mixes a replay with other meters. "
                "Recorded and live energy are not of the same window. Let replay:FILE stand alone."
            ),
        ),
        (
            "replay:absent.jsonl",
            (
                "Cannot read absent.jsonl: No such file or directory. There is nothing to replay. "
                "Name a file of recorded windows: --energy-meters=replay:FILE."
            ),
        ),
    ],
)
def test_meters_that_cannot_be_had_are_refused_before_anything_runs(project, meters, message):
    assert project.usage_error(project.run("--energy", f"--energy-meters={meters}")) == message


def test_a_recorded_window_that_cannot_be_read_is_named_with_its_line(project):
    project.write("windows.jsonl", '{"energy_j": {"package-0": 1}, "duration_s": 1}\n{"energy_j": {}}\n')
    assert project.usage_error(project.energy()).startswith("windows.jsonl:2: ")
