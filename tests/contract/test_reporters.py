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
    figures_beside,
    read_codequality,
    read_csv,
    read_html,
    read_json,
    read_junit,
    read_markdown,
    read_openmetrics,
    read_terminal,
)
from shown_reports import KINDS, TERMS, shown_report
from terms_readers import read_terms_html, read_terms_markdown, read_terms_openmetrics, read_terms_terminal

from energygate.cli.main import commands
from energygate.model import GateReport, Metric, Outcome, Row
from energygate.report.formats import FORMATS
from energygate.report.rows import WORDS
from energygate.report.terminal import render_terminal

FIGURES = ("base", "head", "ratio", "ratio_low", "ratio_high")
TESTS = {"p_value", "p_adjusted", "detectable"}
COUNTS = {"base_trials", "head_trials", "invalid_trials", "sessions", "blocks"}
NUMBER = re.compile(r"(?P<number>[+\N{MINUS SIGN}]?\d[\d.]*(?:e[+-]\d+)?)(?: (?P<unit>\S.*?)?(?: \([a-z ]+\))?)?")
PREFIXES = {"k": 1e3, "m": 1e-3, "\N{MICRO SIGN}": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How a format is read back, and what it is known not to show.

    Attributes
    ----------
    shows : callable
        Whether a comparison has to be there.
    omits : callable
        Which figures of a comparison are not.
    beside : callable
        Which of those beside it are, where they are known.
    """

    read: Callable[[bytes], Iterator[Said]]
    beside: Callable[[Row], set[str]]
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


def parts_of(row):
    """Where the change comes from, in the row itself."""
    return {name for name in figures_beside(row) if name.startswith(("domain ", "work "))}


def times_of(row):
    return {name for name in figures_beside(row) if name.startswith(("base ", "head "))}


def everything(row):
    return TESTS | COUNTS | parts_of(row) | times_of(row)


def samples_of(row):
    """A server is told how much evidence there is once for each benchmark."""
    counted = set() if is_beside(row) or row.how in {"limit", "anchor"} else COUNTS
    return {"p_adjusted", "detectable"} | parts_of(row) | counted


def size_of(row):
    return {"p_adjusted"} | ({"blocks"} if row.blocks else {"head_trials"} | ({"sessions"} if row.sessions else set()))


def in_a_table(row):
    """Markdown says where the joules went if something moved and has parts, and what could be found if it is open."""
    if is_beside(row):
        return set()
    moved = row.outcome in {Outcome.REGRESSED, Outcome.SUSPECT, Outcome.IMPROVED} and len(parts_of(row)) > 1
    why = parts_of(row) | {"change request_s"} if moved else set()
    return size_of(row) | why | times_of(row) | detectable_of(row)


def detectable_of(row):
    is_open = row.outcome in {Outcome.INCONCLUSIVE, Outcome.SUSPECT} and row.accepted is None
    return {"detectable"} if is_open else set()


def in_words(row):
    """An annotation and a section have the evidence in one sentence."""
    decided = row.how == "interleaved" and row.outcome is not Outcome.INCONCLUSIVE
    return size_of(row) | ({"detectable"} if decided else set())


def in_a_section(row):
    if is_beside(row):
        return set()
    return in_words(row) | parts_of(row) | times_of(row) | detectable_of(row)


def in_details(row):
    """Verbose, a terminal says everything of what was measured."""
    if is_beside(row):
        return set()
    evidence = size_of(row) | {"detectable"} if row.head is not None else set()
    return evidence | parts_of(row) | times_of(row)


READERS = {
    "json": Reader(read=read_json, beside=everything),
    "csv": Reader(read=read_csv, beside=everything),
    "junit": Reader(read=read_junit, beside=lambda row: TESTS),
    # A server keeps one series for each side: the head that is held against a limit is not told from the one compared.
    "openmetrics": Reader(
        read=read_openmetrics,
        omits=lambda row: {"head"} if row.how in {"limit", "anchor"} else set(),
        beside=samples_of,
    ),
    "markdown": Reader(read=read_markdown, omits=without_side_figures, beside=in_a_table),
    "gitlab": Reader(read=read_markdown, omits=without_side_figures, beside=in_a_table),
    "html": Reader(read=read_html, omits=lambda row: {"outcome"} if is_beside(row) else set(), beside=in_a_section),
    "terminal": Reader(
        read=read_terminal, omits=lambda row: {"outcome"} if is_beside(row) else set(), beside=in_details
    ),
    # GitLab's list of findings: what fails, what got dearer, and what is suspected to.
    "codequality": Reader(read=read_codequality, shows=is_finding, beside=in_words),
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
        known = figures_beside(row)
        assert said.beside.keys() == reader.beside(row) & known.keys()
        for figure, shown in said.beside.items():
            require_beside(figure, shown, known[figure])
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


def require_beside(figure, shown, value):
    if not isinstance(shown, str):
        assert shown == value, figure
    elif shown == "< 0.001":
        assert value < 0.001, figure
    else:
        number, half = read_beside(figure, shown)
        assert abs(number - value) <= half * (1 + 1e-9), f"{figure}: {shown} is not {value}"


def read_beside(figure, shown):
    if figure == "p_adjusted":
        return float(shown), half_of_three(float(shown))
    if figure.endswith("_per_s"):
        return float(shown.removesuffix("/s")), half_of_three(float(shown.removesuffix("/s")))
    return read_quantity(shown, Metric.DURATION_S) if shown.endswith("s") else read_change(shown, None)


def read_quantity(shown, metric):
    """Give the number in the metric's unit, and half of its last digit."""
    return read_in(metric.unit, shown)


def read_in(wanted, shown):
    """Give the number in that unit, and half of its last digit."""
    found = NUMBER.fullmatch(shown)
    unit = found["unit"]
    prefix = unit.removesuffix(wanted)
    assert unit == f"{prefix}{wanted}"
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


TERMS_READERS = {
    "markdown": read_terms_markdown,
    "gitlab": read_terms_markdown,
    "html": read_terms_html,
    "terminal": read_terms_terminal,
    "openmetrics": read_terms_openmetrics,  # not the energy, of which it has the joules
}


@pytest.mark.parametrize("name", TERMS_READERS)
def test_a_format_that_shows_energy_in_other_terms_agrees_on_each_of_them(name):
    report = shown_report("other terms")
    found = dict(TERMS_READERS[name](rendered(name, report)))
    deciding = [row for row in report.comparisons if not is_beside(row)]
    assert found.keys() == {row.benchmark for row in deciding}
    for row in deciding:
        unit, each_s = ("requests", 3.2 / 16) if row.metric is Metric.J_PER_REQUEST else ("iterations", 3.2)
        energy_wh = row.head * 1000 / 3600
        paid_kwh = energy_wh / 1000 * TERMS.pue
        made_g = TERMS.embodied.total_g_co2e * 1000 * each_s / TERMS.embodied.lifespan_s * TERMS.embodied.share
        values = {
            "Wh": energy_wh,
            TERMS.currency: paid_kwh * TERMS.price_per_kwh,
            "g CO2e": paid_kwh * TERMS.intensity.g_co2e_per_kwh + made_g,
        }
        per, shown = found[row.benchmark]
        assert per == f"1,000 {unit}"
        assert shown.keys() == values.keys() - ({"Wh"} if name == "openmetrics" else set())
        for wanted, figure in shown.items():
            number, half = read_in(wanted, figure) if isinstance(figure, str) else (figure, 0.0)
            assert abs(number - values[wanted]) <= half + 1e-12 * number, f"{figure} is not {values[wanted]} {wanted}"


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
