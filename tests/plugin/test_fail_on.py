"""`--energy-fail-on`."""

import pytest


def test_an_outcome_that_is_not_listed_fails_nothing_and_is_shown(project):
    project.with_baselines()
    project.session(test_encode=1.5)
    result = project.energy("--energy-fail-on=invalid,over_limit")
    assert result.ret == 0
    assert project.verdict(result) == "energy: INCONCLUSIVE, 2 benchmarks: 1 regressed, 1 pass"


def test_a_missing_baseline_fails_the_session_where_it_is_listed(project):
    result = project.energy("--energy-fail-on=no_baseline", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.verdict(result) == "energy: FAILED, 2 of 2 benchmarks no baseline"
    assert project.json("report.json")["exit_code"] == 4


def test_what_is_not_proven_fails_the_session_where_it_is_listed(project):
    project.with_baselines()
    project.session(test_encode=1.03)
    assert project.verdict(project.energy()) == "energy: INCONCLUSIVE, 2 benchmarks: 1 suspect, 1 pass"
    result = project.energy("--energy-fail-on=regressed,suspect,inconclusive", "--energy-report=json:report.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.json("report.json")["exit_code"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "regression",
            (
                "--energy-fail-on: 'regression': did you mean regressed? allowed: over_limit, regressed, invalid, "
                "missing, suspect, inconclusive, incomparable, no_baseline, improved, pass."
            ),
        ),
        (
            "regressed,pass",
            (
                "--energy-fail-on: 'pass': it is a proven pass; allowed: over_limit, regressed, invalid, missing, "
                "suspect, inconclusive, incomparable, no_baseline."
            ),
        ),
    ],
)
def test_what_is_no_outcome_that_can_fail_is_refused(project, given, message):
    assert project.usage_error(project.energy(f"--energy-fail-on={given}")) == message
