"""The note of a merge request: the comment, and nothing in it that GitLab would act on."""

import html
import re

import pytest
from fakes import a_report, a_row
from shown_markdown import IN_TURNS, WHOLE, is_well_formed, rendered

from energygate.model import Outcome, TrialCounts
from energygate.report.gitlab import render_gitlab
from energygate.report.markdown import render_summary

NAMES = [
    "/close",
    "\n/close\n",
    "`\n/merge\n`",
    "```\n/approve\n```",
    "@all #1 !2 $3 %4 &5 ~bug ^alert#6 [issue:7] group/project#8 0123456789abcdef",
    "https://example.org/?a=1",
    "$`a^2`$ {+added+} [-removed-] :smile: [[_TOC_]] <details>",
    ">>>\n/close\n>>>",
    "--- \n/label ~x",
]
_REFERENCES = re.compile(
    r"[#!$&]\d|(?<!\w)[@%~][\w\"]|\^alert|\[\w+:\d|https?://|:\w+:|\[\[|[{\[][+-]|\b[0-9a-f]{7,40}\b"
)


def outside_of_code(note):
    """What is neither code nor markup, where GitLab looks for mentions and references."""
    without = re.sub(r"<code.*?</code>|<!--.*?-->", "", rendered(note), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]*>", "", without))


@pytest.mark.parametrize("report", [WHOLE, IN_TURNS])
def test_a_note_is_the_summary_below_the_marker_by_which_it_is_found(report):
    assert render_gitlab(report) == f"<!-- energygate:v1:default -->\n{render_summary(report)}"


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_a_quick_action_a_mention_or_a_reference(name):
    rows = [
        a_row(benchmark=name + "+" * n, reason=name, outcome=outcome, notes=(name,), domains={name: 1.1, "b": 1})
        for n, outcome in enumerate(Outcome)
    ]
    note = render_gitlab(a_report(*rows, warnings=(name, f"policy: {name}"), notes=(name,)))
    assert not [line for line in note.splitlines() if line.lstrip("> *-").startswith("/")]
    assert _REFERENCES.findall(outside_of_code(note)) == []
    assert is_well_formed(note)


def test_a_note_of_any_length_is_taken():
    rows = [
        a_row(benchmark=f"{n}{chr(0x1F600) * 300}", outcome=Outcome.REGRESSED, reason="r" * 500,
              trials=TrialCounts(base=1, head=1))
        for n in range(2000)
    ]  # fmt: skip
    note = render_gitlab(a_report(*rows, verdict="failed", exit_code=1))
    assert len(note) <= 1_000_000
    assert "_Left out for length: " in note
