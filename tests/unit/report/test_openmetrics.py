"""The report as metrics: one text for both of Prometheus's formats."""

import math
import re
from pathlib import Path

import pytest
from exported_report import ESTIMATED, MEASURED
from fakes import a_meter, a_report, a_row
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus_text

from energygate.model import Head, Outcome
from energygate.report.formats import FORMATS
from energygate.report.openmetrics import FAMILIES, render_openmetrics

GOLDEN = Path(__file__).parent / "golden" / "report.prom"
DOCUMENT = Path(__file__).parents[3] / "docs/telemetry.md"
NAME = a_row().benchmark


def samples(text, parse=openmetrics):
    """Give `{name: [(labels, value)]}`."""
    return {family.name: [(s.labels, s.value) for s in family.samples] for family in parse(text)}


def outcomes(*benchmarks):
    text = render_openmetrics(a_report(*(a_row(benchmark=name) for name in benchmarks)))
    assert samples(text) == samples(text, prometheus_text)
    return [labels["benchmark"] for labels, _ in samples(text)["energygate_outcome"]]


def test_a_whole_report_is_as_the_golden_file_has_it():
    assert FORMATS["openmetrics"].render(MEASURED).decode() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("report", [MEASURED, ESTIMATED, a_report()], ids=["measured", "estimated", "empty"])
def test_both_formats_parsers_read_the_same_from_it(report):
    text = render_openmetrics(report)
    found = samples(text)
    assert found == samples(text, prometheus_text)
    assert len(found) >= 5


def test_what_is_unknown_is_absent_and_a_family_without_samples_is_not_described():
    row = a_row(
        outcome=Outcome.NO_BASELINE, base=None, ratio=None, ratio_low=math.nan, ratio_high=math.inf, p_adjusted=None
    )
    text = render_openmetrics(a_report(row))
    assert [labels["side"] for labels, _ in samples(text)["energygate_energy_joules"]] == ["head"]
    assert not re.search(r"energygate_(ratio|ratio_low|ratio_high|adjusted_p_value|domain_ratio)\b|NaN|Inf", text)


@pytest.mark.parametrize(
    ("row", "kind", "reading"),
    [
        (a_row(), "counter", "measured"),
        (a_row(), "replay", "replay"),
        (a_row(estimated=True, label="estimate"), "estimate", "estimate"),
        (a_row(estimated=True, label="integrated power"), "integrated", "integrated power"),
        (a_row(estimated=True), "estimate", "estimate"),
    ],
)
def test_every_figure_says_whether_it_was_measured(row, kind, reading):
    found = samples(render_openmetrics(replace(a_report(row), meters=(a_meter(kind=kind),))))
    for name in ("energygate_energy_joules", "energygate_ratio", "energygate_ratio_low", "energygate_outcome"):
        assert {labels["reading"] for labels, _ in found[name]} == {reading}


def test_a_limit_is_neither_measured_nor_estimated():
    row = a_row(how="limit", estimated=True, label="estimate", base=120.0)
    found = samples(render_openmetrics(a_report(row)))["energygate_energy_joules"]
    assert found == [
        ({"benchmark": NAME, "side": "head", "reading": "estimate"}, 101.0),
        ({"benchmark": NAME, "side": "limit"}, 120.0),
    ]


def test_quotes_and_backslashes_of_a_name_come_back_and_what_cannot_be_seen_does_not():
    assert outcomes('a"b\\c|{x="y"}') == ['a"b\\c|{x="y"}']
    assert outcomes("a\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}c\r\ud800d") == ["a b c d"]
    assert outcomes("") == ["(empty)"]


def test_benchmarks_whose_names_look_alike_stay_apart_whatever_their_order():
    assert outcomes("a b", "a\nb", "a\tb") == ["a b (3)", "a b (2)", "a b"]
    assert outcomes("a\tb", "a b", "a\nb") == ["a b", "a b (3)", "a b (2)"]


def test_a_name_that_is_numbered_already_is_not_given_twice():
    assert sorted(outcomes("a", "a\n", "a (2)")) == ["a", "a (2)", "a (2) (2)"]


def test_a_row_that_stands_twice_is_one_series_and_the_worse_outcome_stays():
    found = samples(render_openmetrics(a_report(a_row(head=120.0), a_row(head=101.0))))
    assert [value for _, value in found["energygate_energy_joules"]] == [120.0, 100.0]


@pytest.mark.parametrize("run_id", ["r", "20269999T999999Z-1a2b3c4d5e", "20261122T031500Z-1a2b3c4d5e\n"])
def test_a_run_id_that_holds_no_time_gives_none(run_id):
    report = replace(a_report(a_row()), head=Head(run_id=run_id, commit=None))
    assert "energygate_run_start" not in render_openmetrics(report)


def test_the_documented_table_of_names_is_that_of_the_code():
    heading = "| metric | unit | labels | is |\n|---|---|---|---|\n"
    rows = [
        f"| `{family.name}` | {family.unit.replace('_', ' ')} | "
        f"{', '.join(f'`{label}`' for label in family.labels)} | {family.help} |\n"
        for family in FAMILIES
    ]
    assert heading + "".join(rows) in DOCUMENT.read_text(encoding="utf-8")
