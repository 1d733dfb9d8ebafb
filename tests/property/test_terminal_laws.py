"""Laws of the terminal: whatever a report holds, its last line is the verdict, and nothing but passes is summed up."""

from fakes import a_report, a_row
from hostile import HOSTILE
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from rich.cells import cell_len

from energygate.model import Outcome
from energygate.report import rows
from energygate.report.table import harmless
from energygate.report.terminal import render_terminal

PLAIN = st.text("abcdefghij", min_size=1, max_size=12)
WIDTHS = st.none() | st.integers(20, 140)


@st.composite
def reports(draw, names=PLAIN):
    """A report of many passes and whatever else there is, with figures or without."""
    counts = draw(st.integers(0, 60))
    others = draw(st.lists(st.tuples(st.sampled_from(list(Outcome)), names, st.booleans()), max_size=8))
    absent = {"base": None, "head": None, "ratio": None, "ratio_low": None, "ratio_high": None}
    found = [a_row(benchmark=f"p{i}") for i in range(counts)]
    found += [a_row(outcome=o, benchmark=name, reason=name, **({} if known else absent)) for o, name, known in others]
    verdict = draw(st.sampled_from(["passed", "failed", "inconclusive"]))
    return a_report(*found, verdict=verdict, warnings=(draw(names),))


@budget(max_examples=60, deadline=None)
@given(report=reports(names=HOSTILE | PLAIN), width=WIDTHS, verbose=st.booleans())
def test_the_last_line_is_the_verdict(report, width, verbose):
    text = render_terminal(report, color=False, width=width, verbose=verbose)
    assert text.endswith("\n")
    assert text.split("\n")[-2] == rows.closing_line(report)


@budget(max_examples=60, deadline=None)
@given(report=reports(names=HOSTILE | PLAIN), width=WIDTHS, verbose=st.booleans())
def test_whatever_is_no_pass_stands_on_one_line_with_its_verdict(report, width, verbose):
    lines = render_terminal(report, color=False, width=width, verbose=verbose).split("\n")
    for row in report.comparisons:
        if verbose or row.outcome is not Outcome.PASS:
            name = harmless(row.benchmark).rstrip()
            assert any(line.startswith(rows.WORDS[row.outcome]) and name in line for line in lines), row


@budget(max_examples=60, deadline=None)
@given(report=reports(), width=st.integers(80, 140), verbose=st.booleans())
def test_short_names_and_sentences_fit_the_window(report, width, verbose):
    *lines, _closing, _ = render_terminal(report, color=False, width=width, verbose=verbose).split("\n")
    assert max(map(cell_len, lines)) <= width
