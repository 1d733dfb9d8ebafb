import datetime as dt

import pytest
from fakes import COMMIT, FIRST_DAY, NAME, an_acceptance

from energygate.cli.history_page import write_history_page
from energygate.errors import ConfigError
from energygate.history.trend import Entry, LevelChange, Trend
from energygate.model import Metric
from energygate.report.html import render_history_html


def an_entry(day=1, value=100.0, **more):
    known = {"commit": COMMIT, "trials": 10, "counts": True, "at": FIRST_DAY + dt.timedelta(days=day - 1)}
    return Entry(**(known | {"run_id": f"run-{day}", "value": value} | more))


def a_trend(*entries, **more):
    known = {
        "benchmark": NAME,
        "machine": "epyc",
        "fingerprint": "0123456789ab",
        "metric": Metric.ENERGY_J,
        "label": "",
    }
    return Trend(**(known | {"entries": entries, "others": 0, "warnings": ()} | more))


RISEN = LevelChange(ratio=1.082, p_value=1e-7, is_certain=True, is_accepted=False)


def test_an_increase_that_nobody_accepted_is_said_first():
    page = render_history_html(
        [a_trend(an_entry(1), an_entry(2, 108.0, change=RISEN), warnings=(f"{NAME}: it rose.",))]
    )
    assert "1 increase accepted by nobody" in page
    assert "+8.2 % since here, p &lt; 0.001, accepted by nobody" in page
    assert "<p>it rose.</p>" in page


def test_each_session_says_when_what_and_who_accepted_it():
    page = render_history_html(
        [a_trend(an_entry(1, accepted=(an_acceptance(),)), an_entry(2, 175.0, is_shifted=True, counts=False))]
    )
    assert "no increase is open" in page
    assert "accepted by alice on 2026-11-01: a better model" in page
    assert "left out: the machine differs, not the code" in page
    assert "2 sessions, of which 1 count" not in page
    assert "2, of which 1 count" in page


def test_a_benchmark_without_a_session_and_an_estimate_are_shown_as_what_they_are():
    page = render_history_html([a_trend(), a_trend(an_entry(), benchmark="b", label="estimate")])
    assert "100 J (estimate)" in page
    assert "FIGURES MARKED (estimate) ARE NO MEASUREMENTS." in page
    assert "2 benchmarks, 0 with a change of level" in page


def test_the_page_is_written_to_the_file_that_is_named(tmp_path):
    file = tmp_path / "history.html"
    write_history_page(f"html:{file}", [a_trend(an_entry())])
    assert file.read_text(encoding="utf-8") == render_history_html([a_trend(an_entry())])


@pytest.mark.parametrize("target", ["html", "html:", "json:history.json"])
def test_a_history_is_no_other_format(target):
    with pytest.raises(ConfigError) as refused:
        write_history_page(target, [])
    assert str(refused.value) == (
        f"--report {target}: a history is written as HTML and as nothing else. "
        "Give html:FILE; --json prints it as JSON."
    )
