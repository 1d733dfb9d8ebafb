"""What becomes of a text that would be too long: parts go whole, and that is said."""

import re

import pytest
from fakes import a_meter, a_report, a_row
from msgspec.structs import replace
from shown_markdown import cells_of, is_well_formed, published

from energygate.model import BaselineRuns, Metric, Outcome, Times
from energygate.report.markdown import render_headline, render_markdown, render_summary

LONG = "\N{SNOWMAN}" * 200
COMMENT, SUMMARY, SHORT = 60_000, 900_000, 30_000


def failing(count, **more):
    return [
        a_row(
            **{
                "outcome": Outcome.REGRESSED,
                "benchmark": f"{number:03}{LONG}"[:200],
                "reason": f"+12 %: above the budget. {LONG}",
                "domains": {"package-0": 1.1, "gpu-0": 1.2},
                "notes": (LONG, "a note"),
            }
            | more
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("outcome", [Outcome.REGRESSED, Outcome.PASS, Outcome.NO_BASELINE, Outcome.IMPROVED])
def test_a_thousand_benchmarks_fit_into_a_comment_and_into_a_summary(outcome):
    rows = [a_row(outcome=outcome, benchmark=f"{n:04}{LONG}"[:200], domains={"a": 1.1, "b": 1.2}) for n in range(1000)]
    comment, summary = render_markdown(a_report(*rows), published()), render_summary(a_report(*rows), published())
    assert len(comment.encode()) <= COMMENT
    assert len(summary.encode()) <= SUMMARY
    assert is_well_formed(comment)
    assert is_well_formed(summary)
    assert sum(len(cells) == 5 for cells in cells_of(summary)) == 1000
    assert "_Left out for length: " in comment
    assert "[The summary of run 123](https://github.com/acme/widgets/actions/runs/123) has more" in comment


def test_of_200_failing_benchmarks_the_first_are_shown_and_the_others_counted():
    comment = render_markdown(a_report(*failing(200)), published())
    assert len(comment.encode()) <= COMMENT
    assert is_well_formed(comment)
    names = [cells[1][:3] for cells in cells_of(comment) if len(cells) == 5]
    assert names == [f"{number:03}" for number in range(len(names))]
    assert len(names) > 20
    assert f"_Left out for length: {200 - len(names)} of 200 rows of the table;" in comment


def test_a_summary_that_is_too_long_is_cut_as_well():
    summary = render_summary(a_report(*failing(1000)), published())
    assert SUMMARY - 10_000 < len(summary.encode()) <= SUMMARY
    assert is_well_formed(summary)
    assert re.search(r"_Left out for length: \d+ of 1000 rows of the table;", summary)


def test_the_shortest_text_is_short_whatever_it_is_made_of():
    text = render_headline(a_report(*failing(200)), published())
    assert len(text.encode()) <= SHORT
    assert is_well_formed(text)
    shown = sum(len(cells) == 5 for cells in cells_of(text))
    assert f"_Left out for length: {200 - shown} of 200 rows of the table; everything but the table._" in text


def test_the_least_needed_parts_go_first():
    parts = {
        "the history": "<summary>History",
        "how measured": "<summary>How this was measured",
        "passing": "rows pass</summary>",
    }
    order = []
    for count in range(15, 30):  # one more failing row at a time
        rows = [*failing(count, history=(1.0, 2.0)), *(a_row(benchmark=f"p{n}{LONG}") for n in range(4))]
        comment = render_markdown(a_report(*rows), published())
        gone = [name for name, title in parts.items() if title not in comment and name not in order]
        order += gone
        assert "<summary>Where the joules went" in comment
    assert order == ["the history", "how measured", "passing"]


def test_where_the_joules_went_stays_longest_for_the_worst():
    comment = render_markdown(a_report(*failing(28)), published())
    told = re.findall(r"<summary>Where the joules went: <code>(\d{3})", comment)
    assert told == [f"{number:03}" for number in range(len(told))]
    assert 0 < len(told) < 28
    assert f"where the joules went in {28 - len(told)} rows" in comment


def test_improved_rows_go_before_those_that_did_not_pass():
    rows = [*failing(20), *(a_row(outcome=Outcome.IMPROVED, benchmark=f"better {n} {LONG}") for n in range(200))]
    comment = render_markdown(a_report(*rows), published())
    names = [cells[1] for cells in cells_of(comment) if len(cells) == 5]
    assert sum(not name.startswith("better") for name in names) == 20
    assert 0 < sum(name.startswith("better") for name in names) < 200


def test_whatever_a_report_holds_too_much_of_its_comment_fits():
    one = a_row(
        outcome=Outcome.OVER_LIMIT,
        how="anchor",
        anchor=LONG * 9,
        benchmark="`" * 10_000,
        reason="`|" * 10_000,
        notes=(LONG * 9,) * 1000,
        domains={f"{LONG}{n}": 1.1 for n in range(1000)},
        work={f"{LONG}{n}": 1.1 for n in range(1000)},
        times={"request_s": Times(head=1.0)},
        history=(1.0,) * 10_000,
    )
    report = replace(
        a_report(one, a_row(metric=Metric.J_PER_OUTPUT_TOKEN, benchmark=one.benchmark), warnings=(LONG * 9,) * 500),
        meters=tuple(a_meter(name=f"{LONG}{n}", domains=(LONG,) * 50) for n in range(200)),
        baseline=BaselineRuns(runs=(LONG,) * 1000, commits=tuple(f"{n}{LONG}" for n in range(1000))),
    )
    for text, most in (
        (render_markdown(report), COMMENT),
        (render_markdown(report, published(seen=(LONG,) * 1000)), COMMENT),
        (render_headline(report, published()), SHORT),
        (render_summary(report, published()), SUMMARY),
    ):
        assert len(text.encode()) <= most
        assert is_well_formed(text)
        assert len([cells for cells in cells_of(text) if len(cells) >= 5]) >= 1
