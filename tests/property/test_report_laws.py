"""Laws of every format: foreign text is only text, wherever a report has any, for a real parser of that format."""

import csv
import json
import re
import unicodedata
from functools import cache
from xml.etree import ElementTree as ET

import pytest
from hostile import FLAG, HOSTILE, NAMED, a_whole_report, outcomes
from hypothesis import given
from hypothesis import settings as budget
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from report_readers import Page, markdown_page

from energygate.model import Outcome
from energygate.report.formats import FORMATS
from energygate.report.json import decode_report
from energygate.report.terminal import render_terminal

PLAIN = a_whole_report("plain", Outcome.REGRESSED)
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
COMMENT = {"a", "blockquote", "br", "code", "details", "em", "h2", "hr", "li", "ol", "p", "pre", "strong", "sub"} | {
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
JUNIT = {"testsuites", "testsuite", "testcase", "properties", "property", "failure", "skipped"} | {
    "system-out",
    "system-err",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def rendered(name, report):
    if name == "terminal":  # what `energygate report` prints
        return render_terminal(report, color=False, verbose=True).encode()
    return FORMATS[name].render(report)


def require_visible(text, *, but=""):
    found = {char for char in text if unicodedata.category(char) in INVISIBLE and char not in but}
    assert not found, f"characters that steer or hide: {found}"


def json_is_harmless(data, report):
    """JSON keeps every text, for programs: what would steer a terminal is escaped in it."""
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", data)
    assert decode_report(data, origin="report.json") == report


def csv_is_harmless(data, report):
    first, *rows = list(csv.reader(data.decode().split("\r\n")[:-1], strict=True))
    assert len(rows) == len(report.comparisons)
    for row in rows:
        assert len(row) == len(first)
        for cell in row:
            require_visible(cell)
            assert not cell.startswith(FORMULA) or re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", cell)


def junit_is_harmless(data, report):
    root = ET.fromstring(data)
    assert {each.tag for each in root.iter()} <= JUNIT
    names = [case.attrib["name"] for case in root.iter("testcase")]
    assert len(names) == len(set(names)) == len({row.benchmark for row in report.comparisons})
    texts = [text for each in root.iter() for text in (each.text, each.tail, *each.attrib, *each.attrib.values())]
    for text in filter(None, texts):
        require_visible(text, but="\n")
        assert "[[ATTACHMENT" not in text
    assert b"<!" not in data


def openmetrics_is_harmless(data, report):
    found = samples_of(text_string_to_metric_families(data.decode()))
    assert found == samples_of(plain_families(data.decode()))
    assert {name for name, _, _ in found} <= plain_metrics()
    assert len({(name, labels) for name, labels, _ in found}) == len(found)
    for _, labels, _ in found:
        for _, value in labels:
            require_visible(value)
    benchmarks = {dict(labels)["benchmark"] for name, labels, _ in found if name == "energygate_outcome"}
    assert len(benchmarks) == len({row.benchmark for row in report.comparisons})


@cache
def plain_metrics():
    families = text_string_to_metric_families(rendered("openmetrics", PLAIN).decode())
    return {name for name, _, _ in samples_of(families)}


def samples_of(families):
    return [(s.name, tuple(sorted(s.labels.items())), s.value) for family in families for s in family.samples]


def markdown_is_harmless(data, report):
    del report
    require_visible(data.decode(), but="\n")
    page = markdown_page(data)
    assert {each.tag for each in page.root.iter()} <= COMMENT | {"page"}
    assert page.comments == [" energygate:v1:default "]
    assert list(page.root.iter("a")) == []
    assert FLAG not in prose(page.root)
    assert not any(line.lstrip().startswith("/") for line in data.decode().splitlines())
    assert len(data) <= 60_000


def prose(element):
    """The text outside of code and titles, where a server looks for what to act on."""
    if element.tag in {"code", "summary"}:
        return element.tail or ""
    return "".join([element.text or "", *map(prose, element), element.tail or ""])


def html_is_harmless(data, report):
    plain, page = plain_page(), Page(data.decode())
    assert shapes(page) <= shapes(plain) | {("p", ())}
    assert len(list(page.root.iter("script"))) == len(list(plain.root.iter("script")))
    assert page.comments == plain.comments
    for script in page.root.iter("script"):
        if script.attrib.get("type") == "application/json":
            json.loads(script.text)
        else:
            assert FLAG not in (script.text or "")
    for style in page.root.iter("style"):
        assert FLAG not in style.text
    assert addresses(page) <= addresses(plain)
    for each in page.root.iter():
        if each.tag != "script":
            require_visible("".join([each.text or "", *each.attrib.values()]), but="\n")
    del report


@cache
def plain_page():
    return Page(rendered("html", PLAIN).decode())


def shapes(page):
    return {(each.tag, tuple(sorted(each.attrib))) for each in page.root.iter()}


def addresses(page):
    attributes = [each for element in page.root.iter() for each in element.attrib.items()]
    return {value for name, value in attributes if name in {"href", "src", "style"}}


def badge_is_harmless(data, report):
    del report
    assert json.loads(data).keys() == json.loads(rendered("badge", PLAIN)).keys()
    assert FLAG not in data.decode()
    require_visible(data.decode(), but="\n")


def findings_are_harmless(data, report):
    del report
    for finding in json.loads(data):
        require_visible(finding["description"])
        path = finding["location"]["path"]
        require_visible(path)
        assert not path.startswith("/")
        assert ".." not in path.split("/")


def text_is_harmless(data, report):
    del report
    text = data.decode()
    require_visible(text, but="\n")
    assert "##[" not in text  # a CI runner reads its log for commands
    assert [line for line in text.splitlines() if line.strip().startswith("::")] == []


HARMLESS = {
    "json": json_is_harmless,
    "csv": csv_is_harmless,
    "junit": junit_is_harmless,
    "openmetrics": openmetrics_is_harmless,
    "markdown": markdown_is_harmless,
    "gitlab": markdown_is_harmless,
    "html": html_is_harmless,
    "badge": badge_is_harmless,
    "codequality": findings_are_harmless,
    "terminal": text_is_harmless,
}


def test_every_format_has_its_check():
    assert HARMLESS.keys() == FORMATS.keys() | {"terminal"}


@pytest.mark.parametrize("name", HARMLESS)
@pytest.mark.parametrize("text", NAMED, ids=[ascii(text)[:30] for text in NAMED])
def test_what_is_known_to_be_acted_on_is_only_text(name, text):
    report = a_whole_report(text, Outcome.REGRESSED)
    HARMLESS[name](rendered(name, report), report)


@pytest.mark.parametrize("name", HARMLESS)
@given(text=HOSTILE, outcome=outcomes())
@budget(deadline=None, max_examples=30)
def test_any_text_is_only_text_wherever_a_report_has_it(name, text, outcome):
    report = a_whole_report(text, outcome)
    HARMLESS[name](rendered(name, report), report)
