"""A report's trials as metrics: joules by domain, and what each trial came to."""

from pathlib import Path

import pytest
from exported_report import AT, CHAT, MEASURED
from msgspec.structs import replace

from energygate.model import Evidence, Metric, Point, Side
from energygate.telemetry.attributes import of_domain
from energygate.telemetry.metrics import INSTRUMENTS, series_of
from energygate.telemetry.runs import measured_runs

AT_NS = int(AT.timestamp()) * 10**9
FIRST, LAST = AT_NS + 3_500_000_000, AT_NS + 11_500_000_000
OWN = {"energygate.benchmark": CHAT, "energygate.side": "head", "energygate.reading": "measured"}
DOCUMENT = Path(__file__).parents[3] / "docs/telemetry.md"


def shown(report):
    judged = measured_runs(report)[0]
    return [(s.instrument.name, s.attributes, s.points) for s in series_of(report, judged)]


def test_joules_add_up_by_domain_and_a_trial_that_does_not_count_is_in_none_of_them():
    assert shown(MEASURED) == [
        ("hw.energy", {"hw.id": "package-0", "hw.type": "cpu", **OWN}, ((FIRST, 100.0), (LAST, 201.0))),
        ("hw.energy", {"hw.id": "gpu-0", "hw.type": "gpu", **OWN}, ((FIRST, 22.0), (LAST, 45.0))),
        ("energygate.trial.energy", OWN, ((FIRST, 122.0), (LAST, 124.0))),
        ("energygate.trial.duration", OWN, ((FIRST, 3.5), (LAST, 3.5))),
        ("energygate.trial.energy_per_request", OWN, ((FIRST, 3.8125), (LAST, 3.875))),
        ("energygate.trial.energy_per_output_token", OWN, ((FIRST, 122 / 2048), (LAST, 124 / 2048))),
    ]
    judged = measured_runs(MEASURED)[0]
    assert {series.since_ns for series in series_of(MEASURED, judged)} == {AT_NS}


def test_what_is_not_counted_has_no_series_and_only_a_meter_of_the_whole_host_is_called_so():
    point = Point(started_s=0.0, duration_s=1.0, energy_j={"host": 80.0})
    side = Side(run_id="r", commit=None, at=AT, points=(point,))
    evidence = Evidence(benchmark=CHAT, metric=Metric.ENERGY_J, head=side)
    end = AT_NS + 10**9
    assert shown(replace(MEASURED, evidence=(evidence,))) == [
        ("hw.host.energy", {"hw.id": "host", **OWN}, ((end, 80.0),)),
        ("energygate.trial.energy", OWN, ((end, 80.0),)),
        ("energygate.trial.duration", OWN, ((end, 1.0),)),
    ]


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("package-1", "cpu"),
        ("dram-0", "memory"),
        ("gpu-3", "gpu"),
        ("cpu-estimate", "cpu-estimate"),
        ("wall", "wall"),
        ("7", None),
    ],
)
def test_a_domain_is_named_as_opentelemetry_names_components(domain, kind):
    assert of_domain(domain) == {"hw.id": domain} | ({} if kind is None else {"hw.type": kind})


def test_the_documented_table_of_metrics_is_that_of_the_code():
    rows = [
        f"| `{each.name}` | {'sum' if each.is_sum else 'gauge'} | `{each.unit}` | {each.description} |\n"
        for each in INSTRUMENTS
    ]
    assert "| metric | kind | unit | is |\n|---|---|---|---|\n" + "".join(rows) in DOCUMENT.read_text(encoding="utf-8")
