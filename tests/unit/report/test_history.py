import datetime as dt
import json

import msgspec
from fakes import COMMIT, FIRST_DAY, NAME, an_acceptance
from msgspec import structs

from energygate.history.trend import Entry, LevelChange, Trend
from energygate.model import Metric
from energygate.report.history import history_document, render_history, sparkline


def an_entry(day=1, value=100.0, **more):
    at = FIRST_DAY + dt.timedelta(days=day - 1)
    known = {"commit": COMMIT, "trials": 10, "counts": True}
    return Entry(**(known | {"run_id": f"run-{day}", "at": at, "value": value} | more))


def a_trend(*entries, **more):
    known = {"benchmark": NAME, "machine": "epyc-7763-2s", "fingerprint": "0123456789ab", "metric": Metric.ENERGY_J}
    return Trend(**(known | {"label": "", "entries": entries, "others": 0, "warnings": ()} | more))


def test_sessions_are_listed_oldest_first_with_what_changed_and_who_accepted_it():
    risen = LevelChange(ratio=1.082, p_value=1e-7, is_certain=True, is_accepted=False)
    possible = LevelChange(ratio=0.97, p_value=0.004, is_certain=False, is_accepted=True)
    until = structs.replace(an_acceptance(), until=dt.date(2026, 12, 31))
    trend = a_trend(
        an_entry(1, 99.5, counts=False),
        an_entry(2, 108.0, change=risen, commit=None),
        an_entry(3, 105.0, change=possible, accepted=(until,)),
        others=2,
        warnings=(f"{NAME}: it rose.", "another: warned."),
    )
    assert render_history([trend], color=False) == (
        f"{NAME} on epyc-7763-2s (0123456789ab)\n"
        "    warning: it rose.\n"
        "    warning: another: warned.\n"
        "    ▁█▅  3 sessions, the next run is compared with 2 of them (*), 2 more stored runs are no session\n"
        "      2026-11-01  0123456789ab  99.5 J\n"
        "    * 2026-11-02  no commit      108 J  +8.2 % since here, p < 0.001, accepted by nobody\n"
        "    * 2026-11-03  0123456789ab   105 J  possible: \N{MINUS SIGN}3.0 % since here, p 0.004\n"
        "                  accepted by alice on 2026-11-01, until 2026-12-31: a better model\n"
    )


def test_a_benchmark_without_a_session_says_so():
    assert render_history([a_trend(others=1)], color=False).splitlines()[1] == (
        "    0 sessions, the next run is compared with 0 of them (*), 1 more stored run is no session"
    )


def test_a_session_of_another_machine_state_says_that_it_is_left_out():
    assert render_history([a_trend(an_entry(value=175.0, counts=False, is_shifted=True))], color=False).endswith(
        "      2026-11-01  0123456789ab  175 J  left out: the machine differs, not the code\n"
    )


def test_an_estimate_is_labelled_beside_each_value():
    assert "100 J (estimate)\n" in render_history([a_trend(an_entry(), label="estimate")], color=False)


def test_an_increase_that_nobody_accepted_is_red():
    change = LevelChange(ratio=1.1, p_value=1e-9, is_certain=True, is_accepted=False)
    assert "\x1b[1;31m" in render_history([a_trend(an_entry(change=change))], color=True)


def test_bars_rise_from_the_smallest_value_to_the_largest_and_noise_stays_low():
    assert sparkline([1.0, 1.5, 2.0]) == "▁▄█"
    assert sparkline([100.0, 100.1, 100.0]) == "▁▁▁"
    assert sparkline([5.0]) == "▁"
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_the_document_is_plain_json():
    document = json.loads(msgspec.json.encode(history_document([a_trend(an_entry())])))
    assert document == {
        "schema": "energygate.history/1",
        "benchmarks": [
            {
                "benchmark": NAME,
                "machine": "epyc-7763-2s",
                "fingerprint": "0123456789ab",
                "metric": "energy_j",
                "label": "",
                "others": 0,
                "warnings": [],
                "entries": [
                    {
                        "run_id": "run-1",
                        "at": "2026-11-01T03:15:00Z",
                        "commit": COMMIT,
                        "value": 100.0,
                        "trials": 10,
                        "counts": True,
                        "is_shifted": False,
                        "change": None,
                        "accepted": [],
                    }
                ],
            }
        ],
    }


def test_in_a_narrow_window_lines_are_broken_and_names_stay_whole():
    risen = LevelChange(ratio=1.082, p_value=1e-7, is_certain=True, is_accepted=False)
    trend = a_trend(
        an_entry(1, 99.5),
        an_entry(2, 108.0, change=risen, accepted=(an_acceptance(reason="a better and larger model"),)),
        warnings=(f"{NAME}: it rose, and nobody has said why that is.",),
    )
    assert render_history([trend], color=False, width=40) == (
        "bench.py::test_encode\n"
        "    on epyc-7763-2s (0123456789ab)\n"
        "    warning: it rose, and nobody has\n"
        "        said why that is.\n"
        "    ▁█  2 sessions, the next run is\n"
        "    compared with 2 of them (*)\n"
        "    * 2026-11-01  0123456789ab  99.5 J\n"
        "    * 2026-11-02  0123456789ab   108 J\n"
        "                  +8.2 % since here,\n"
        "                  p < 0.001, accepted by\n"
        "                  nobody\n"
        "                  accepted by alice on\n"
        "                  2026-11-01: a better\n"
        "                  and larger model\n"
    )
