"""`--energy-mode`: measure, gate, record."""

import re

import pytest

RED, PLAIN = "\x1b[1;31m", "\x1b[0m"
ENCODE, DECODE = "test_bench.py::test_encode", "test_bench.py::test_decode"
MARKED = """\
import pytest

@pytest.mark.energy(trials=3)
def test_encode(energy):
    energy(int)

@pytest.mark.energy(trials=6)
def test_decode(energy):
    energy(int)
"""


def test_the_default_is_to_gate_and_three_recorded_sessions_pass_unchanged_work(project):
    project.with_baselines()
    project.session(test_encode=1.001, test_decode=0.999)
    result = project.energy()
    assert result.ret == 0
    assert project.verdict(result) == "energy: PASSED, 2 of 2 benchmarks within budget"


def test_half_as_much_energy_again_fails_the_session_and_one_line_says_which_and_how_much(project):
    project.with_baselines()
    project.session(test_encode=1.5)
    result = project.energy("--energy-report=json:report.json")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lines = project.section(result)
    assert [line for line in lines if "regressed  " in line] == [
        "regressed  test_bench.py::test_encode   100   150 J  +50.0 %  +46.0 \N{HORIZONTAL ELLIPSIS} +54.0"
    ]
    assert lines[-1] == "energy: FAILED, 1 of 2 benchmarks regressed"
    report = project.json("report.json")
    assert (report["verdict"], report["exit_code"], report["counts"]) == ("failed", 1, {"regressed": 1, "pass": 1})
    worst = report["comparisons"][0]
    assert (worst["benchmark"], worst["outcome"]) == ("test_bench.py::test_encode", "regressed")


def test_the_regression_and_the_verdict_are_red_and_a_pass_is_green(project):
    project.with_baselines()
    project.session(test_encode=1.5, test_decode=1.5)
    text = project.energy("--color=yes").stdout.str()
    assert f"{RED}energy: FAILED, 2 of 2 benchmarks regressed{PLAIN}" in text
    assert text.count(f"{RED}regressed{PLAIN}  test_bench.py::test_") == 2
    project.session()
    passed = project.energy("--color=yes").stdout.str()
    assert "\x1b[1;32menergy: PASSED, 2 of 2 benchmarks within budget\x1b[0m" in passed


def test_without_colour_there_is_no_escape(project):
    assert "\x1b" not in project.energy("--color=no").stdout.str()


def test_a_benchmark_without_a_baseline_is_shown_as_such_and_never_as_passed(project):
    result = project.energy("--energy-report=json:report.json")
    assert result.ret == 0
    assert project.section(result) == [
        project.section(result)[0],
        "verdict      benchmark                   base  head",
        "no baseline  test_bench.py::test_decode     \N{EN DASH}   100 J",
        "             no stored run has it yet. Record one on the main branch.",
        "no baseline  test_bench.py::test_encode     \N{EN DASH}   100 J",
        "             no stored run has it yet. Record one on the main branch.",
        "energy: INCONCLUSIVE, 2 benchmarks: 2 no baseline",
    ]
    report = project.json("report.json")
    assert (report["verdict"], report["counts"]) == ("inconclusive", {"no_baseline": 2})


def test_the_section_begins_with_the_meter_and_the_machine(project):
    assert re.fullmatch(r"replayed by replay \(package-0\) on [a-z0-9-]+", project.section(project.energy())[0])


def test_measuring_only_judges_nothing_even_where_a_gate_would_fail(project):
    project.with_baselines()
    before = project.stored()
    project.session(test_encode=1.5, test_decode=1.5)
    result = project.energy("--energy-mode=measure")
    assert result.ret == 0
    assert project.section(result)[1:] == [
        "result    benchmark                   mean         cv  trials    each",
        "measured  test_bench.py::test_encode   150 J  0.445 %       6  3.00 s",
        "measured  test_bench.py::test_decode   150 J  0.445 %       6  3.00 s",
        "energy: MEASURED, nothing was judged",
    ]
    assert project.stored() == before


