"""`energygate ab` with commands that measure by themselves: pytest and `energygate run`, judged by their benchmarks."""

import json
import sys

import pytest
from fakes_git import SIX, STEADY, Project

PYTEST = (sys.executable, "-m", "pytest", "--energy")
MEASURE = (*PYTEST, "--energy-meters=replay:windows.jsonl")
TESTS = "def test_encode(energy):\n    energy(sum, [1, 2])\n\ndef test_decode(energy):\n    energy(sum, [3, 4])\n"
ENCODE, DECODE = "test_bench.py::test_encode", "test_bench.py::test_decode"
NEW, FAILING = "test_bench.py::test_new", "test_bench.py::test_failing"
OLDER = "raise ImportError('an energygate that is older')\n"
ONE_SUITE = 'version: 1\nsuites:\n  - {name: one, kind: command, command: ["true"]}\n'
SUITE = "a.energy.yml::one"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def windows(project, **factors):
    """Record the windows of one side: a line of each benchmark for each block, so many times about 100 J."""
    lines = [
        json.dumps({"benchmark": name, "energy_j": {"package-0": factor * joules}, "duration_s": 3.0})
        for name, factor in factors.items()
        for joules in STEADY
    ]
    project.repository.write("windows.jsonl", "\n".join(lines))


def reason_of(report, name):
    return next(row["reason"] for row in report["comparisons"] if row["benchmark"] == name)


def rows(report):
    return {row["benchmark"]: (row["outcome"], row["blocks"]) for row in report["comparisons"]}


def test_pytest_is_judged_by_its_benchmarks_whatever_its_options_and_the_bases_configuration_say(project):
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    marked = TESTS.replace("def test_encode", "import pytest\n@pytest.mark.energy(trials=4, warmup=3)\ndef test_encode")
    project.repository.commit(test_bench_py=marked, energygate_yml="version: 1\nmeters: [nvml]\nnoise: {steal: 7%}\n")
    project.repository.write("energygate.yml", "version: 1\nmeters: ['replay:windows.jsonl']\n")
    windows(project, **{ENCODE: 1.2, DECODE: 1.0})
    more = ("--energy-trials=9", "--energy-mode=gate", "--energy-report=json:x.json", "--energy-save=y.json")
    options = (*SIX, "--json", "--save=../head.json")
    code, report = project.report("ab", "--base=HEAD", *options, "--", *PYTEST, *more)
    assert (code, rows(report)) == (1, {ENCODE: ("regressed", 6), DECODE: ("pass", 6)})
    run = json.loads((project.folder.parent / "head.json").read_text())
    assert [trial["energy_j"]["package-0"] for trial in run["benchmarks"][1]["trials"]] == list(STEADY[:6])
    assert run["benchmarks"][0]["location"] == {"file": "test_bench.py", "line": 2}


def test_what_a_side_lacks_or_cannot_do_is_named_and_the_rest_is_judged(project):
    failing = "def test_failing(energy):\n    energy(sum, [1])\n    assert {}\n"
    names = (ENCODE, DECODE, NEW, FAILING)
    windows(project, **dict.fromkeys(names, 1.0))
    project.repository.commit(test_bench_py=TESTS + failing.format("not 1"))
    project.repository.write("test_bench.py", TESTS.replace("test_decode", "test_new") + failing.format("1"))
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--save=../run.json", "--", *MEASURE)
    assert (code, rows(report)) == (
        5,
        {ENCODE: ("pass", 6), DECODE: ("missing", 0), NEW: ("no_baseline", 0), FAILING: ("invalid", 0)},
    )
    assert reason_of(report, FAILING).startswith("base: the test failed (AssertionError)")
    assert reason_of(report, NEW) == "the base does not have it: it is new, and has nothing to be compared with."
    assert project.report("compare", "../run.base.json", "../run.json", "--json") == (code, report)


def test_a_base_that_measured_nothing_yet_has_no_baseline(project):
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    project.repository.commit(test_bench_py="def test_encode():\n    pass\n")
    project.repository.write("test_bench.py", TESTS)
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--", *MEASURE)
    assert (code, rows(report)) == (0, {ENCODE: ("no_baseline", 0), DECODE: ("no_baseline", 0)})


def test_a_base_that_cannot_be_collected_is_invalid_with_the_last_lines(project):
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    project.repository.commit(test_bench_py=f"import no_such_module\n{TESTS}")
    project.repository.write("test_bench.py", TESTS)
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--", *MEASURE)
    assert (code, rows(report)) == (5, {ENCODE: ("invalid", 0), DECODE: ("invalid", 0)})
    assert reason_of(report, ENCODE).startswith(
        "base: it was not measured: the command exited with status 2. Its last "
    )
    assert "No module named 'no_such_module'" in reason_of(report, ENCODE)


