"""Live carbon intensities, asked for over real sockets from servers that speak the documented formats."""

import base64
import datetime as dt
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from click.testing import CliRunner
from fakes import a_benchmark, a_report, a_row, a_run, some_trials
from msgspec.structs import replace

from energygate.baseline.schema import encode_run
from energygate.carbon.held import HeldAnswers
from energygate.carbon.options import ElectricityMapsCarbon, TermsOptions, WattTimeCarbon
from energygate.carbon.terms import Outside, terms_of
from energygate.cli.main import commands
from energygate.model import Intensity, Outcome, Terms
from energygate.pipeline import in_terms
from energygate.report.json import encode_report
from energygate.report.markdown import render_markdown
from energygate.report.terminal import render_terminal
from energygate.settings import Settings

NOW = dt.datetime(2026, 11, 22, 14, 20, tzinfo=dt.UTC)
TOKEN = "em-canary-5f2b9c41d7"
USER, PASSWORD, BEARER = "wt-canary-user", "wt-canary-pass-8817", "wt.canary.jwt"
KEYS = {
    "ENERGYGATE_ELECTRICITYMAPS_TOKEN": TOKEN,
    "ENERGYGATE_WATTTIME_USER": USER,
    "ENERGYGATE_WATTTIME_PASSWORD": PASSWORD,
}
SECRETS = (TOKEN, USER, PASSWORD, BEARER, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
# As https://portal.electricitymaps.com/developer-hub/api/reference has it, of another hour.
LATEST = {
    "zone": "DE",
    "carbonIntensity": 386,
    "datetime": "2026-11-22T14:00:00.000Z",
    "updatedAt": "2026-11-22T13:48:27.926Z",
    "createdAt": "2026-11-19T14:47:16.265Z",
    "emissionFactorType": "lifecycle",
    "isEstimated": True,
    "estimationMethod": "TIME_SLICER_AVERAGE",
}
# As https://docs.watttime.org has it, of another time.
FORECAST = {
    "data": [
        {"point_time": "2026-11-22T14:20:00+00:00", "value": 870.0},
        {"point_time": "2026-11-22T14:25:00+00:00", "value": 1051.0880801214637},
    ],
    "meta": {
        "data_point_period_seconds": 300,
        "region": "CAISO_NORTH",
        "warnings": [],
        "signal_type": "co2_moer",
        "model": {"date": "2023-03-01"},
        "units": "lbs_co2_per_mwh",
        "generated_at_period_seconds": 300,
        "generated_at": "2026-11-22T14:20:00+00:00",
    },
}


class Scripted(BaseHTTPRequestHandler):
    """Answers each path with what `server.answers` has for it: status and body; a body of None never comes."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.server.asked.append((path, query, dict(self.headers)))
        status, body = self.server.answers[path]
        if body is None:
            self.server.over.wait()
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *_):
        """Say nothing."""

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # whoever asked has turned away
            self.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Scripted) as server:
        server.answers = {
            "/v3/carbon-intensity/latest": (200, LATEST),
            "/login": (200, {"token": BEARER}),
            "/v3/forecast": (200, FORECAST),
        }
        server.asked, server.over = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server, tmp_path):
    """Ask for the terms: `ask("electricitymaps")`, with other keys in the environment, at another time."""
    kinds = {"electricitymaps": (ElectricityMapsCarbon, "DE"), "watttime": (WattTimeCarbon, "CAISO_NORTH")}

    def ask(source, *, environ=KEYS, now=NOW, timeout_s=5.0, url=server.url):
        kind, zone = kinds[source]
        held = HeldAnswers(folder=tmp_path / "cache")
        outside = Outside(environ=environ, now=now, held=held, timeout_s=timeout_s)
        return terms_of(TermsOptions(carbon=kind(zone=zone, url=url)), outside)

    return ask


def test_electricity_maps_gives_an_average_of_the_hour(server, ask):
    assert ask("electricitymaps") == Terms(
        intensity=Intensity(
            g_co2e_per_kwh=386,
            source="Electricity Maps",
            zone="DE",
            at=dt.datetime(2026, 11, 22, 14, tzinfo=dt.UTC),
            kind="average",
            scope="lifecycle",
            estimated=True,
        )
    )
    ((path, query, headers),) = server.asked
    assert (path, query, headers["auth-token"]) == ("/v3/carbon-intensity/latest", "zone=DE", TOKEN)


def test_watttime_gives_a_marginal_figure_in_pounds_for_a_megawatt_hour(server, ask):
    intensity = ask("watttime").intensity
    assert intensity == Intensity(
        g_co2e_per_kwh=pytest.approx(394.625, abs=0.001),  # 870 lb/MWh
        source="WattTime, CO2 alone",
        zone="CAISO_NORTH",
        at=NOW,
        kind="marginal",
    )
    login, forecast = server.asked
    assert (login[0], login[2]["Authorization"]) == ("/login", f"Basic {SECRETS[-1]}")
    assert forecast[:2] == ("/v3/forecast", "region=CAISO_NORTH&signal_type=co2_moer")
    assert forecast[2]["Authorization"] == f"Bearer {BEARER}"


@pytest.mark.parametrize(("source", "holds_min", "questions"), [("electricitymaps", 40, 1), ("watttime", 5, 2)])
def test_an_answer_is_asked_for_again_when_it_is_of_the_past(server, ask, source, holds_min, questions):
    first = ask(source)
    assert ask(source, now=NOW + dt.timedelta(minutes=holds_min, seconds=-1)) == first
    assert len(server.asked) == questions
    ask(source, now=NOW + dt.timedelta(minutes=holds_min))
    assert len(server.asked) == 2 * questions


PLAN = "and whether its plan holds this zone."


@pytest.mark.parametrize(
    ("source", "path", "answer", "why"),
    [
        (
            "electricitymaps",
            "/v3/carbon-intensity/latest",
            (401, {"error": f"Invalid auth-token {TOKEN}"}),
            f"Electricity Maps denies access (HTTP 401). Look at ENERGYGATE_ELECTRICITYMAPS_TOKEN, {PLAN}",
        ),
        (
            "watttime",
            "/login",
            (401, f"wrong password {PASSWORD} of {USER}".encode()),
            (
                "WattTime denies access (HTTP 401). "
                f"Look at ENERGYGATE_WATTTIME_USER and ENERGYGATE_WATTTIME_PASSWORD, {PLAN}"
            ),
        ),
        (
            "watttime",
            "/v3/forecast",
            (403, f"{BEARER} is of a free plan".encode()),
            (
                "WattTime denies access (HTTP 403). "
                f"Look at ENERGYGATE_WATTTIME_USER and ENERGYGATE_WATTTIME_PASSWORD, {PLAN}"
            ),
        ),
        (
            "electricitymaps",
            "/v3/carbon-intensity/latest",
            (404, {"error": "No data"}),
            "Electricity Maps does not know this zone (HTTP 404). Correct terms.carbon.zone.",
        ),
        ("watttime", "/login", (429, b""), "WattTime was asked too often (HTTP 429)."),
        (
            "electricitymaps",
            "/v3/carbon-intensity/latest",
            (500, f"<h1>{TOKEN}</h1>".encode()),
            "Electricity Maps fails (HTTP 500).",
        ),
        ("electricitymaps", "/v3/carbon-intensity/latest", (302, b""), "Electricity Maps fails (HTTP 302)."),
    ],
)
def test_a_service_that_refuses_leaves_the_carbon_unknown_and_says_why(server, ask, source, path, answer, why):
    server.answers[path] = answer
    assert ask(source) == Terms(unknown=why)


@pytest.mark.parametrize(
    ("source", "path", "body", "what"),
    [
        ("electricitymaps", "latest", b"<html>", "what came is not of its documented form"),
        ("electricitymaps", "latest", b"[" * 100_000, "what came is not of its documented form"),
        ("electricitymaps", "latest", {**LATEST, "carbonIntensity": None}, "what came is not of its documented form"),
        ("electricitymaps", "latest", {**LATEST, "carbonIntensity": -4}, "what came is not of its documented form"),
        ("electricitymaps", "latest", {**LATEST, "datetime": "today"}, "what came is not of its documented form"),
        (
            "electricitymaps",
            "latest",
            {**LATEST, "datetime": "0001-01-01T00:00:00+14:00"},
            "it is of 0001-01-01T00:00:00+14:00, and now is 2026-11-22T14:20:00+00:00",
        ),
        (
            "electricitymaps",
            "latest",
            {**LATEST, "datetime": "9999-12-31T23:59:59Z"},
            "it is of 9999-12-31T23:59:59+00:00, and now is 2026-11-22T14:20:00+00:00",
        ),
        ("electricitymaps", "latest", {**LATEST, "zone": "US-NW"}, "it is of another zone than DE"),
        ("electricitymaps", "latest", b" " * (2**20 + 1), "it is longer than 1048576 bytes"),
        ("watttime", "login", {"token": "a\r\nX-Other: b"}, "its token can be none"),
        ("watttime", "forecast", {**FORECAST, "data": []}, "it has no figure"),
        (
            "watttime",
            "forecast",
            {**FORECAST, "meta": {**FORECAST["meta"], "units": "kg_co2_per_mwh"}},
            "its unit is not lbs_co2_per_mwh",
        ),
        (
            "watttime",
            "forecast",
            {**FORECAST, "meta": {**FORECAST["meta"], "signal_type": "co2_aoer"}},
            "it is of another zone than CAISO_NORTH, or of another signal than co2_moer",
        ),
    ],
)
def test_an_answer_that_is_none_is_refused(server, ask, source, path, body, what):
    names = {"electricitymaps": "Electricity Maps", "watttime": "WattTime"}
    full = next(known for known in server.answers if known.endswith(path))
    server.answers[full] = (200, body)
    assert ask(source) == Terms(unknown=f"{names[source]} gives no usable answer: {what}.")


def test_a_service_that_never_answers_is_not_waited_for(server, ask):
    server.answers["/v3/carbon-intensity/latest"] = (200, None)
    assert ask("electricitymaps", timeout_s=0.2) == Terms(unknown="Electricity Maps did not answer within 0.2 s.")


def test_a_service_that_is_not_there_leaves_the_carbon_unknown(ask):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        terms = ask("electricitymaps", url=url)
    assert terms == Terms(unknown="Electricity Maps cannot be reached (ConnectError).")


@pytest.mark.parametrize(
    ("source", "environ", "why"),
    [
        ("electricitymaps", {}, "ENERGYGATE_ELECTRICITYMAPS_TOKEN is not set."),
        ("watttime", {"ENERGYGATE_WATTTIME_USER": "me"}, "ENERGYGATE_WATTTIME_PASSWORD is not set."),
    ],
)
def test_without_a_key_nobody_is_asked(server, ask, source, environ, why):
    assert ask(source, environ=environ) == Terms(unknown=f"{why} Give the job its key, in the environment alone.")
    assert server.asked == []


def test_a_key_that_can_be_none_is_refused_and_not_shown(server, ask):
    assert ask("electricitymaps", environ={"ENERGYGATE_ELECTRICITYMAPS_TOKEN": "a\nb"}) == Terms(
        unknown="ENERGYGATE_ELECTRICITYMAPS_TOKEN holds characters that no key has. Set it anew."
    )
    assert server.asked == []


@pytest.mark.parametrize("source", ["electricitymaps", "watttime"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_no_key_is_in_any_report_file_or_log(server, ask, tmp_path, caplog, source, status):
    caplog.set_level(0)
    if status != 200:
        server.answers |= {path: (status, " ".join(SECRETS).encode()) for path in server.answers}
    report = replace(a_report(a_row()), terms=ask(source))
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    written = [encode_report(report), render_markdown(report).encode(), kept, caplog.text.encode()]
    written.append(render_terminal(report, color=False, verbose=True).encode())
    assert [secret for secret in SECRETS for text in written if secret.encode() in text] == []
    assert bool(kept) == (status == 200)


def test_a_verdict_is_the_same_whether_a_service_answers_or_not(server, monkeypatch, tmp_path):
    for name, value in {**KEYS, "XDG_CACHE_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    settings = Settings(folder=tmp_path, terms=TermsOptions(carbon=ElectricityMapsCarbon(zone="DE", url=server.url)))
    judged = a_report(a_row(outcome=Outcome.REGRESSED), exit_code=1, verdict="failed")
    server.answers["/v3/carbon-intensity/latest"] = (500, b"")
    failed = in_terms(judged, settings, now=NOW)
    server.answers["/v3/carbon-intensity/latest"] = (200, LATEST)
    answered = in_terms(judged, settings, now=NOW)
    assert failed.terms.unknown == "Electricity Maps fails (HTTP 500)."
    assert answered.terms.intensity.g_co2e_per_kwh == 386
    assert replace(failed, terms=None) == replace(answered, terms=None) == judged
    assert in_terms(judged, Settings(folder=tmp_path), now=NOW) == judged


def test_a_report_file_gives_its_terms_again(ask):
    report = replace(a_report(a_row()), terms=ask("electricitymaps"))
    assert msgspec.json.decode(encode_report(report), type=type(report)) == report


def test_compare_shows_the_terms_of_the_configuration_and_report_shows_them_again(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    runs = [a_run(a_benchmark(trials=some_trials(requests=25)), day=day) for day in (1, 2)]
    for name, run in zip(("base", "head"), runs, strict=True):
        (tmp_path / f"{name}.json").write_bytes(encode_run(run))
    (tmp_path / "energygate.yml").write_text("version: 1\nterms: {carbon: {source: static, zone: GB}}\n")
    CliRunner().invoke(commands, ["compare", "base.json", "head.json", "--report", "json:report.json"])
    (tmp_path / "energygate.yml").unlink()
    shown = CliRunner().invoke(commands, ["report", "report.json", "--report", "markdown:report.md"])
    assert shown.exit_code == 0
    part = (tmp_path / "report.md").read_text().partition("Kilowatt-hours, cost and carbon")[2]
    row = "| `bench.py::test_encode` | 1,000 requests | 1.11\N{NO-BREAK SPACE}Wh | 0.242\N{NO-BREAK SPACE}g CO2e |"
    assert row in part.splitlines()
    assert (
        "- carbon: 217 g CO2e/kWh (`GB`, `Ember via Our World in Data`, 2025; average, lifecycle)" in part.splitlines()
    )


def test_a_key_that_goes_to_this_machine_in_the_clear_goes_through_no_proxy(server, ask, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask("electricitymaps").intensity.g_co2e_per_kwh == LATEST["carbonIntensity"]
    assert len(server.asked) == 1


@pytest.mark.parametrize(("at", "is_latest"), [("2026-11-20T14:20:00Z", True), ("2026-11-20T14:19:00Z", False)])
def test_a_figure_that_is_days_old_is_not_the_latest(server, ask, at, is_latest):
    server.answers["/v3/carbon-intensity/latest"] = (200, {**LATEST, "datetime": at})
    assert (ask("electricitymaps").intensity is not None) is is_latest
