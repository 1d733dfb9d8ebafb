"""The HTML report and the history page in a real browser: what a reader sees, and that nothing leaves the file."""

import re

import pytest
from example_report import HEAD, example_report
from fakes import a_report, a_row
from msgspec.structs import replace
from rig import browser as rig
from rig.fixtures import skip

from energygate.history.trend import Entry, LevelChange, Trend
from energygate.model import Acceptance, Metric, Outcome
from energygate.report.html import render_history_html, render_html

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">::\u202egnp"
REPORT = example_report()
TRIALS = sum(len(side.points) for side in REPORT.evidence[0].turns)
FIRST = "#b1"
DARK, LIGHT = "rgb(15, 19, 23)", "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def browser():
    if rig.program() is None:
        reason = "no chromium: this would have shown that the HTML report works in a browser, and asks for nothing"
        skip(reason, unless="ENERGYGATE_REQUIRE_BROWSER")
    with rig.browser() as started:
        yield started


@pytest.fixture
def opened(browser, tmp_path):
    """Open text as a page; whatever it may not do fails the test in the end."""
    made = []

    def make(text, *, size=WIDE, scheme="light", link=""):
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        made.append((context, rig.Page(context.new_page(), file, link)))
        return made[-1][1].shown

    yield make
    for context, page in made:
        context.close()
        assert page.faults == []


def names(page):
    return page.locator("tbody:visible .label").all_inner_texts()


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def drawn(page, group=FIRST):
    """Wait until the last figure is there; give the titles of all."""
    page.locator(f"{group} .figures:not(.waiting) figure").last.locator("svg.main-svg").first.wait_for()
    return page.locator(f"{group} figure h4").all_inner_texts()


def on_paper_figures_stay_and_what_is_to_be_clicked_goes(page):
    page.evaluate(
        "addEventListener('beforeprint', () => { window.sheet = getComputedStyle(document.body).backgroundColor; })"
    )
    assert page.pdf().startswith(b"%PDF-")  # as a reader prints it, events and all
    assert (page.evaluate("window.sheet"), background(page)) == (LIGHT, DARK)
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert background(page) == LIGHT
    assert not any(
        page.locator(each).is_visible() for each in (".toolbar", "#theme", f"{FIRST} .numbers", "#b2 .detail")
    )
    paper = page.locator("main").bounding_box()
    for figure in page.locator(f"{FIRST} figure").all():
        box = figure.locator("svg.main-svg").first.bounding_box()
        assert paper["x"] <= box["x"]
        assert box["x"] + box["width"] <= paper["x"] + paper["width"]


def test_a_reader_opens_a_benchmark_by_keyboard_to_all_its_trials_changes_the_theme_and_prints_it(opened):
    page = opened(render_html(REPORT), scheme="dark")
    assert page.locator("h1").inner_text().startswith("Regressed. chat.energy.yml::smollm2-1.7b uses ")
    assert page.locator(f"{FIRST} .detail").is_hidden()
    page.locator(f"{FIRST} button.opens").focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{FIRST} button.opens").get_attribute("aria-expanded") == "true"
    assert drawn(page) == [
        "Every trial in its order",
        "Change against the budget",
        "Distributions of base and head",
        "Energy by domain",
        "History",
    ]
    order = page.locator(f"{FIRST} [data-figure=order]")
    assert order.locator(".point").count() == TRIALS + 1  # the trial that was throttled has a ring
    assert "20 of 21 trials of head count" in order.locator(".plot").get_attribute("aria-label")
    assert page.locator(f"{FIRST} li", has_text="throttled: gpu-0 was slowed down").count() == 1
    page.click(f"{FIRST} .numbers summary")
    page.locator(f"{FIRST} .numbers tbody tr").last.wait_for()
    assert page.locator(f"{FIRST} .numbers tbody tr").count() == TRIALS
    ink = "getComputedStyle(document.querySelector('#b1 [data-figure=order] .xtick text')).fill"
    dark, dark_ink = background(page), page.evaluate(ink)
    page.get_by_role("button", name="Light theme").click()
    page.wait_for_function(f"{ink} !== '{dark_ink}'")
    assert (dark, background(page)) == (DARK, LIGHT)
    page.get_by_role("button", name="Dark theme").click()
    on_paper_figures_stay_and_what_is_to_be_clicked_goes(page)


