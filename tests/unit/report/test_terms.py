import datetime as dt

import pytest
from fakes import a_report, a_row
from msgspec.structs import replace

from energygate.carbon.factors import yearly
from energygate.model import (
    Embodied,
    Evidence,
    Intensity,
    Metric,
    Outcome,
    Point,
    Side,
    Terms,
    Work,
)
from energygate.report.markdown import render_markdown
from energygate.report.terminal import render_terminal
from energygate.report.terms import assumptions, in_terms

AT = dt.datetime(2026, 11, 22, 14, tzinfo=dt.UTC)
LIVE = Intensity(
    g_co2e_per_kwh=386, source="Electricity Maps", zone="DE", at=AT, kind="average", scope="lifecycle", estimated=True
)
MADE = Embodied(total_g_co2e=1_205_520, lifespan_s=4 * 365 * 24 * 3600, share=0.125, source="its data sheet")
CHAT = a_row(
    outcome=Outcome.REGRESSED, benchmark="chat.energy.yml::chat", metric=Metric.J_PER_REQUEST, base=3.41, head=3.84
)
PER_TOKEN = a_row(benchmark="chat.energy.yml::chat", metric=Metric.J_PER_OUTPUT_TOKEN, base=0.3, head=0.4)
LIMIT = a_row(benchmark="chat.energy.yml::chat", metric=Metric.J_PER_REQUEST, how="limit", base=3.0, head=3.84)
ENCODE = a_row(benchmark="bench.py::test_encode", head=36.0)
GONE = a_row(outcome=Outcome.MISSING, benchmark="gone", base=None, head=None)


def a_side(*points):
    return Side(run_id="20261122T031500Z-1a2b3c4d5e", commit=None, at=AT, points=points)


def a_point(*, duration_s, requests=None, iterations=1, invalid=None):
    work = Work(requests=requests)
    return Point(started_s=0.0, duration_s=duration_s, energy_j={}, work=work, iterations=iterations, invalid=invalid)


def sentences(terms, *rows, evidence=()):
    report = replace(a_report(*rows), terms=terms, evidence=evidence)
    return [f"{each.row.benchmark}: {each.sentence}" for each in in_terms(report)]


def test_without_terms_nothing_is_said():
    report = a_report(CHAT)
    assert (in_terms(report), assumptions(report)) == ((), ())


def test_kilowatt_hours_need_no_assumption():
    assert sentences(Terms(), CHAT, PER_TOKEN, LIMIT, ENCODE, GONE) == [
        "chat.energy.yml::chat: per 1,000 requests: 1.07 Wh",
        "bench.py::test_encode: per 1,000 iterations: 10.0 Wh",
    ]


def test_cost_and_carbon_are_of_the_energy_times_the_pue():
    terms = Terms(price_per_kwh=0.24, currency="EUR", pue=1.2, intensity=LIVE)
    assert sentences(terms, CHAT) == ["chat.energy.yml::chat: per 1,000 requests: 1.07 Wh, 0.000307 EUR, 0.494 g CO2e"]
    (found,) = in_terms(replace(a_report(CHAT), terms=terms))
    assert found.energy_kwh == pytest.approx(3.84 * 1000 / 3.6e6)
    assert found.cost == pytest.approx(found.energy_kwh * 1.2 * 0.24)
    assert found.carbon_g == pytest.approx(found.energy_kwh * 1.2 * 386)


def test_large_amounts_are_kilowatt_hours_and_kilograms():
    heavy = a_row(metric=Metric.J_PER_REQUEST, head=36_000.0)
    terms = Terms(price_per_kwh=0.24, currency="EUR", intensity=LIVE)
    assert sentences(terms, heavy) == ["bench.py::test_encode: per 1,000 requests: 10.0 kWh, 2.40 EUR, 3.86 kg CO2e"]


def test_an_estimate_is_called_one_beside_each_figure():
    doubtful = replace(CHAT, estimated=True, label="estimate")
    terms = Terms(price_per_kwh=0.24, currency="EUR", intensity=LIVE)
    assert sentences(terms, doubtful) == [
        (
            "chat.energy.yml::chat: per 1,000 requests: 1.07 Wh (estimate), 0.000256 EUR (estimate), "
            "0.412 g CO2e (estimate)"
        )
    ]


def test_what_is_embodied_counts_for_the_time_that_valid_trials_took():
    side = a_side(
        a_point(duration_s=2.0, requests=8),
        a_point(duration_s=3.0, requests=12),
        a_point(duration_s=900.0, requests=1, invalid="noisy: others worked"),
    )
    evidence = (Evidence(benchmark=CHAT.benchmark, metric=Metric.J_PER_REQUEST, head=side),)
    report = replace(a_report(CHAT), terms=Terms(intensity=LIVE, embodied=MADE), evidence=evidence)
    (found,) = in_terms(report)
    assert found.embodied_g == pytest.approx(1_205_520 * (250 / (4 * 365 * 24 * 3600)) * 0.125)  # 0.25 s a request
    assert found.carbon_g == pytest.approx(found.energy_kwh * 386 + found.embodied_g)


def test_what_was_judged_in_turns_takes_the_time_of_its_blocks():
    before, after, other = (a_side(a_point(duration_s=d, iterations=10)) for d in (1.0, 2.0, 7.0))
    evidence = (Evidence(benchmark=ENCODE.benchmark, metric=Metric.ENERGY_J, head=other, turns=(before, after)),)
    report = replace(a_report(replace(ENCODE, how="interleaved")), terms=Terms(intensity=LIVE, embodied=MADE))
    (found,) = in_terms(replace(report, evidence=evidence))
    assert found.embodied_g == pytest.approx(1_205_520 * (200 / (4 * 365 * 24 * 3600)) * 0.125)  # 0.2 s an iteration


