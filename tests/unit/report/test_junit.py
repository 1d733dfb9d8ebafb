"""JUnit XML: the whole document, each outcome, and what the parser of a common GitHub reporter makes of it."""

import datetime as dt
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import junitparser
import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace
from shown_markdown import WHOLE

from energygate.model import Evidence, Location, Metric, Outcome, Point, Side
from energygate.report.junit import render_junit

GOLDEN = Path(__file__).parent / "golden" / "junit.xml"
AT = dt.datetime(2026, 11, 22, 3, 15, tzinfo=dt.UTC)


def a_side(*durations_s):
    points = tuple(Point(started_s=0.0, duration_s=duration, energy_j={"package-0": 1.0}) for duration in durations_s)
    return Side(run_id="a", commit=COMMIT, at=AT, points=points)


def of_chat(**more):
    return Evidence(benchmark="chat.energy.yml::chat", metric=Metric.J_PER_REQUEST, **more)


def parsed(report):
    (suite,) = junitparser.JUnitXml.fromstring(render_junit(report))
    return suite


def states(report):
    """How a dashboard counts: the state of each test case and its message."""
    return [
        (case.name, [(type(result).__name__, result.type, result.message) for result in case.result])
        for case in parsed(report)
    ]


def suite_of(report):
    return ET.fromstring(render_junit(report)).find("testsuite")


def properties(element):
    return {found.get("name"): found.get("value") for found in element.iterfind("properties/property")}


def test_the_document_of_a_working_tree_is_as_the_golden_file_has_it():
    first, *others = WHOLE.comparisons
    report = replace(
        WHOLE,
        comparisons=(replace(first, location=Location(file="chat.energy.yml", line=4)), *others),
        evidence=(of_chat(head=a_side(2.5, 2.0004), turns=(a_side(1.0), a_side(1.25))),),
    )
    assert render_junit(report).decode() == GOLDEN.read_text()


def test_a_reader_finds_the_counts_the_place_the_time_and_the_figures():
    report = replace(WHOLE, evidence=(of_chat(head=a_side(2.5, 2.0)),))
    suite = parsed(report)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time) == (5, 1, 0, 2, 4.5)
    worst, *_ = suite
    assert (worst.classname, worst.name, worst.time) == ("energygate", "chat.energy.yml::chat", 4.5)
    figures = properties(suite_of(report).find("testcase"))
    assert (figures["j_per_request.head"], figures["j_per_request.limit.base"]) == ("3.84", "3.8")
    assert properties(suite_of(report))["fail_on"] == "over_limit,regressed,invalid"


FAILING = [Outcome.OVER_LIMIT, Outcome.REGRESSED, Outcome.INVALID]
OTHERS = [o for o in Outcome if o not in {*FAILING, Outcome.PASS, Outcome.IMPROVED}]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [*product(FAILING, ["Failure"]), *product(OTHERS, ["Skipped"])],
)
def test_what_policy_fails_on_is_a_failure_and_what_is_not_proven_is_skipped_with_its_reason(outcome, state):
    report = a_report(a_row(outcome=outcome, benchmark="b", reason="because."), verdict="failed", exit_code=1)
    words = outcome.value.replace("_", " ")
    other = a_row(outcome=Outcome.REGRESSED, benchmark="z")  # for which the verdict is a failure
    shown = dict(states(replace(report, comparisons=(*report.comparisons, other))))
    assert shown["b"] == [(state, outcome.value, f"{words}: because.")]


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.IMPROVED])
def test_only_a_proven_pass_is_passed(outcome):
    assert states(a_report(a_row(outcome=outcome, benchmark="b"))) == [("b", [])]


def test_a_regression_that_policy_lets_through_is_no_pass():
    report = a_report(a_row(outcome=Outcome.REGRESSED, benchmark="b", reason="+9 %."), verdict="inconclusive")
    report = replace(report, policy=replace(report.policy, fail_on=("invalid",)))
    assert states(report) == [("b", [("Skipped", "regressed", "regressed: +9 %.")])]


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.MISSING])
def test_where_nothing_valid_was_measured_that_is_the_failure_whatever_policy_names(outcome):
    report = a_report(a_row(outcome=outcome, benchmark="b", reason="no."), verdict="failed", exit_code=5)
    report = replace(report, policy=replace(report.policy, fail_on=("regressed",)))
    assert states(report) == [("b", [("Failure", outcome.value, f"{outcome.value}: no.")])]


