"""`--energy-config`, `energygate.yml`, the environment, and which of them wins."""

import pytest

BUDGET = "version: 1\ngate: {{budget: {}%}}\n"


def judged(project, *arguments):
    """Gate, and give the verdict, how many benchmarks passed, and the budget that decided."""
    project.energy(f"--energy-report=json:{project.path / 'report.json'}", *arguments)
    report = project.json("report.json")
    (project.path / "report.json").unlink()
    return report["verdict"], report["counts"], report["policy"]["budget"]


@pytest.fixture
def stored_project(project):
    project.with_baselines()
    return project


def test_the_file_in_the_root_folder_is_found_from_any_folder(stored_project, monkeypatch):
    stored_project.write("energygate.yml", BUDGET.format(20))
    assert judged(stored_project) == ("passed", {"pass": 2}, 0.2)
    monkeypatch.chdir(stored_project.path / "baselines")
    (stored_project.path / "windows.jsonl").rename(stored_project.path / "baselines/windows.jsonl")
    assert judged(stored_project, "--rootdir=..", "../test_bench.py") == ("passed", {"pass": 2}, 0.2)


def test_another_file_is_used_where_the_option_names_it(stored_project):
    stored_project.write("energygate.yml", BUDGET.format(20))
    stored_project.write("ci.yml", BUDGET.format(30))
    assert judged(stored_project, "--energy-config=ci.yml") == ("passed", {"pass": 2}, 0.3)


def test_a_variable_that_may_be_meant_for_another_is_named_in_the_header(stored_project, monkeypatch):
    monkeypatch.setenv("ENERGYGATE_TRIAL", "3")
    result = stored_project.energy()
    warning = "energy: warning: ENERGYGATE_TRIAL is not read. Did you mean ENERGYGATE_TRIALS?"
    assert result.outlines.count(warning) == 1


def test_a_file_that_is_named_and_not_there_is_an_error(project):
    assert project.usage_error(project.energy("--energy-config=ci.yml")) == (
        f"Cannot read {project.path / 'ci.yml'}: No such file or directory. Give a file that is there."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\ngate:\n  budget: 5\n", ":3: gate.budget: expected a percentage such as 5%, got 5."),
        ("version: 1\nmetres: auto\n", ":2: metres: unknown key."),
        ("gate: [", ":1: not YAML: "),
    ],
)
def test_a_fault_of_the_file_is_a_usage_error_with_file_line_and_path(project, text, message):
    project.write("energygate.yml", text)
    said = project.usage_error(project.energy())
    assert said.startswith(f"{project.path / 'energygate.yml'}{message}"), said


def test_the_file_says_what_is_measured_judged_and_where_it_is_stored(project):
    project.write(
        "energygate.yml",
        "version: 1\nmeters: ['replay:windows.jsonl']\nbaselines: stored\ntrials: {count: 5, warmup: 0}\n"
        "limits: {'*::test_encode': {energy_j: 80}}\noverrides: {'*decode': {limit: {energy_j: 90}}}\n",
    )
    result = project.run("--energy", "--energy-save=run.json")
    assert [len(each["trials"]) for each in project.json("run.json")["benchmarks"]] == [5, 5]
    assert project.verdict(result) == "energy: FAILED, 2 of 2 benchmarks over limit"
    assert project.run("--energy", "--energy-mode=record").ret == 0
    assert len(list(project.path.glob("stored/*/*.json"))) == 1


def test_the_environment_wins_over_the_file_and_an_option_over_both(project, monkeypatch):
    project.write("energygate.yml", "version: 1\nmeters: ['replay:absent.jsonl']\ntrials: {count: 3}\n")
    monkeypatch.setenv("ENERGYGATE_METERS", "replay:windows.jsonl")
    monkeypatch.setenv("ENERGYGATE_MODE", "measure")
    monkeypatch.setenv("ENERGYGATE_TRIALS", "4")
    monkeypatch.setenv("ENERGYGATE_SAVE", "run.json")
    assert project.verdict(project.run("--energy")) == "energy: MEASURED, nothing was judged"
    assert [len(each["trials"]) for each in project.json("run.json")["benchmarks"]] == [4, 4]
    result = project.run("--energy", "--energy-mode=gate", "--energy-trials=5", "--energy-save=other.json")
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 2 no baseline"
    assert [len(each["trials"]) for each in project.json("other.json")["benchmarks"]] == [5, 5]


def test_the_environment_wins_over_options_that_pytests_own_settings_bring(project, monkeypatch):
    project.write("pytest.ini", "[pytest]\naddopts = --energy-fail-on=regressed --energy-report=json:other.json\n")
    monkeypatch.setenv("ENERGYGATE_FAIL_ON", "no_baseline")
    monkeypatch.setenv("ENERGYGATE_REPORT", "json:report.json")
    project.energy()
    assert (project.json("report.json")["exit_code"], (project.path / "other.json").exists()) == (4, False)
    project.energy("--energy-fail-on", "regressed")
    assert project.json("report.json")["exit_code"] == 0
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p energygate --energy-fail-on=regressed")
    project.energy()
    assert project.json("report.json")["exit_code"] == 0


def test_a_pattern_that_fits_no_benchmark_is_a_warning_and_fails_nothing(project):
    project.write(
        "energygate.yml",
        "version: 1\nlimits: {'*::test_encod': {energy_j: 80}, '*::test_encode': {energy_j: 200}}\n"
        "overrides: {'*gone*': {trials: 5}}\n",
    )
    result = project.energy("--energy-report=json:report.json")
    assert result.ret == 0
    warnings = [
        "limits: '*::test_encod' fits no benchmark of this run, so it decides nothing",
        "overrides: '*gone*' fits no benchmark of this run, so it decides nothing",
    ]
    assert project.section(result)[1:3] == [f"warning: {warning}" for warning in warnings]
    assert project.json("report.json")["warnings"] == warnings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ENERGYGATE_MODE", "gait", "ENERGYGATE_MODE: 'gait': did you mean gate? allowed: measure, gate, record."),
        ("ENERGYGATE_TRIALS", "0", "ENERGYGATE_TRIALS: '0': expected a whole number from 1 to 1000000."),
        ("ENERGYGATE_MIN_TIME", "x", "ENERGYGATE_MIN_TIME: 'x': expected seconds above 0."),
        ("ENERGYGATE_ALLOW_ESTIMATES", "maybe", "ENERGYGATE_ALLOW_ESTIMATES: 'maybe': expected true or false."),
    ],
)
def test_a_fault_of_the_environment_names_the_variable(project, monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    assert project.usage_error(project.run("--energy", "--energy-meters=replay:windows.jsonl")) == message


def test_the_environment_alone_measures_nothing(project, monkeypatch):
    monkeypatch.setenv("ENERGYGATE_MODE", "gate")
    result = project.run()
    result.assert_outcomes(passed=2)
    assert " energy " not in result.stdout.str()
