"""The table: every column by name, numbers that survive, and cells that are no formulas."""

import csv
import io
import json

import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace
from shown_markdown import WHOLE

from energygate.model import Location, Net, Outcome, Times, TrialCounts
from energygate.report.csv import render_csv

RICH = a_row(
    outcome=Outcome.REGRESSED,
    benchmark="bench.py::test[a,b]",
    reason='+1.0 %, "within".',
    base=0.1 + 0.2,
    head=1e-300,
    p_adjusted=None,
    detectable=1.09,
    trials=TrialCounts(base=40, head=10, invalid=1),
    domains={"package-0": 1.5},
    work={"output_tokens": 1.001},
    times={"ttft_s": Times(head=0.25, base=0.2), "request_s": Times(head=1.5)},
    net=Net(idle_w=12.5, base=1.0, head=2.0, uncertainty=0.1),
    estimated=True,
    location=Location(file="bench.py", line=12),
    notes=("one", "two\nlines"),
)


def read(report):
    return list(csv.DictReader(io.StringIO(render_csv(report).decode(), newline="")))


def test_every_cell_of_a_rich_row_stands_under_its_name():
    report = a_report(RICH, verdict="failed", exit_code=1)
    (found,) = read(report)
    assert found == {
        "benchmark": "bench.py::test[a,b]",
        "metric": "energy_j",
        "how": "stored",
        "anchor": "",
        "outcome": "regressed",
        "fails": "true",
        "reason": '\'+1.0 %, "within".',
        "unit": "J",
        "base": "0.30000000000000004",
        "head": "1e-300",
        "label": "estimate",
        "ratio": "1.01",
        "ratio_low": "0.99",
        "ratio_high": "1.03",
        "p_value": "0.2",
        "p_adjusted": "",
        "detectable_ratio": "1.09",
        "base_trials": "40",
        "head_trials": "10",
        "invalid_trials": "1",
        "sessions": "4",
        "blocks": "0",
        "domain_ratios": '{"package-0": 1.5}',
        "work_ratios": '{"output_tokens": 1.001}',
        "idle_w": "12.5",
        "net_base": "1.0",
        "net_head": "2.0",
        "net_uncertainty": "0.1",
        "base_ttft_s": "0.2",
        "head_ttft_s": "0.25",
        "base_request_s": "",
        "head_request_s": "1.5",
        "base_output_tokens_per_s": "",
        "head_output_tokens_per_s": "",
        "base_prefill_s": "",
        "head_prefill_s": "",
        "base_decode_s": "",
        "head_decode_s": "",
        "file": "bench.py",
        "line": "12",
        "notes": "one; two lines",
        "run_id": "20261122T031500Z-1a2b3c4d5e",
        "commit": COMMIT,
        "machine": report.machine.fingerprint,
    }


def test_there_is_one_line_for_each_comparison_and_the_dialect_is_rfc_4180():
    written = render_csv(WHOLE)
    assert written.count(b"\r\n") == written.count(b"\n") == len(WHOLE.comparisons) + 1
    assert not written.startswith(b"\xef\xbb\xbf")
    found = [(row["benchmark"], row["metric"], row["how"], row["outcome"], row["fails"]) for row in read(WHOLE)]
    assert found == [
        (row.benchmark, row.metric.value, row.how, row.outcome.value, str(row.outcome == "regressed").lower())
        for row in WHOLE.comparisons
    ]


def test_each_number_is_read_back_as_it_was():
    for cells, row in zip(read(WHOLE), WHOLE.comparisons, strict=True):
        for name in ("base", "head", "ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted"):
            value = getattr(row, name)
            assert (None if cells[name] == "" else float(cells[name])) == value


def test_an_empty_report_is_the_line_of_names():
    assert render_csv(a_report(verdict="failed", exit_code=5)).startswith(b"benchmark,metric,how,anchor,outcome,fails,")
    assert read(a_report(verdict="failed", exit_code=5)) == []


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
@pytest.mark.parametrize("before", ["", "\t", "\r\n", " ", "\x00"])
def test_a_cell_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(before, first):
    formula = f'{before}{first}HYPERLINK("http://example.org")'
    row = a_row(benchmark=formula, reason=formula, how="anchor", anchor=formula, notes=(formula,))
    row = replace(row, location=Location(file=f"{first}x.py", line=1), domains={formula: 1.0})
    (found,) = read(a_report(row))
    assert [found["reason"], found["notes"]] == [f'\'{first}HYPERLINK("http://example.org")'] * 2
    for name in ("benchmark", "anchor"):
        assert found[name] == f"'{formula}" if not before else json.loads(found[name]) == formula
    assert found["file"] == f"'{first}x.py"
    assert not [cell for cell in found.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_names_that_look_alike_stay_apart_and_can_be_had_back():
    names = [
        "a b",
        "a  b",
        "a   b",
        " a b",
        "a\tb",
        "a\u200bb",
        "a\xa0b",
        "a\x7fb",
        "a\x00b",
        "a\\u200bb",
        '"a b"',
        "a\x1b[31mb",
    ]
    found = [row["benchmark"] for row in read(a_report(*(a_row(benchmark=name) for name in names)))]
    assert len(set(found)) == len(names)
    assert found[0] == "a b"
    assert [json.loads(cell) if cell.startswith('"') else cell for cell in found] == names
