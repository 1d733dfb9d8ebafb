"""Without `--energy`."""

import re

import pytest

from energygate.meters.select import METER_NAMES

HEAVY = ("numpy", "scipy", "msgspec", "yaml", "httpx", "pynvml", "rich", "click")


def test_without_the_option_the_callable_runs_once_and_its_result_comes_back(project):
    project.write(
        "test_bench.py",
        "calls = []\n"
        "def test_encode(energy):\n"
        "    assert energy(lambda x, *, y: calls.append(x) or x + y, 1, y=2) == 3\n"
        "    assert calls == [1]\n",
    )
    result = project.run()
    result.assert_outcomes(passed=1)
    assert " energy " not in result.stdout.str()


def test_without_the_option_trials_give_one_window_that_takes_counts_and_keeps_nothing(project):
    project.one_test(
        "seen = 0\n"
        "for trial in energy.trials():\n"
        "    trial.sync = lambda: None\n"
        "    with trial as entered:\n"
        "        assert entered is trial\n"
        "        seen += 1\n"
        "        trial.add(requests=1, input_tokens=3, output_tokens=4)\n"
        "    trial.add_usage({'prompt_tokens': 3, 'completion_tokens': 4})\n"
        "assert seen == 1"
    )
    project.run().assert_outcomes(passed=1)


def test_without_the_option_an_error_in_the_measured_code_fails_the_test(project):
    project.one_test("for trial in energy.trials():\n    with trial:\n        raise OSError('no server')")
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *OSError: no server"])


@pytest.mark.parametrize("statement", ["", "import energygate"])
def test_without_the_option_nothing_heavy_is_imported(project, statement):
    project.write(
        "conftest.py",
        f"import sys\n{statement}\n"
        "def pytest_unconfigure():\n"
        f"    print('heavy:', sorted(set({HEAVY}) & set(sys.modules)))\n",
    )
    result = project.run_alone("-s")
    result.assert_outcomes(passed=2)
    assert re.findall("^heavy: .*$", result.stdout.str(), re.MULTILINE) == ["heavy: []"]


def test_without_the_option_the_marker_is_known_and_explained(project):
    project.write(
        "test_bench.py", "import pytest\n@pytest.mark.energy(trials=20)\ndef test_encode(energy):\n    energy(int)\n"
    )
    project.run("--strict-markers").assert_outcomes(passed=1)
    project.run("--markers").stdout.fnmatch_lines(
        [
            (
                "@pytest.mark.energy(trials, warmup, min_time, budget, min_effect, limit): how `energy` measures and "
                "judges a test"
            )
        ]
    )


def test_without_the_option_suites_in_yaml_are_no_tests(project):
    project.write("chat.energy.yml", "version: 1\nsuites: [{name: a, kind: command, command: [no-such-program]}]\n")
    project.run().assert_outcomes(passed=2)


def test_every_option_is_in_the_help_with_its_values(project):
    text = project.run("--help").stdout.str()
    assert all(name in " ".join(text.split()) for name in METER_NAMES)
    options = set(re.findall(r"^ +(--energy\S*)", text, re.MULTILINE))
    assert options == {
        "--energy",
        "--energy-only",
        "--energy-mode=measure|gate|record",
        "--energy-meters=LIST",
        "--energy-config=FILE",
        "--energy-sysfs=DIR",
        "--energy-baselines=URI",
        "--energy-allow-estimates",
        "--energy-trials=N",
        "--energy-warmup=N",
        "--energy-min-time=SECONDS",
        "--energy-lock-timeout=SECONDS",
        "--energy-save=FILE",
        "--energy-report=FORMAT:FILE",
        "--energy-fail-on=LIST",
        "--energy-against=REF",
    }


def test_help_and_version_open_no_meter(project):
    assert project.run_alone("--energy", "--energy-meters=replay:absent.jsonl", "--help").ret == 0
    assert project.run_alone("--energy", "--energy-meters=replay:absent.jsonl", "--version").ret == 0


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--energy-mode=gate", "mode"),
        ("--energy-save=run.json", "save"),
        ("--energy-report=json:report.json", "report"),
        ("--energy-fail-on=invalid", "fail-on"),
    ],
)
def test_an_option_that_asks_for_a_result_is_refused_where_nothing_is_measured(project, option, name):
    assert project.usage_error(project.run(option)) == (
        f"--energy-{name} asks for a result, and without --energy nothing is measured. Add it."
    )
