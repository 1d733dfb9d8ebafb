import base64
import gzip
import itertools
import json
import random
import re
from html.parser import HTMLParser

import pytest
from example_report import example_report
from fakes import NAME, a_machine, a_report, a_row
from msgspec.structs import replace

from energygate.model import Intensity, Metric, Net, Outcome, StoreName, Terms, Times
from energygate.report import rows
from energygate.report.html import render_html
from energygate.report.html.embedding import packed, packed_json, packed_script, source_of

HOSTILE = "a</script><script>alert(1)</script><!--&\"'>\u202e\x1b[31m\u2028{{ 7*7 }}"
TAGS = {"</script>": 4}


class Seen(HTMLParser):
    """What a parser finds: elements with their attributes, texts, scripts."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.scripts = [], [], []
        self._in = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        (self.scripts if self._in in {"script", "style"} else self.texts).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def example():
    return Seen(render_html(example_report()))


def test_the_verdict_stands_first_in_the_words_of_every_other_format():
    report = example_report()
    text = Seen(render_html(report)).text
    said = [rows.headline(report), rows.tally(report), rows.provenance(report.meters)]
    places = [text.index(part) for part in (*said, report.warnings[0], "Benchmark Verdict")]
    assert places == sorted(places)
    assert rows.closing_line(report) in text


def test_each_row_shows_the_numbers_of_every_other_format(example):
    for line in rows.lines(example_report()):
        for row in (line.row, line.per_token):
            shown = (rows.typical(row.base, row), rows.typical(row.head, row), rows.change(row), rows.interval(row))
            assert all(part in example.text for part in shown)


def test_nothing_is_fetched_and_only_named_scripts_may_run(example):
    (policy,) = [meta["content"] for meta in example.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    ran = [
        script for script, attributes in zip(example.scripts[1:], example.all("script"), strict=True) if not attributes
    ]
    assert re.sub(r"'sha256-[^']+'", "HASH", policy) == (
        "default-src 'none'; script-src HASH HASH HASH; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [source_of(script) in policy for script in ran] == [True, True]
    addresses = [value for _, found in example.elements for name, value in found.items() if name in {"src", "href"}]
    assert [address for address in addresses if not address.startswith("#")] == ["data:,"]
    handlers = [name for _, found in example.elements for name in found if name.startswith("on") or name == "style"]
    assert handlers == []


def test_a_page_has_landmarks_headings_in_order_and_named_columns(example):
    assert [len(example.all(tag)) for tag in ("main", "header", "footer", "h1")] == [1, 1, 1, 1]
    levels = [int(tag[1]) for tag, _ in example.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert {each["scope"] for each in example.all("th")} == {"col", "row"}
    ids = [found["id"] for _, found in example.elements if "id" in found]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", [HOSTILE, "x" * 5000, "\n\t\u202e", "::", "=cmd()|x"])
def test_names_and_reasons_never_become_markup(name):
    page = render_html(_report_about(name))
    plain, found = Seen(render_html(_report_about("-encode"))), Seen(page)  # neither is a command to type
    assert [tag for tag, _ in found.elements if tag != "span"] == [tag for tag, _ in plain.elements if tag != "span"]
    assert not re.search("[\u202e\x1b\u2028]", page)
    assert "{{ 7*7 }}" in found.text or name != HOSTILE


def _report_about(name):
    row = a_row(
        benchmark=name, reason=name, outcome=Outcome.INCONCLUSIVE, notes=(name,), domains={name: 1.0}, work={name: 1.0}
    )
    first = example_report(1).evidence[0]
    report = a_report(row, warnings=(name,), notes=(name,))
    return replace(report, evidence=(replace(first, benchmark=name, labels={name: name}),), tool={"energygate": name})


def test_data_cannot_end_its_element_and_is_read_back_as_it_was():
    text = packed_json([HOSTILE])
    assert re.fullmatch("[A-Za-z0-9+/=]+", text)
    assert json.loads(gzip.decompress(base64.b64decode(text))) == [HOSTILE]


def test_the_same_script_is_packed_to_the_same_text():
    assert packed_script("1") == packed_script("1")
    assert (packed_script("1").text, packed_script("1").source) == (
        packed(b"1"),
        "'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='",
    )


def test_a_limit_and_an_anchor_stand_below_the_benchmark_that_they_are_of():
    rows_of_one = (
        a_row(outcome=Outcome.OVER_LIMIT, how="limit", base=5.0, head=6.0, reason="6 J, the limit is 5 J."),
        a_row(),
        a_row(how="anchor", anchor="v1"),
        a_row(benchmark="other"),
    )
    page = Seen(render_html(a_report(*rows_of_one)))
    assert [each["data-outcomes"] for each in page.all("tbody") if "data-outcomes" in each] == [
        "over_limit pass pass",
        "pass",
    ]
    assert "(anchor v1)" in page.text


def test_what_is_no_measurement_is_said_in_capitals_and_beside_each_number():
    page = Seen(render_html(a_report(a_row(estimated=True)))).text
    assert "THESE FIGURES ARE ESTIMATES BY MODEL, NOT MEASUREMENTS." in page
    assert "101 J (estimate)" in page


def test_a_section_says_all_that_is_known_of_its_benchmark():
    row = a_row(
        outcome=Outcome.REGRESSED,
        metric=Metric.J_PER_REQUEST,
        reason="+1.0 %, more than it should.",
        times={"request_s": Times(head=2.0, base=1.9)},
        net=Net(refused="it drifted"),
        notes=("a note",),
    )
    terms = Terms(intensity=Intensity(g_co2e_per_kwh=100.0, source="me", year=2025))
    page = Seen(render_html(replace(a_report(row), terms=terms))).text
    for sentence in (
        "verdict regressed: +1.0 %, more than it should.",
        "compared with stored sessions: 0 trials, 4 sessions, adjusted p 0.2",
        "times median request 1.90 → 2.00 s",
        "idle power net of idle: not shown, because it drifted",
        "in other terms per 1,000 requests: ",
        "Notes a note",
        f"See it again python -m pytest --energy {NAME}",
        f"If the increase is wanted energygate baseline accept {NAME} --reason '…' --run RUN.json",
        "not in the figures because no meter here covers it: DRAM, GPUs, disks, network, fans, power supply",
    ):
        assert sentence in page


def test_where_all_branches_share_the_store_the_page_says_to_merge_first():
    report = a_report(a_row(outcome=Outcome.REGRESSED))
    store = StoreName(name="git:b", is_given=True, is_shared=True)
    page = Seen(render_html(replace(report, baseline=replace(report.baseline, store=store)))).text
    assert f"energygate baseline accept {NAME} --reason '…' --run RUN_ID --baselines=git:b After the merge, " in page
    assert "commit the file" not in page


@pytest.mark.parametrize(
    ("how", "other"), [("stored", "the newest stored run"), ("interleaved", "the base, measured in turns")]
)
def test_a_page_names_every_key_in_which_the_machines_of_base_and_head_differ(how, other):
    report = a_report(a_row())
    before = a_machine(hard={"governor": "powersave", "cores": 8}, soft={"kernel": "6.7.0", "cpu": {"microcode": "1"}})
    now = a_machine(hard={"governor": "performance", "cores": 8}, soft={"kernel": "6.8.0", "cpu": {"microcode": "2"}})
    compared = replace(report.baseline, how=how, machine=before)
    page = Seen(render_html(replace(report, machine=now, baseline=compared)))
    assert (
        f"Differs from {other}: governor: powersave → performance cpu.microcode: 1 → 2 kernel: 6.7.0 → 6.8.0 "
    ) in page.text
    same = Seen(render_html(replace(report, machine=now, baseline=replace(compared, machine=now))))
    assert "Differs from" not in same.text


def test_a_report_without_any_benchmark_says_so():
    page = Seen(render_html(a_report(verdict="failed", exit_code=5))).text
    assert "nothing valid was measured: no benchmark ran" in page


def test_five_hundred_benchmarks_with_turns_and_fifty_sessions_stay_below_six_megabytes():
    many, chance = example_report(500), random.Random(1)
    both = [replace(side, points=side.points[:10]) for side in many.evidence[0].turns]
    level = many.evidence[0].history[-1]

    def varied(value):
        return value * chance.gauss(1, 0.02)

    def measured(side):
        energy_j = [{name: varied(joules) for name, joules in point.energy_j.items()} for point in side.points]
        points = zip(side.points, energy_j, strict=True)
        return replace(side, points=tuple(replace(p, value=varied(p.value), energy_j=found) for p, found in points))

    def stored():
        return replace(level, value=varied(level.value), values=tuple(map(varied, level.values)))

    evidence = tuple(
        replace(each, turns=tuple(map(measured, both)), history=tuple(stored() for _ in range(50)))
        for each in many.evidence
    )
    assert len(render_html(replace(many, evidence=evidence)).encode()) < 6_000_000