def test_a_failure_by_a_policy_that_an_old_report_does_not_tell_is_a_failure():
    report = a_report(a_row(outcome=Outcome.REGRESSED, benchmark="b", reason="+9 %."), a_row(), verdict="failed")
    report = replace(report, policy=replace(report.policy, fail_on=()))
    assert states(report)[0] == ("b", [("Failure", "regressed", "regressed: +9 %.")])
    assert states(report)[1][1] == []


def test_a_failure_that_no_row_stands_for_is_a_test_case_of_its_own():
    sentence = "energy: FAILED, nothing of what it should was measured"
    report = a_report(a_row(benchmark="b"), verdict="failed", exit_code=1)
    assert states(report) == [("verdict", [("Failure", "failed", sentence)]), ("b", [])]


def test_a_report_without_a_benchmark_is_a_failure_and_not_an_empty_success():
    sentence = "energy: FAILED, nothing was measured"
    assert states(a_report(verdict="failed", exit_code=5)) == [("verdict", [("Failure", "failed", sentence)])]


def test_a_benchmark_is_one_test_case_whose_worst_comparison_decides():
    limit = a_row(outcome=Outcome.OVER_LIMIT, benchmark="b", how="limit", reason="above.")
    anchor = a_row(outcome=Outcome.INCONCLUSIVE, benchmark="b", how="anchor", anchor="v1", reason="unsure.")
    passing = a_row(benchmark="b")
    failed = a_report(limit, anchor, passing, verdict="failed", exit_code=1)
    assert states(failed) == [("b", [("Failure", "over_limit", "over limit: above.")])]
    unsure = a_report(anchor, passing, verdict="inconclusive")
    assert states(unsure) == [("b", [("Skipped", "inconclusive", "inconclusive: unsure.")])]


def test_an_estimate_says_so_beside_its_figures():
    case = suite_of(a_report(a_row(benchmark="b", estimated=True))).find("testcase")
    assert properties(case)["energy_j.label"] == "estimate"
    assert "100 \N{RIGHTWARDS ARROW} 101 J (estimate)" in case.findtext("system-out")


def test_what_is_unknown_has_no_attribute_and_no_property():
    row = a_row(outcome=Outcome.MISSING, benchmark="b", base=None, head=None, ratio=None, ratio_low=None,
                ratio_high=None, p_value=None, p_adjusted=None)  # fmt: skip
    report = a_report(row, verdict="inconclusive")
    report = replace(report, head=replace(report.head, run_id="mine", commit=None))
    suite = suite_of(report)
    assert not {"time", "timestamp"} & set(suite.keys())
    assert "commit" not in properties(suite)
    case = suite.find("testcase")
    assert case.attrib == {"classname": "energygate", "name": "b"}
    assert properties(case) == {"energy_j.outcome": "missing"}


@pytest.mark.parametrize("file", ["/etc/passwd", "../other/bench.py"])
def test_a_place_outside_of_the_repository_is_not_told(file):
    case = suite_of(a_report(a_row(benchmark="b", location=Location(file=file, line=3)))).find("testcase")
    assert case.attrib == {"classname": "energygate", "name": "b"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x00b\x1b[31mc\ufffe\uffff", "a bc"),
        ('<script>&"]]>', '<script>&"]]>'),
        ("a\nb\tc\u202ed", "a b c d"),
        ("\ud800", "(empty)"),
        ("[[ATTACHMENT|/etc/passwd]]", "[ [ATTACHMENT|/etc/passwd]]"),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_hostile_name_is_text_on_one_line(name, shown):
    report = a_report(a_row(benchmark=name, reason=name, notes=(name,)), warnings=(name,))
    (case,) = parsed(report)
    assert case.name == shown


def test_names_that_read_alike_stay_two_test_cases():
    rows = [a_row(benchmark=name) for name in ("a (2)", "a\x01", "a", "a\x02")]
    assert [name for name, _ in states(a_report(*rows))] == ["a (2)", "a", "a (3)", "a (4)"]
