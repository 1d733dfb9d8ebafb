"""What a comment and a summary say besides, where they are published."""

import re
from pathlib import Path

import pytest
from fakes import COMMIT, a_report, a_row
from msgspec.structs import replace
from shown_markdown import BASE, HEAD, IN_TURNS, URL, cells_of, published, rendered

from energygate.model import BaselineRuns, Head, Outcome
from energygate.report.markdown import MARKER, render_headline, render_markdown, render_summary
from energygate.report.markdown.remarks import render_remarks
from energygate.report.markdown.unjudged import render_unjudged

GOLDEN = Path(__file__).parent / "golden" / "published.md"
REGRESSED = a_report(a_row(outcome=Outcome.REGRESSED))


def test_a_published_comment_is_as_the_golden_file_has_it():
    publication = published(attempt=3, seen=("regressed", "no regression found"))
    assert render_markdown(IN_TURNS, publication) == GOLDEN.read_text(encoding="utf-8")


def test_who_posts_a_comment_puts_the_marker_before_it():
    assert MARKER not in render_markdown(IN_TURNS, published())
    assert MARKER not in render_summary(IN_TURNS)
    assert render_markdown(IN_TURNS).startswith(f"{MARKER}\n## Energy: ")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "measured in turns with it; screened by 4 stored runs."),
        ({"attempt": 2}, "screened by 4 stored runs. This is attempt 2."),
        (
            {"attempt": 3, "seen": ("regressed", "regressed")},
            "screened by 4 stored runs. This is attempt 3; earlier: regressed, regressed.",
        ),
        ({"seen": ("over limit",)}, "screened by 4 stored runs. This commit was measured before: over limit."),
        ({"seen": ("@org/team",)}, "screened by 4 stored runs. This commit was measured before: `@org/team`."),
        ({"seen": tuple("abcdefghijklm")}, "This commit was measured before: d, e, f, g, h, i, j, k, l, m."),
    ],
)
def test_an_attempt_shows_the_verdicts_before_it(more, sentence):
    paragraph = render_markdown(IN_TURNS, published(**more)).split("\n\n")[2]
    assert paragraph.endswith(sentence)


def test_commits_are_links_and_what_is_no_commit_is_not():
    report = replace(
        REGRESSED,
        baseline=BaselineRuns(runs=("a", "b"), commits=(BASE, "](http://evil)")),
        head=Head(run_id="r", commit=HEAD),
    )
    shown = rendered(render_markdown(report, published()))
    assert re.findall('<a href="([^"]*)">', shown) == [
        f"{URL}/commit/{HEAD}",
        f"{URL}/commit/{BASE}",
        f"{URL}/actions/runs/123",  # whose artefact has the run
        f"{URL}/actions/runs/123",
    ]
    assert "<code>](http://evi</code>" in shown


def test_an_address_cannot_end_its_link():
    publication = published(repository_url="https://ghe.example/a)b <x>", run_url="https://ghe.example/a)b c")
    shown = rendered(render_markdown(REGRESSED, publication))
    assert re.findall('<a href="([^"]*)">', shown) == [
        f"https://ghe.example/a%29b%20%3Cx%3E/commit/{HEAD}",
        f"https://ghe.example/a%29b%20%3Cx%3E/commit/{COMMIT}",
        "https://ghe.example/a%29b%20c",  # whose artefact has the run
        f"https://ghe.example/a%29b%20%3Cx%3E/commit/{COMMIT}",  # as it was checked out
        "https://ghe.example/a%29b%20c",
    ]


def test_the_commit_that_was_checked_out_is_named_where_it_is_not_the_published_one():
    merged = f"- measured as checked out: [`{COMMIT[:12]}`]({URL}/commit/{COMMIT})\n"
    assert merged in render_markdown(IN_TURNS, published())
    assert "as checked out" not in render_markdown(IN_TURNS, published(head=COMMIT))
    assert "as checked out" not in render_markdown(replace(IN_TURNS, head=Head(run_id="r", commit=None)), published())
    assert "as checked out" not in render_markdown(IN_TURNS)


def test_a_relayed_comment_says_whose_figures_they_are_and_gives_nothing_to_type():
    comment = render_markdown(IN_TURNS, published(relayed=True))
    assert comment.split("\n\n")[1] == (
        "Measured by the pull request's own code on a run that a maintainer allowed; figures as that run reported them."
    )
    assert "baseline accept" not in comment
    assert "```" not in comment
    assert "Measured by the pull request's own code" not in render_markdown(IN_TURNS, published())


def test_what_could_not_be_published_is_an_alert_below_the_summary():
    one = "the check run: *403*. Give the job `checks: write`."
    assert render_remarks((one,)) == "\n> [!WARNING]\n> ``the check run: *403*. Give the job `checks: write`.``\n"
    assert render_remarks(()) == ""


def test_a_job_without_a_report_says_that_nothing_is_known():
    text = render_unjudged(2, published())
    assert text == (
        "## Energy: nothing was judged: the job leaves with 2\n\n"
        f"There is no report of [`{HEAD[:12]}`]({URL}/commit/{HEAD}), so nothing is known of what it uses. [The log of "
        f"run 123]({URL}/actions/runs/123), attempt 1, says why.\n"
    )
    assert render_unjudged(5, published()).startswith("## Energy: nothing valid was measured: the job leaves with 5\n")
    assert (
        "so nothing is known of what it uses. `input setup: the command exited with status 1.` [The log of run 123]"
        f"({URL}/actions/runs/123), attempt 1, says more.\n"
    ) in render_unjudged(2, published(), why="input setup: the command exited with status 1.")


def test_the_summary_needs_no_line_break_to_be_read():
    summary = render_summary(IN_TURNS, published())
    assert summary == render_markdown(IN_TURNS, published())
    assert [len(cells) for cells in cells_of(summary)] == [6] * 4 + [5] * 2 + [2] * 4 + [5]


def test_the_shortest_text_is_the_heading_and_the_table():
    text = render_headline(IN_TURNS, published())
    parts = text.split("\n\n")
    assert parts[0] == "## Energy: regressed. `chat.energy.yml::chat` uses 12.5 % more joules per request"
    assert [len(cells) for cells in cells_of(text)] == [6] * 4
    assert parts[2] == (
        f"_Left out for length: everything but the table._ [The summary of run 123]({URL}/actions/runs/123) has more, "
        "the JSON report everything."
    )
    assert len(parts) == 4


def test_the_shortest_text_of_what_passes_has_no_table():
    assert "|" not in render_headline(a_report(a_row()), published())


def test_a_pass_whose_work_changed_says_so_below_its_folded_table():
    work = "work changed: +24.7 % input tokens per request; J/request +1.2 %, J/token +1.2 %"
    text = render_markdown(a_report(a_row(benchmark="b", reason=work), a_row(benchmark="c", reason="as before")))
    folded = text.partition("<summary>2 rows pass</summary>")[2].partition("</details>")[0]
    assert [line for line in folded.splitlines() if line.startswith("-")] == [f"- `b`: `{work}`"]
