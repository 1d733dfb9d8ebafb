"""Laws of the relay: what a fork's run uploads is refused by name, or becomes a comment that keeps its structure."""

import json
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from fakes import COMMIT
from hostile import FLAG, a_whole_report
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from msgspec.structs import replace

from energygate.errors import RelayRefused
from energygate.model import Outcome
from energygate.report.foreign import decode_foreign
from energygate.report.json import encode_report
from energygate.report.markdown import render_markdown
from energygate.report.publication import Publication

REPOSITORY = "https://github.example/acme/widgets"
WHERE = Publication(
    repository_url=REPOSITORY,
    run_url=f"{REPOSITORY}/actions/runs/77",
    run_id=77,
    attempt=1,
    head=COMMIT,
    relayed=True,
)
OURS = {"a", "blockquote", "br", "code", "details", "em", "h2", "hr", "li", "p", "strong", "sub", "summary"} | {
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
PIECES = st.sampled_from(
    [
        *"`|\\<>&*_[]()!#@~:-+'\"$;/ a1",
        "\n",
        "\r\n",
        "\n\n",
        "```",
        "~~~",
        "<!-- energygate:v1:default -->",
        "</summary>",
        "</details>",
        "<script>",
        "[x](https://evil.example)",
        "https://evil.example",
        "@org/team",
        "acme/widgets#1",
        "{}",
        "\u2028",
        "\u202e",
        "\u200b",
        "\x00",
        FLAG,
    ]
)
HOSTILE = st.lists(PIECES, max_size=12).map(lambda pieces: f"{FLAG}{''.join(pieces)}{FLAG}")


class Shape(HTMLParser):
    """What a page is made of: its tags, its links, and the text that stands neither as code nor as a title."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.links, self.open, self.prose, self.comments = set(), set(), [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)
        self.links |= {value for name, value in attrs if name not in {"align", "class", "lang"}}

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"code", "summary"} & set(self.open):
            self.prose.append(data)

    def handle_comment(self, data):
        self.comments.append(data)


def require_structure(comment):
    page = cmarkgfm.github_flavored_markdown_to_html(comment, options=Options.CMARK_OPT_UNSAFE)
    shape = Shape(page)
    assert shape.tags <= OURS
    assert all(link.startswith(f"{REPOSITORY}/") for link in shape.links)
    assert shape.comments == []
    assert FLAG not in "".join(shape.prose)
    assert page.count("<details>") == page.count("</details>") == page.count("<summary>") == page.count("</summary>")
    assert len(comment.encode()) <= 60_000


@given(HOSTILE, st.sampled_from(list(Outcome)))
@budget(deadline=None, max_examples=150)
def test_foreign_text_keeps_to_its_place_in_the_comment_wherever_a_report_has_any(text, outcome):
    report = a_whole_report(text, outcome)
    adjusted = replace(report, policy=replace(report.policy, adjust=text))
    require_structure(render_markdown(decode_foreign(encode_report(adjusted), COMMIT), WHERE))


def leaves(value, path=()):
    """The paths of all values in a document that hold no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        return [path]
    return [leaf for key, each in inner for leaf in leaves(each, (*path, key))] or [path]


def with_leaf(value, path, leaf):
    if not path:
        return leaf
    copy = value.copy()
    copy[path[0]] = with_leaf(value[path[0]], path[1:], leaf)
    return copy


DOCUMENT = json.loads(encode_report(a_whole_report(f"{FLAG}x", Outcome.REGRESSED)))
NUMBERS = st.sampled_from([0, 1, -1, 5e-324, 1e-9, 0.5, 1.0, 1e6, 1e12, 2.0**53, -(2.0**53), 2**53, 2**64, 1e308])
ANYTHING = st.none() | st.booleans() | NUMBERS | HOSTILE | st.lists(HOSTILE, max_size=2) | st.just({})
EDITS = st.lists(st.tuples(st.sampled_from(leaves(DOCUMENT)), ANYTHING), min_size=1, max_size=4)


@given(EDITS)
@budget(deadline=None, max_examples=300)
def test_a_report_with_any_values_changed_is_refused_by_name_or_becomes_a_sound_comment(edits):
    document = DOCUMENT
    for path, leaf in edits:
        document = with_leaf(document, path, leaf)
    require_refused_or_sound(json.dumps(document).encode())


BYTES = encode_report(a_whole_report(f"{FLAG}x", Outcome.SUSPECT))


@given(st.data())
@budget(deadline=None, max_examples=300)
def test_a_report_with_any_bytes_changed_is_refused_by_name_or_becomes_a_sound_comment(data):
    mangled = bytearray(BYTES)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(BYTES) - 1))
        mangled[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    require_refused_or_sound(bytes(mangled))


def require_refused_or_sound(data):
    try:
        report = decode_foreign(data, COMMIT)
    except RelayRefused as error:
        what, rule = error.what, error.why
        assert (what.startswith("What the fork's run left is refused: "), rule.startswith("The rule: ")) == (True, True)
        assert what.isascii()
        assert what.isprintable()
    else:
        require_structure(render_markdown(report, WHERE))