@pytest.mark.parametrize("points", [(), (a_point(duration_s=1.0),), (a_point(duration_s=1.0, requests=0),)])
def test_an_embodied_share_that_is_not_known_is_said_and_not_taken_for_nothing(points):
    evidence = (Evidence(benchmark=CHAT.benchmark, metric=Metric.J_PER_REQUEST, head=a_side(*points)),)
    assert sentences(Terms(intensity=LIVE, embodied=MADE), CHAT, evidence=evidence) == [
        (
            "chat.energy.yml::chat: per 1,000 requests: 1.07 Wh, 0.412 g CO2e without making the machine, because the "
            "report does not say how long it took"
        )
    ]


NO_PUE = "cooling and power supply of a data centre (no PUE given)"


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (Terms(), [f"not counted: what no meter here covers, {NO_PUE}"]),
        (
            Terms(price_per_kwh=0.24, currency="EUR", pue=1.2, intensity=LIVE, embodied=MADE),
            [
                "cost: 0.24 EUR/kWh, times PUE 1.2",
                (
                    "carbon: 386 g CO2e/kWh (DE, Electricity Maps, 2026-11-22 14:00 UTC; average, lifecycle, "
                    "estimated by its source), times PUE 1.2"
                ),
                (
                    "carbon also holds making the machine: 1210 kg CO2e (its data sheet) over 4 years, 12.5 % of it "
                    "reserved for as long as the trials took"
                ),
                "not counted: what no meter here covers",
            ],
        ),
        (
            Terms(intensity=yearly("FR")),
            [
                "carbon: 41.4 g CO2e/kWh (FR, Ember via Our World in Data, 2025; average, lifecycle)",
                f"not counted: what no meter here covers, {NO_PUE}, making the machine",
            ],
        ),
        (
            Terms(unknown="WattTime was asked too often (HTTP 429)."),
            [
                "carbon is unknown: WattTime was asked too often (HTTP 429).",
                f"not counted: what no meter here covers, {NO_PUE}",
            ],
        ),
    ],
)
def test_each_figure_says_what_it_rests_on_and_what_it_does_not_count(terms, said):
    assert list(assumptions(replace(a_report(CHAT), terms=terms))) == said


def test_markdown_has_a_folded_table_with_the_assumptions_below():
    terms = Terms(price_per_kwh=0.24, currency="EUR", pue=1.2, intensity=LIVE)
    text = render_markdown(replace(a_report(CHAT, ENCODE), terms=terms)).replace("\N{NO-BREAK SPACE}", " ")
    part = text.partition("<summary>Kilowatt-hours, cost and carbon (no part of the verdict)</summary>")[2]
    assert part.partition("</details>")[0].strip().splitlines() == [
        "| benchmark | per | energy | cost | carbon |",
        "| :-- | :-- | --: | --: | --: |",
        "| `chat.energy.yml::chat` | 1,000 requests | 1.07 Wh | 0.000307 EUR | 0.494 g CO2e |",
        "| `bench.py::test_encode` | 1,000 iterations | 10.0 Wh | 0.00288 EUR | 4.63 g CO2e |",
        "",
        "- cost: 0.24 EUR/kWh, times PUE 1.2",
        (
            "- carbon: 386 g CO2e/kWh (`DE`, `Electricity Maps`, 2026-11-22 14:00 UTC; average, lifecycle, "
            "estimated by its source), times PUE 1.2"
        ),
        "- not counted: what no meter here covers, making the machine",
    ]


def test_markdown_shows_foreign_words_as_code():
    hostile = "@everyone <script>|`x`\n## head"
    code = "``@everyone <script>|`x` ## head``"
    sourced = replace(a_report(CHAT), terms=Terms(intensity=replace(LIVE, source=hostile, zone=hostile)))
    unknown = replace(a_report(CHAT), terms=Terms(unknown=hostile))
    assert f"- carbon: 386 g CO2e/kWh ({code}, {code}, 2026-11-22 14:00 UTC;" in render_markdown(sourced)
    assert f"- carbon is unknown: {code}\n" in render_markdown(unknown)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_foreign_reports_impossible_time_is_shown_as_it_is(year):
    intensity = replace(LIVE, at=dt.datetime(year, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14))))
    said = assumptions(replace(a_report(CHAT), terms=Terms(intensity=intensity)))
    assert "UTC+14:00; average" in said[0]


def test_a_terminal_has_them_among_the_details():
    report = replace(a_report(CHAT), terms=Terms(price_per_kwh=0.24, currency="EUR", intensity=LIVE))
    shown = "chat.energy.yml::chat, per 1,000 requests: 1.07 Wh, 0.000256 EUR, 0.412 g CO2e"
    assert shown in render_terminal(report, color=False, verbose=True).splitlines()
    assert shown not in render_terminal(report, color=False)


def test_a_terminal_says_without_being_asked_that_carbon_is_unknown():
    report = replace(a_report(CHAT), terms=Terms(unknown="WattTime fails (HTTP 500)."))
    *_, said, _ = render_terminal(report, color=False).splitlines()
    assert said == "carbon is unknown: WattTime fails (HTTP 500)."