def test_a_link_opens_its_benchmark_and_a_narrow_page_is_never_wider_than_the_screen(opened):
    page = opened(render_html(REPORT), size=NARROW, link=FIRST)
    assert len(drawn(page)) == 5
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_a_narrow_page_shows_all_of_its_meters_and_keeps_each_mark_beside_its_words(opened):
    meters = tuple(replace(meter, detail="a sentence on how it measures, " * 5) for meter in REPORT.meters)
    page = opened(render_html(replace(REPORT, meters=meters)), size=NARROW)
    table = page.locator("table.meters")
    assert table.evaluate("table => table.parentElement.scrollWidth - table.parentElement.clientWidth") == 0
    assert [cell.bounding_box()["width"] > 300 for cell in table.locator("[data-name=Detail]").all()] == [True, True]
    for entry in page.locator(".legend .entry").all():
        mark, words = entry.locator(".key").bounding_box(), entry.bounding_box()
        assert words["y"] <= mark["y"] <= words["y"] + 25


def test_the_table_is_sorted_and_filtered(opened):
    page = opened(render_html(REPORT))
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the benchmarks"
    heads = page.locator("th[data-key=head]")
    heads.get_by_role("button").click()
    values = page.locator("tbody").evaluate_all(
        "all => all.filter(b => b.dataset.head).map(b => Number(b.dataset.head))"
    )
    assert (len(values), values, heads.get_attribute("aria-sort")) == (12, sorted(values), "ascending")
    heads.get_by_role("button").click()
    assert heads.get_attribute("aria-sort") == "descending"
    page.fill("#filter", "RAG")
    assert (len(names(page)), page.locator("#shown").inner_text()) == (4, "4 of 12 benchmarks")
    page.fill("#filter", "")
    page.select_option("#outcome", "improved")
    assert names(page) == ["chat.energy.yml::llama3.1-8b"]


def test_a_report_of_500_benchmarks_is_sorted_filtered_and_opened_to_figures_like_a_small_one(opened):
    page = opened(render_html(example_report(500)))
    assert page.locator("#shown").inner_text() == "500 benchmarks"
    assert page.evaluate("document.documentElement.scrollWidth") == WIDE["width"]
    page.locator("th[data-key=ratio]").get_by_role("button").click()
    ratios = page.locator("tbody").evaluate_all(
        "all => all.filter(b => b.dataset.ratio).map(b => Number(b.dataset.ratio))"
    )
    assert (len(ratios), ratios) == (500, sorted(ratios))
    last = page.locator("#b500").get_attribute("data-name")
    page.fill("#filter", last)
    assert names(page) == [last]
    page.locator("#b500 button.opens").click()
    assert len(drawn(page, "#b500")) == 5


def test_hostile_names_and_reasons_are_shown_and_do_nothing(opened):
    reason = f"spike: {HOSTILE}"
    first = replace(REPORT.evidence[0], benchmark=HOSTILE, labels={HOSTILE: HOSTILE})
    base, head = first.turns
    turns = (base, replace(head, points=tuple(replace(point, invalid=reason) for point in head.points)))
    row = a_row(benchmark=HOSTILE, outcome=Outcome.REGRESSED, reason=reason, metric=Metric.J_PER_REQUEST)
    page = opened(render_html(replace(a_report(row), evidence=(replace(first, turns=turns),))), link=FIRST)
    assert len(drawn(page)) == 5
    page.locator(f"{FIRST} [data-figure=order] .point").last.hover(force=True)
    page.locator(f"{FIRST} .hoverlayer text", has_text="does not count: spike: </script><script>").wait_for()
    assert page.title().startswith("Energy: regressed. </script><script>document.title='taken'</script><img src=x")
    assert "::gnp" in page.locator(f"{FIRST} .label").inner_text().replace(" ", "")


def test_the_history_shows_sessions_changes_and_who_accepted_them(opened):
    levels = REPORT.evidence[0].history
    said = LevelChange(ratio=1.08, p_value=1e-6, is_certain=True, is_accepted=True)
    entries = tuple(
        Entry(
            run_id=each.run_id,
            at=each.at,
            commit=HEAD,
            value=each.value,
            trials=10,
            counts=bool(each.values),
            is_shifted=each.is_shifted,
            change=None if each.change is None else said,
            accepted=tuple(Acceptance(benchmark="b", by="bob", reason=HOSTILE, at=each.at) for _ in each.accepted),
        )
        for each in levels
    )
    trend = Trend(
        benchmark=HOSTILE,
        machine="m",
        fingerprint="0123456789ab",
        metric=Metric.ENERGY_J,
        label="",
        entries=entries,
        others=0,
        warnings=(),
    )
    page = opened(render_history_html([trend]), link=FIRST)
    assert drawn(page) == ["History"]
    rows = page.locator(f"{FIRST} .plain-table tbody tr").all_inner_texts()
    assert len(rows) == len(levels)
    assert [row for row in rows if re.search(r"\+8\.0 % since here, p < 0\.001\s+accepted by bob", row)] == [rows[9]]
    assert page.locator(f"{FIRST} [data-figure=history] .point").count() == len(levels) + 1  # one is ringed: accepted
