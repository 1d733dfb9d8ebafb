"""Every format is made from one report and agrees with it on every number: each is read back by its own parser."""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from click.testing import CliRunner
from report_readers import (
    Said,
    read_codequality,
    read_csv,
    read_html,
    read_json,
    read_junit,
    read_markdown,
    read_openmetrics,
    read_terminal,
)
from shown_reports import KINDS, shown_report

from energygate.cli.main import commands
from energygate.model import GateReport, Metric, Outcome, Row
from energygate.report.formats import FORMATS
from energygate.report.rows import WORDS
from energygate.report.terminal import render_terminal

FIGURES = ("base", "head", "ratio", "ratio_low", "ratio_high")
NUMBER = re.compile(r"(?P<number>[+\N{MINUS SIGN}]?\d[\d.]*(?:e[+-]\d+)?)(?: (?P<unit>\S.*?)?(?: \([a-z ]+\))?)?")
PREFIXES = {"m": 1e-3, "\N{MICRO SIGN}": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How a format is read back, and what it is known not to show.

    Attributes
    ----------
    shows : callable
        Whether a comparison has to be there.
    omits : callable
        Which figures of a comparison are not.
    """

    read: Callable[[bytes], Iterator[Said]]
    shows: Callable[[GateReport, Row], bool] = lambda report, row: True
    omits: Callable[[Row], set[str]] = lambda row: set()


def is_beside(row):
    """Whether it is the row of output tokens, which stands beside the one that decides."""
    return row.metric is Metric.J_PER_OUTPUT_TOKEN and row.how not in {"limit", "anchor"}


def without_side_figures(row):
    """Tables have one outcome for both rows; Markdown's has the base of the deciding one alone."""
    return {"base", "outcome"} if is_beside(row) else set()


def is_finding(report, row):
    failing = {Outcome.OVER_LIMIT, Outcome.REGRESSED, Outcome.SUSPECT, *report.policy.fail_on}
    return row.outcome in failing and not is_beside(row)


READERS = {
    "json": Reader(read=read_json),
    "csv": Reader(read=read_csv),
    "junit": Reader(read=read_junit),
    # A server keeps one series for each side: the head that is held against a limit is not told from the one compared.
    "openmetrics": Reader(
        read=read_openmetrics, omits=lambda row: {"head"} if row.how in {"limit", "anchor"} else set()
    ),
    "markdown": Reader(read=read_markdown, omits=without_side_figures),
    "gitlab": Reader(read=read_markdown, omits=without_side_figures),
    "html": Reader(read=read_html, omits=lambda row: {"outcome"} if is_beside(row) else set()),
    "terminal": Reader(read=read_terminal, omits=lambda row: {"outcome"} if is_beside(row) else set()),
    # GitLab's list of findings: what fails, what got dearer, and what is suspected to.
    "codequality": Reader(read=read_codequality, shows=is_finding),
}
NO_ROWS = {"badge"}  # one line for all: it has a test of its own


def rendered(name, report):
    if name == "terminal":  # what `energygate report` prints
        return render_terminal(report, color=False, verbose=True).encode()
    return FORMATS[name].render(report)


def test_every_format_is_read_back():
    assert READERS.keys() | NO_ROWS == FORMATS.keys() | {"terminal"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_a_format_shows_every_comparison_with_the_numbers_of_the_report(name, kind):
    reader, report = READERS[name], shown_report(kind)
    data = rendered(name, report)
    left = [row for row in report.comparisons if reader.shows(report, row)]
    for said in reader.read(data):
        row = next((row for row in left if said.is_of(row)), None)
        assert row is not None, f"{said} is in no comparison, or twice"
        left.remove(row)
        omitted = reader.omits(row)
        for figure in FIGURES:
            require(figure, getattr(said, figure), row, is_omitted=figure in omitted)
        if "outcome" not in omitted:
            assert said.outcome == row.outcome.value
        if said.label is not ...:
            assert said.label == row.label
    assert len(left) == said_to_be_left_out(data) if name == "markdown" else not left


def require(figure, shown, row, *, is_omitted):
    value = getattr(row, figure)
    if is_omitted:
        assert shown is ...
    elif isinstance(shown, str):
        number, half = (read_quantity if figure in {"base", "head"} else read_change)(shown, row.metric)
        assert abs(number - value) <= half * (1 + 1e-9), f"{figure}: {shown} is not {value}"
    else:
        assert shown == value, figure


def read_quantity(shown, metric):
    """Give the number in the metric's unit, and half of its last digit."""
    found = NUMBER.fullmatch(shown)
    unit = found["unit"]
    prefix = unit.removesuffix(metric.unit)
    assert unit == f"{prefix}{metric.unit}"
    factor = PREFIXES[prefix] if prefix else 1.0
    number = float(found["number"].replace("\N{MINUS SIGN}", "-"))
    return number * factor, max(half_digit(found["number"]), half_of_three(number)) * factor


def half_digit(text):
    return 0.5 * 10.0 ** -len(text.partition(".")[2])


def half_of_three(number):
    """Half of the third significant digit: whole numbers beyond 1000 are rounded to it."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(number))) - 2) if number else 0.0


def read_change(shown, metric):
    """Give the ratio, and half of its last digit."""
    del metric
    number = shown.removesuffix(" %")
    return 1 + float(number.replace("\N{MINUS SIGN}", "-")) / 100, half_digit(number) / 100


def said_to_be_left_out(data):
    """How many rows the last line of a Markdown report says are not in it."""
    text = data.decode()
    cut = re.search(r"_Left out for length: (.+?)\._ The JSON report has everything\.", text)
    return (
        sum(map(int, re.findall(r"(?:the )?(\d+) (?:of \d+ rows of the table|rows that pass)", cut[1]))) if cut else 0
    )


def test_500_benchmarks_in_markdown_are_short_and_say_what_is_left_out():
    data = rendered("markdown", shown_report("500"))
    assert len(data.decode()) < 60_000
    assert 0 < said_to_be_left_out(data) < 500


@pytest.mark.parametrize("kind", KINDS)
def test_a_badge_agrees_with_the_verdict_and_its_counts(kind):
    report = shown_report(kind)
    badge = json.loads(rendered("badge", report))
    assert badge["isError"] == (report.verdict == "failed")
    assert all(row.label in badge["label"] for row in report.comparisons)
    change = re.match(r"([+\N{MINUS SIGN}]?[\d.]+ %) (?P<unit>J/request|J)", badge["message"])
    if change:
        ratio, half = read_change(change[1], None)
        assert any(row.ratio is not None and abs(ratio - row.ratio) <= half * 1.001 for row in report.comparisons)
    for n, total, word in re.findall(r"(\d+) of (\d+) ([a-z ]+)", badge["message"]):
        named = {WORDS[Outcome(outcome)]: count for outcome, count in report.counts.items()}
        benchmarks = len({row.benchmark for row in report.comparisons})
        assert (int(total), int(n)) == (benchmarks, benchmarks if word == "within budget" else named[word])


def test_the_command_line_makes_every_format_from_one_stored_report(tmp_path):
    report = shown_report("two stages")
    (tmp_path / "report.json").write_bytes(FORMATS["json"].render(report))
    asked = [f"--report={name}:{tmp_path / name}" for name in FORMATS]
    result = CliRunner().invoke(commands, ["report", str(tmp_path / "report.json"), *asked])
    assert (result.exit_code, result.stderr) == (0, "")
    for name in FORMATS:
        assert (tmp_path / name).read_bytes() == FORMATS[name].render(report)
