"""`--energy-only`."""

import pytest

MIXED = """\
import pytest

def test_other():
    raise AssertionError("not asked for")

def test_encode(energy):
    energy(sum, [1, 2])

@pytest.fixture
def measured(energy):
    return energy

def test_decode(measured):
    measured(sum, [3, 4])
"""


def test_it_measures_without_the_other_option_and_deselects_what_does_not(project):
    project.write("test_bench.py", MIXED)
    result = project.run("--energy-only", "--energy-meters=replay:windows.jsonl", "--energy-trials=6")
    result.assert_outcomes(passed=2, deselected=1)
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 2 no baseline"


def test_without_it_the_other_tests_run_too(project):
    project.write("test_bench.py", MIXED)
    project.energy().assert_outcomes(passed=2, failed=1)


def test_a_suite_measures_so_it_stays(project):
    project.write("test_bench.py", "def test_other():\n    pass\n")
    project.write("a.energy.yml", "version: 1\nsuites: [{name: a, kind: command, command: ['{python}', -c, '']}]\n")
    project.session_of("a.energy.yml::a")
    project.energy("--energy-only").assert_outcomes(passed=1, deselected=1)


def test_where_nothing_measures_the_session_fails(project):
    project.write("test_bench.py", "def test_other():\n    pass\n")
    result = project.energy("--energy-only")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert project.verdict(result) == "energy: FAILED, nothing was measured"


def test_what_it_deselects_is_not_missing(project):
    project.with_baselines()
    project.write("test_bench.py", "def test_encode(energy):\n    energy(int)\ndef test_decode():\n    pass\n")
    assert project.verdict(project.energy("--energy-only")) == ("energy: PASSED, 1 of 1 benchmark within budget")