def test_code_that_comes_from_the_users_own_tree_is_refused(project):
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    project.repository.write("lib/product.py", "")
    conftest = f"import sys\nsys.path.insert(0, {str(project.folder / 'lib')!r})\nimport product\n"
    project.repository.commit(test_bench_py=TESTS, conftest_py=conftest)
    code, _, err = project("ab", "--base=HEAD", *SIX, "--", *MEASURE)
    assert code == 5
    assert f"product was imported from {project.folder}/lib/product.py, which is the working tree itself" in err


def test_a_command_that_measures_twice_is_refused(project):
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    twice = "import subprocess, sys\nsys.exit(any([subprocess.run(sys.argv[1:]).returncode for _ in range(2)]))\n"
    project.repository.commit(test_bench_py=TESTS, twice_py=twice)
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--", sys.executable, "twice.py", *MEASURE)
    assert (code, rows(report)) == (5, {ENCODE: ("invalid", 0), DECODE: ("invalid", 0)})
    assert "The command measures twice" in reason_of(report, ENCODE)


def test_suites_are_judged_by_their_names_and_each_side_by_its_own_file(project):
    windows(project, **{SUITE: 1.0})
    project.repository.write("a.energy.yml", ONE_SUITE)
    project.repository.commit()
    windows(project, **{SUITE: 1.2})
    command = (sys.executable, "-m", "energygate", "run", "a.energy.yml", "--meters=replay:windows.jsonl")
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--", *command)
    assert (code, rows(report)) == (1, {SUITE: ("regressed", 6)})


def test_a_benchmarks_own_budget_and_limit_judge_it(project):
    marked = TESTS.replace(
        "def test_encode", "import pytest\n@pytest.mark.energy(budget='2%', limit={'energy_j': 50})\ndef test_encode"
    )
    windows(project, **{ENCODE: 1.0, DECODE: 1.0})
    project.repository.commit(test_bench_py=marked)
    windows(project, **{ENCODE: 1.035, DECODE: 1.035})
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--save=../run.json", "--", *MEASURE)
    found = [(row["benchmark"], row["how"], row["outcome"]) for row in report["comparisons"]]
    assert (code, found) == (
        1,
        [
            (ENCODE, "limit", "over_limit"),
            (ENCODE, "interleaved", "regressed"),
            (DECODE, "interleaved", "pass"),
        ],
    )
    assert project.report("compare", "../run.base.json", "../run.json", "--json") == (code, report)


def test_a_suites_limits_judge_it(project):
    windows(project, **{SUITE: 1.0})
    project.repository.write("a.energy.yml", ONE_SUITE.replace('["true"]', '["true"], limits: {energy_j: 50}'))
    project.repository.commit()
    command = (sys.executable, "-m", "energygate", "run", "a.energy.yml", "--meters=replay:windows.jsonl")
    code, report = project.report("ab", "--base=HEAD", *SIX, "--json", "--", *command)
    assert (code, [(row["how"], row["outcome"]) for row in report["comparisons"]]) == (
        1,
        [("limit", "over_limit"), ("interleaved", "pass")],
    )


def test_run_clears_a_session_that_is_dearer_throughout_where_its_base_is_too_whatever_energygate_that_holds(project):
    """Of +4 % nobody is suspect; but where all cost so much more the machine may have changed, and all are queued."""
    names = [SUITE, *(f"a.energy.yml::{name}" for name in ("two", "three", "four", "five"))]
    suites = [f"  - {{name: {name.rpartition('::')[2]}, kind: command, command: ['true']}}\n" for name in names]
    project.repository.write("a.energy.yml", f"version: 1\nsuites:\n{''.join(suites)}")
    project.repository.write(".gitignore", "/baselines/\n")
    project.repository.commit()
    record = ("run", "a.energy.yml", "--mode=record", "--meters=replay:windows.jsonl")
    for session in (1.0, 1.002, 0.998):
        windows(project, **dict.fromkeys(names, session))
        with project.start(*record) as process:
            out, err = process.communicate()
        assert process.returncode == 0, out + err
    windows(project, **dict.fromkeys(names, 1.04) | {SUITE: 1.2})
    older = project.repository.write("energygate/__init__.py", OLDER)
    project.repository.commit()
    older.unlink()
    project.repository.commit()
    again = ("run", "a.energy.yml", "--meters=replay:windows.jsonl", "--against=HEAD~1", *SIX, "--json")
    code, report = project.report(*again)
    assert (code, rows(report)) == (0, dict.fromkeys(names, ("pass", 6)))
    assert {row["how"] for row in report["comparisons"]} == {"interleaved"}
    assert report["warnings"] == []
