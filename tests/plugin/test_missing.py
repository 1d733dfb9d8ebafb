"""A benchmark that is stored and was not measured."""

import pytest

ENCODE_ONLY = "def test_encode(energy):\n    energy(int)\n"
ONE_PASSED = "energy: PASSED, 1 of 1 benchmark within budget"
MISSING = "energy: INCONCLUSIVE, 2 benchmarks: 1 missing, 1 pass"


@pytest.fixture
def stored_project(project):
    project.with_baselines()
    return project


def test_a_test_that_was_removed_is_visible_on_the_terminal_and_in_the_report(stored_project):
    stored_project.write("test_bench.py", ENCODE_ONLY)
    result = stored_project.energy("--energy-report=json:report.json")
    assert result.ret == 0
    assert stored_project.section(result)[2:4] == [
        "missing  test_bench.py::test_decode",
        (
            "         stored runs have it and this run did not measure it. If it was removed on purpose, record a "
            "new baseline."
        ),
    ]
    assert stored_project.verdict(result) == MISSING
    rows = stored_project.json("report.json")["comparisons"]
    assert [(row["benchmark"], row["outcome"]) for row in rows] == [
        ("test_bench.py::test_decode", "missing"),
        ("test_bench.py::test_encode", "pass"),
    ]


def test_a_test_file_that_was_removed_is_visible(stored_project):
    (stored_project.path / "test_bench.py").unlink()
    stored_project.write("other/test_other.py", ENCODE_ONLY)
    stored_project.session_of("other/test_other.py::test_encode")
    assert stored_project.verdict(stored_project.energy()) == (
        "energy: INCONCLUSIVE, 3 benchmarks: 2 missing, 1 no baseline"
    )


def test_a_test_that_no_longer_measures_is_visible(stored_project):
    stored_project.write("test_bench.py", f"{ENCODE_ONLY}def test_decode():\n    pass\n")
    assert stored_project.verdict(stored_project.energy()) == MISSING


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", "encode"),
        ("-m", "chosen"),
        ("--deselect", "test_bench.py::test_decode"),
        ("test_bench.py::test_encode",),
    ],
)
def test_what_was_left_out_on_purpose_is_not_missing(stored_project, arguments):
    stored_project.write(
        "test_bench.py",
        f"import pytest\n@pytest.mark.chosen\n{ENCODE_ONLY}def test_decode(energy):\n    energy(int)\n",
    )
    stored_project.write("pytest.ini", "[pytest]\nmarkers = chosen\n")
    assert stored_project.verdict(stored_project.energy(*arguments)) == ONE_PASSED


@pytest.mark.parametrize("arguments", [("other",), ("--ignore=test_bench.py",), ("--ignore-glob=*bench*",)])
def test_what_lies_in_a_file_that_was_not_asked_for_is_not_missing(stored_project, arguments):
    stored_project.write("other/test_other.py", ENCODE_ONLY)
    stored_project.session_of("other/test_other.py::test_encode")
    assert stored_project.verdict(stored_project.energy(*arguments)) == (
        "energy: INCONCLUSIVE, 1 benchmark: 1 no baseline"
    )


def test_the_tests_that_a_last_failed_run_leaves_out_are_not_missing(stored_project):
    stored_project.write(
        "test_bench.py", f"{ENCODE_ONLY}    assert 1 == 2\ndef test_decode(energy):\n    energy(int)\n"
    )
    stored_project.energy().assert_outcomes(passed=1, failed=1)
    stored_project.write("test_bench.py", f"{ENCODE_ONLY}\ndef test_decode(energy):\n    energy(int)\n")
    assert stored_project.verdict(stored_project.energy("--lf")) == ONE_PASSED


def test_it_fails_the_session_where_policy_says_so(stored_project):
    stored_project.write("test_bench.py", ENCODE_ONLY)
    result = stored_project.energy("--energy-fail-on=missing")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert stored_project.verdict(result) == "energy: FAILED, 1 of 2 benchmarks missing"


@pytest.mark.parametrize("arguments", [("-k", "encode"), ("-m", "chosen")])
def test_a_test_that_was_removed_is_missing_whatever_else_is_left_out(stored_project, arguments):
    stored_project.write("test_bench.py", f"import pytest\n@pytest.mark.chosen\n{ENCODE_ONLY}")
    stored_project.write("pytest.ini", "[pytest]\nmarkers = chosen\n")
    assert stored_project.verdict(stored_project.energy(*arguments)) == MISSING
