"""The badge: what it says of one benchmark and of several, and how it is coloured."""

import json

import pytest
from fakes import a_report, a_row
from shown_markdown import WHOLE

from energygate.model import Metric, Outcome
from energygate.report.badge import render_badge

PER_TOKEN = {"metric": Metric.J_PER_OUTPUT_TOKEN, "ratio": 1.062}


def shown(report):
    badge = json.loads(render_badge(report))
    assert list(badge) == ["schemaVersion", "label", "message", "color", "isError"]
    assert badge["schemaVersion"] == 1
    return badge["label"], badge["message"], badge["color"], badge["isError"]


@pytest.mark.parametrize(
    ("row", "verdict", "message", "colour"),
    [
        ({**PER_TOKEN}, "passed", "+6.2 % J/token", "brightgreen"),
        ({**PER_TOKEN, "outcome": Outcome.REGRESSED}, "failed", "+6.2 % J/token, regressed", "red"),
        ({"outcome": Outcome.IMPROVED, "ratio": 0.9}, "passed", "\N{MINUS SIGN}10.0 % J, improved", "brightgreen"),
        ({"outcome": Outcome.INCONCLUSIVE}, "inconclusive", "+1.0 % J, inconclusive", "yellow"),
        ({"outcome": Outcome.NO_BASELINE, "ratio": None}, "inconclusive", "no baseline", "yellow"),
        ({"outcome": Outcome.OVER_LIMIT, "how": "limit"}, "failed", "+1.0 % J against the limit, over limit", "red"),
        ({"how": "anchor", "anchor": "<v1>"}, "passed", "+1.0 % J since the anchor", "brightgreen"),
    ],
)
def test_of_one_benchmark_it_says_by_how_much_and_what_that_is(row, verdict, message, colour):
    report = a_report(a_row(**row), verdict=verdict, exit_code=int(verdict == "failed"))
    assert shown(report) == ("energy", message, colour, verdict == "failed")


def test_of_one_benchmark_the_comparison_that_fails_is_told():
    pair = (a_row(outcome=Outcome.MISSING, ratio=None), a_row(outcome=Outcome.REGRESSED, ratio=1.1))
    assert shown(a_report(*pair, verdict="failed", exit_code=1))[1] == "+10.0 % J, regressed"


def test_of_several_it_counts_those_that_fail_and_no_others():
    assert shown(WHOLE) == ("energy", "1 of 5 regressed", "red", True)


def test_of_several_that_are_not_proven_it_counts_each_outcome():
    outcomes = (Outcome.SUSPECT, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)
    rows = [a_row(benchmark=f"b{n}", outcome=outcome) for n, outcome in enumerate(outcomes)]
    report = a_report(*rows, a_row(), verdict="inconclusive")
    assert shown(report) == ("energy", "1 of 4 suspect, 2 of 4 inconclusive", "yellow", False)


def test_of_several_that_pass_it_says_so_with_their_number():
    report = a_report(*(a_row(benchmark=f"b{n}") for n in range(12)))
    assert shown(report) == ("energy", "12 of 12 within budget", "brightgreen", False)


def test_a_report_without_a_benchmark_is_no_success():
    assert shown(a_report(verdict="failed", exit_code=5)) == ("energy", "nothing measured", "red", True)


def test_a_number_that_is_no_measurement_says_so():
    assert shown(a_report(a_row(estimated=True)))[:2] == ("energy (estimate)", "+1.0 % J")
    integrated = a_row(estimated=True, label="integrated power")
    assert shown(a_report(integrated))[0] == "energy (integrated power)"


def test_no_name_is_shown():
    name = "<script>"
    row = a_row(benchmark=name, reason=name, how="anchor", anchor=name, outcome=Outcome.OVER_LIMIT)
    assert b"script" not in render_badge(a_report(row, verdict="failed", exit_code=1))
