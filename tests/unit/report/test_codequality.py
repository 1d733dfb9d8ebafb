"""Code Quality findings: which rows are one, how bad, where, and that their fingerprints hold."""

import json

import pytest
from fakes import a_report, a_row
from msgspec.structs import replace
from shown_markdown import WHOLE

from energygate.model import Location, Metric, Outcome
from energygate.report.codequality import render_codequality

REGRESSED = a_row(
    outcome=Outcome.REGRESSED,
    benchmark="bench.py::test_it",
    reason="above the budget of 5 %.",
    location=Location(file="bench.py", line=12),
)


def found(*rows, **more):
    return json.loads(render_codequality(a_report(*rows, **{"verdict": "failed", "exit_code": 1} | more)))


def fingerprint(**fields):
    (finding,) = found(replace(REGRESSED, **fields))
    return finding["fingerprint"]


def test_a_finding_has_what_gitlab_reads():
    assert found(REGRESSED) == [
        {
            "description": (
                "regressed: bench.py::test_it: +1.0 % (90 % CI \N{MINUS SIGN}1.0 \N{HORIZONTAL ELLIPSIS} +3.0); 100 "
                "\N{RIGHTWARDS ARROW} 101 J; 0 trials, 4 sessions, adjusted p 0.2. Above the budget of 5 %. See it "
                "again: python -m pytest --energy bench.py::test_it"
            ),
            "check_name": "energygate/regressed",
            "fingerprint": "25a2d17d534c6c342f76097629e526774f544ae75904b389a84c6e1b57913660",
            "severity": "critical",
            "location": {"path": "bench.py", "lines": {"begin": 12}},
        }
    ]


def test_what_has_no_place_stands_beside_the_settings_file():
    (finding,) = json.loads(render_codequality(WHOLE))
    assert finding["location"] == {"path": "energygate.yml", "lines": {"begin": 1}}


@pytest.mark.parametrize(
    ("outcome", "severity"),
    [
        (Outcome.OVER_LIMIT, ["critical"]),
        (Outcome.REGRESSED, ["critical"]),
        (Outcome.INVALID, ["critical"]),
        (Outcome.MISSING, []),
        (Outcome.SUSPECT, ["minor"]),
        (Outcome.INCONCLUSIVE, []),
        (Outcome.INCOMPARABLE, []),
        (Outcome.NO_BASELINE, []),
        (Outcome.IMPROVED, []),
        (Outcome.PASS, []),
    ],
)
def test_what_fails_is_critical_and_a_suspect_minor(outcome, severity):
    worst = a_row(outcome=Outcome.REGRESSED, benchmark="worst")
    assert [each["severity"] for each in found(worst, a_row(outcome=outcome, benchmark="b"))[1:]] == severity


def test_a_regression_that_policy_lets_through_is_major():
    report = a_report(REGRESSED, verdict="inconclusive")
    report = replace(report, policy=replace(report.policy, fail_on=("suspect",)))
    assert [each["severity"] for each in json.loads(render_codequality(report))] == ["major"]


def test_a_failure_that_no_row_stands_for_is_a_finding_all_the_same():
    (finding,) = found(exit_code=5)
    assert finding["description"] == "energy: FAILED, nothing was measured"
    assert (finding["severity"], finding["location"]["path"]) == ("critical", "energygate.yml")


def test_a_report_that_passes_has_no_findings():
    assert render_codequality(a_report(a_row())) == b"[]\n"


def test_a_fingerprint_does_not_change_with_the_figures_the_reason_or_the_line():
    other = {"head": 200.0, "ratio": 2.0, "reason": "another.", "location": Location(file="bench.py", line=99)}
    assert fingerprint(**other) == fingerprint()


def test_findings_that_differ_have_different_fingerprints():
    each = [
        fingerprint(),
        fingerprint(benchmark="bench.py::test_other"),
        fingerprint(metric=Metric.J_PER_REQUEST),
        fingerprint(how="limit"),
        fingerprint(how="anchor", anchor="v1"),
        fingerprint(how="anchor", anchor="v2"),
        fingerprint(outcome=Outcome.OVER_LIMIT),
    ]
    assert len(set(each)) == len(each)


def test_a_hostile_name_is_one_line_of_text():
    name = "\x1b[31m</td>\n\u202e@all\x00"
    (finding,) = found(a_row(outcome=Outcome.REGRESSED, benchmark=name, location=Location(file=name, line=1)))
    assert finding["location"]["path"] == "energygate.yml"
    assert finding["description"].startswith("regressed: </td> @all: ")
    assert finding["description"].isprintable()
