"""Laws of the comment: whatever a benchmark is called, it is one cell and its text survives."""

import html
import re
import unicodedata

import cmarkgfm
from cmarkgfm.cmark import Options
from fakes import a_report, a_row
from hypothesis import example, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from shown_markdown import is_well_formed, published

from energygate.model import Outcome
from energygate.report.markdown import code, render_headline, render_markdown, render_summary, span
from energygate.report.markdown.escaping import commands, element, listed

HOSTILE = st.text(st.sampled_from("`|\\<>&*_[]()!#@~:-+\n\r\t a1\u2028\u202e\u200b\x00\ud800\N{SNOWMAN}"), max_size=90)
TEXT = st.text(max_size=90) | HOSTILE
ONE_ROW = "| a | b |\n|---|---|\n| {} | last |\n"


def shown(markdown):
    return cmarkgfm.github_flavored_markdown_to_html(markdown, options=Options.CMARK_OPT_UNSAFE)


def wanted(text, limit=80):
    """The text as a reader should see it: blanks in one, nothing invisible, cut at the limit."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    visible = "".join(char for char in spaced if unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    words = " ".join(visible.split()) or "(empty)"
    return words if len(words) <= limit else f"{words[: limit - 1]}\N{HORIZONTAL ELLIPSIS}"


def cell_texts(markdown):
    cells = re.findall(r"<td[^>]*>(.*?)</td>", shown(markdown), re.DOTALL)
    return [html.unescape(re.sub(r"</?code>", "", cell)) for cell in cells]


@given(TEXT)
@example("\\")
@example("a\\")
@example("\\|")
@example("|`|``|")
@budget(deadline=None, max_examples=500)
def test_any_text_is_one_cell_and_unchanged(text):
    assert cell_texts(ONE_ROW.format(code(text))) == [wanted(text), "last"]


@given(TEXT)
@budget(deadline=None, max_examples=300)
def test_any_text_in_a_list_is_one_item_and_unchanged(text):
    assert shown(f"- {span(text)}: x\n") == (
        f"<ul>\n<li><code>{html.escape(wanted(text), quote=True).replace('&#x27;', chr(39))}</code>: x</li>\n</ul>\n"
    )


@given(TEXT)
@budget(deadline=None, max_examples=300)
def test_any_text_in_the_title_of_a_folded_part_is_text(text):
    title = shown(f"<details><summary>{element(text)}</summary>\n\nx\n\n</details>\n").partition("</summary>")[0]
    assert html.unescape(title) == f"<details><summary><code>{wanted(text)}</code>"
    assert title.count("<") == 4


@given(st.lists(TEXT.map(wanted), min_size=1, max_size=4))
@example(["```"])
@example(["`````", "```sh"])
@budget(deadline=None, max_examples=200)
def test_any_commands_are_shown_as_they_are_to_be_typed(lines):
    block = html.unescape(shown(f"- x\n\n{commands(lines)}\n\ny\n"))
    joined = "\n".join(lines)
    assert block == f'<ul>\n<li>x</li>\n</ul>\n<pre lang="sh"><code>{joined}\n</code></pre>\n<p>y</p>\n'


@given(st.lists(st.text("ab", min_size=1), max_size=9), st.integers(1, 9))
def test_a_list_counts_what_it_does_not_name(items, most):
    more = len(items) - most
    assert listed(items, most) == ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT, st.sampled_from(list(Outcome))), max_size=6))
@budget(deadline=None, max_examples=60)
def test_a_comment_has_one_row_for_each_benchmark_whatever_they_are_called(found):
    rows = [
        a_row(benchmark=f"{number}{name}", reason=reason, outcome=outcome)
        for number, (name, reason, outcome) in enumerate(found)
    ]
    comment = render_markdown(a_report(*rows))
    names = re.findall(
        r"<tr>\n<td[^>]*>[^<]*<strong>[^<]*</strong>[^<]*</td>\n<td[^>]*><code>(.*?)</code></td>",
        shown(comment),
        re.DOTALL,
    )
    assert sorted(map(html.unescape, names)) == sorted(wanted(row.benchmark) for row in rows)


@given(st.integers(0, 300), st.integers(1, 400), st.sampled_from(list(Outcome)))
@budget(deadline=None, max_examples=12)
def test_a_comment_is_never_longer_than_the_server_takes(count, length, outcome):
    name = "\N{SNOWMAN}" * length
    rows = [a_row(benchmark=f"{n}{name}", outcome=outcome, reason=name, domains={"d": 1.0}) for n in range(count)]
    report = a_report(*rows, warnings=(name,))
    for text, most in (
        (render_markdown(report), 60_000),
        (render_markdown(report, published()), 60_000),
        (render_summary(report, published()), 900_000),
        (render_headline(report, published()), 30_000),
    ):
        assert len(text.encode()) <= most
        assert is_well_formed(text)