def test_recording_adds_one_file_named_after_time_and_commit_and_says_where(project):
    result = project.energy("--energy-mode=record")
    assert result.ret == 0
    (stored,) = project.stored()
    assert re.fullmatch(
        r"baselines/[0-9a-f]{12}/[0-9]{8}T[0-9]{6}Z-nocommit-[0-9TZ]{16}-[0-9a-f]{10}\.json", str(stored)
    )
    assert project.verdict(result) == f"energy: RECORDED, stored as {project.path / stored}"
    run = project.json(stored)
    assert [benchmark["name"] for benchmark in run["benchmarks"]] == [
        "test_bench.py::test_encode",
        "test_bench.py::test_decode",
    ]


def test_nothing_valid_is_not_recorded(project):
    project.session_of("test_another.py::test_it")
    result = project.energy("--energy-mode=record")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.section(result)[-3:] == [
        f"not recorded as a session: {ENCODE}: nothing valid was measured",
        f"not recorded as a session: {DECODE}: nothing valid was measured",
        "energy: FAILED, nothing was recorded",
    ]
    assert project.stored() == []


TOO_FEW = (
    "trials.count: at most 4 trials of a benchmark would be recorded, and fewer than 5 are no session. Nothing could "
    "be compared with them. Give 5 or more: --energy-trials=5."
)


def test_a_recording_of_which_nothing_can_come_is_refused_before_anything_is_measured(project):
    result = project.energy("--energy-mode=record", "--energy-trials=4")
    assert project.usage_error(result) == TOO_FEW
    project.write("energygate.yml", "version: 1\ntrials: {count: 4}\n")
    command = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-mode=record")
    assert project.usage_error(project.run(*command)) == TOO_FEW
    project.write("test_bench.py", MARKED.replace("trials=6", "trials=4"))
    assert project.usage_error(project.run(*command)) == TOO_FEW.replace("count:", f"count of {DECODE}:")
    assert project.stored() == []


def test_a_benchmark_that_is_no_session_fails_a_recording_that_is_stored_for_the_others(project):
    project.write("test_bench.py", MARKED)
    result = project.run("--energy", "--energy-meters=replay:windows.jsonl", "--energy-mode=record")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (stored,) = project.stored()
    assert project.section(result)[-2:] == [
        f"not recorded as a session: {ENCODE}: 3 valid trials, and fewer than 5 are no session",
        f"energy: FAILED, 1 of 2 benchmarks not recorded as a session; stored as {project.path / stored}",
    ]


def test_measuring_nothing_valid_fails_the_session(project):
    project.one_test("energy(int)", windows=[100.0])
    result = project.energy("--energy-mode=measure")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.verdict(result) == "energy: FAILED, nothing valid was measured"


@pytest.mark.parametrize("mode", ["measure", "gate", "record"])
def test_a_session_in_which_no_test_measures_fails_and_says_so(project, mode):
    project.write("test_bench.py", "def test_other():\n    pass\n")
    result = project.energy(f"--energy-mode={mode}")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    nothing = "nothing was measured" if mode == "gate" else "nothing valid was measured"
    assert project.verdict(result) == f"energy: FAILED, {nothing}"
    assert project.stored() == []


def test_an_unknown_mode_is_refused_with_the_ones_there_are(project):
    assert project.usage_error(project.energy("--energy-mode=compare")) == (
        "--energy-mode: 'compare': allowed: measure, gate, record."
    )


def test_a_session_with_a_failed_test_is_saved_and_not_recorded(project):
    project.write("test_other.py", "def test_wrong():\n    assert False\n")
    result = project.energy("--energy-mode=record", "--energy-save=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.verdict(result) == "energy: FAILED, tests failed, so nothing was recorded: a baseline is what works"
    assert len(project.json("run.json")["benchmarks"]) == 2
    assert project.stored() == []
