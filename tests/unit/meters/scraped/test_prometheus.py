import json

import pytest
from fakes_prometheus import FakePrometheus, failure
from rig.contract import CHECKS

from energygate.errors import ConfigError, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Measured, Window
from energygate.meters.group import MeterGroup
from energygate.meters.options import PrometheusOptions, ScrapedDomain
from energygate.meters.scraped.prometheus import Prometheus

WINDOW = Window(benchmark="b")
PATH = "path=/sys/class/powercap"
PACKAGE = f"node_rapl_package_joules_total index=0 {PATH}/intel-rapl:0"
PACKAGE_TEXT = (
    'node_rapl_package_joules_total{index="0",instance="runner-7:9100",job="node",'
    'path="/sys/class/powercap/intel-rapl:0"}'
)
DRAM = f"node_rapl_dram_joules_total index=0 {PATH}/intel-rapl:0:0"


class Machine:
    """50 W, and 200 W more while it works."""

    def __init__(self, clock):
        self._clock = clock
        self._work = []

    def work(self, seconds):
        self._work.append((self._clock.now_s, self._clock.now_s + seconds))
        self._clock.sleep(seconds)

    def used_j(self, at_s):
        return 50 * at_s + 200 * sum(min(max(at_s, start), end) - start for start, end in self._work)


@pytest.fixture
def machine(clock):
    clock.sleep(1000)
    return Machine(clock)


@pytest.fixture
def server(clock, machine):
    return FakePrometheus(clock, {PACKAGE: lambda at_s: round(machine.used_j(at_s), 6)})


@pytest.fixture
def make(clock, server):
    def make(preset="node_exporter", *, environ=None, **more):
        options = PrometheusOptions(url="http://prometheus.test:9090/", preset=preset, **more)
        return Prometheus(
            options, environ=environ, clock=clock, sleep=clock.sleep, now=server.wall_s, transport=server.transport
        )

    return make


@pytest.fixture
def opened(make):
    meter = make()
    meter.open()
    yield meter
    meter.close()


def refusal_of(meter):
    with pytest.raises(MeterUnavailable) as refused:
        meter.open()
    return str(refused.value)


def invalid(meter, start):
    with pytest.raises(MeasurementInvalid) as refused:
        meter.end(start)
    return str(refused.value)


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_contract_of_every_meter(make, check):
    meter = make()
    CHECKS[check](meter)
    meter.close()


def test_a_window_has_its_own_energy_and_waits_for_three_quiet_samples_before_it_and_for_one_after_it(
    opened, machine, clock
):
    asked_s = clock.now_s
    start = opened.begin(WINDOW)
    assert 2.0 < start.at_s - asked_s < 3.3
    machine.work(25.4)
    worked_s = clock.now_s
    assert opened.end(start) == Measured({"package-0": pytest.approx(250 * 25.4, abs=0.2)})
    assert 0.5 < clock.now_s - worked_s < 0.8


def test_its_domain_says_how_often_it_is_refreshed_and_how_long_a_window_must_be(server, make):
    server.scrape_s = 5.0
    meter = make(min_scrapes=30)
    meter.open()
    assert meter.domains == (
        Domain(
            name="package-0",
            part="cpu",
            update_interval_s=5.0,
            resolution_j=250.0,
            shortest_window_s=150.0,
            detail="intel-rapl:0",
        ),
    )
    assert (meter.kind, meter.constants, meter.notes) == ("scraped", {"preset": "node_exporter"}, ())


def test_a_window_that_is_too_short_is_told_and_does_not_count(opened, machine):
    start = opened.begin(WINDOW)
    machine.work(19.0)
    measured = opened.end(start)
    assert measured.energy_j == {"package-0": pytest.approx(250 * 19.0, abs=0.2)}
    assert str(measured.fault) == (
        "scrapes: The window was 19.0 s long and needs 20.0 s: 20 refreshes, one every 1.00 s "
        "(prometheus.min_scrapes). Repeat the work, or let it be scraped more often."
    )


@pytest.mark.parametrize("ahead_s", [-0.9, 0.9])
def test_a_server_whose_clock_is_less_than_a_second_off_is_corrected_for(server, make, machine, ahead_s):
    server.ahead_s = ahead_s
    meter = make()
    meter.open()
    start = meter.begin(WINDOW)
    machine.work(25.0)
    assert meter.end(start) == Measured({"package-0": pytest.approx(250 * 25.0, abs=0.2)})


@pytest.mark.parametrize(("ahead_s", "said"), [(1.5, "1.50 s ahead of"), (-60.0, "60.0 s behind")])
def test_a_server_whose_clock_is_wrong_is_refused(server, make, ahead_s, said):
    server.ahead_s = ahead_s
    assert refusal_of(make()) == (
        f"The server's clock is {said} this machine's. Without its samples the energy is unknown. "
        "Let both follow a time server: `timedatectl set-ntp true`."
    )


def test_a_clock_that_is_set_inside_a_window_makes_it_invalid(server, opened, machine):
    start = opened.begin(WINDOW)
    machine.work(25.0)
    server.ahead_s += 0.5
    assert invalid(opened, start) == (
        "scrapes: The server's clock moved by 0.500 s inside the window. Let a time server slew it, not step it."
    )


def test_a_server_that_fails_while_a_window_begins_is_told_when_it_ends(server, opened, machine):
    server.answers = {"time()": (503, "Service Unavailable")}
    start = opened.begin(WINDOW)
    server.answers = {}
    assert invalid(opened, start) == (
        "scrapes: http://prometheus.test:9090 fails (HTTP 503): Service Unavailable. Look at the server's log."
    )


def test_a_target_that_goes_away_makes_the_window_invalid(server, opened, machine, clock):
    start = opened.begin(WINDOW)
    machine.work(25.0)
    gone_s, alive = clock.now_s, server.energies[PACKAGE]
    server.energies[PACKAGE] = lambda at_s: alive(at_s) if at_s < gone_s else None
    assert invalid(opened, start) == (
        f"scrapes: {PACKAGE_TEXT} has no new sample after the end of the window, after 5.00 s. "
        "Look whether its target is up, and how often it is scraped."
    )


def test_a_target_that_went_away_before_the_window_makes_it_invalid(server, opened, machine, clock):
    gone_s, alive = clock.now_s, server.energies[PACKAGE]
    server.energies[PACKAGE] = lambda at_s: alive(at_s) if at_s < gone_s else None
    assert invalid(opened, opened.begin(WINDOW)) == (
        f"scrapes: {PACKAGE_TEXT} has fewer than 3 new samples before the window, after 8.00 s. "
        "Look whether its target is up, and how often it is scraped."
    )


def test_a_gap_inside_the_window_makes_it_invalid(server, opened, machine, clock):
    start = opened.begin(WINDOW)
    gap_s, alive = clock.now_s + 10, server.energies[PACKAGE]
    server.energies[PACKAGE] = lambda at_s: None if gap_s < at_s < gap_s + 2.5 else alive(at_s)
    machine.work(25.0)
    assert invalid(opened, start) == (
        f"scrapes: {PACKAGE_TEXT}: It has no new sample for 3.00 s inside the window, though it is refreshed every "
        "1.00 s. Look at `up` and `scrape_duration_seconds` of its target."
    )


def test_a_sample_that_is_no_number_makes_the_window_invalid(server, opened, machine, clock):
    start = opened.begin(WINDOW)
    at_s, alive = clock.now_s + 10, server.energies[PACKAGE]
    server.energies[PACKAGE] = lambda t: "NaN" if at_s < t < at_s + 1.5 else alive(t)
    machine.work(25.0)
    assert invalid(opened, start) == (
        f"scrapes: {PACKAGE_TEXT}: One of its samples is no number from 0 to 1e+12 J. "
        "Mend the exporter: its own /metrics shows it too."
    )


def test_a_window_in_which_less_is_used_than_in_the_quiet_before_it_was_not_quiet_before_it(server, make, clock):
    busy_until_s = clock.now_s + 2.3
    server.energies[PACKAGE] = lambda at_s: 5 * at_s + 900 * min(at_s, busy_until_s)
    meter = make()
    meter.open()
    start = meter.begin(WINDOW)
    clock.sleep(25.5)
    assert busy_until_s > start.at_s
    assert invalid(meter, start) == (
        "scrapes: package-0 used less in the window than while it was quiet before. "
        "Let nothing else run before a trial: trials.cooldown waits for what the last one left."
    )


def test_a_counter_that_fell_is_invalid_and_the_way_to_name_its_range_is_said(server, opened, machine, clock):
    start = opened.begin(WINDOW)
    at_s, alive = clock.now_s + 10, server.energies[PACKAGE]
    server.energies[PACKAGE] = lambda t: alive(t) - (40_000 if t > at_s else 0)
    machine.work(25.0)
    assert invalid(opened, start) == (
        f"counter_reset: {PACKAGE_TEXT} fell by 39800 J, and without a known range that is a counter that began "
        "again: the energy of package-0 is unknown. If it only wrapped: the exporter does not say where it wraps, "
        "`preset: custom` with range_j does (/sys/class/powercap/intel-rapl:0/max_energy_range_uj)."
    )


def test_a_custom_counter_with_its_range_is_unwrapped(server, make, machine, clock):
    modulus_j = 262143.328911
    shift_j = modulus_j - machine.used_j(clock.now_s) - 2000
    server.energies = {PACKAGE: lambda at_s: round((machine.used_j(at_s) + shift_j) % modulus_j, 6)}
    domains = {"package-0": ScrapedDomain(select=PACKAGE, unit="J", range_j=262143.32885)}
    meter = make("custom", domains=domains)
    meter.open()
    start = meter.begin(WINDOW)
    machine.work(25.0)
    assert meter.end(start).energy_j == {"package-0": pytest.approx(250 * 25.0, abs=0.2)}
    assert meter.constants == {
        "preset": "custom",
        "domains": {"package-0": {"select": PACKAGE, "unit": "J", "range_j": 262143.32885}},
    }


def test_a_domain_that_an_exporter_shows_as_0_is_left_out_and_said(server, make):
    server.energies[DRAM] = lambda _: 0
    meter = make()
    meter.open()
    assert [domain.name for domain in meter.domains] == ["package-0"]
    assert meter.notes == ("dram-0: its counter has been 0 for 10 min, so it is not measured.",)


def test_a_share_that_is_0_makes_the_exporter_useless(server, make, machine):
    name = "kepler_node_package_joules_total package=0 mode="
    server.energies = {f"{name}dynamic": machine.used_j, f"{name}idle": lambda _: 0}
    assert refusal_of(make("kepler-legacy")).startswith(
        'kepler_node_package_joules_total{instance="runner-7:9100",job="node",mode="idle",package="0"} has been 0 for '
        "10 min, and without it the energy of package-0 is not whole."
    )


def test_shares_are_added(server, make, machine):
    for share in ("active", "idle"):
        name = f"kepler_node_cpu_{share}_joules_total zone=package path=aggregated-package"
        server.energies[name] = lambda at_s: round(machine.used_j(at_s) / 2, 6)
    del server.energies[PACKAGE]
    meter = make("kepler")
    meter.open()
    start = meter.begin(WINDOW)
    machine.work(25.0)
    assert meter.end(start).energy_j == {"package-0": pytest.approx(250 * 25.0, abs=0.2)}


def test_scaphandre_that_is_asked_so_often_that_it_stands_still_is_refused_with_the_way_out(server, make):
    server.energies = {"scaph_socket_energy_microjoules socket_id=0": lambda _: 5e9}
    assert refusal_of(make("scaphandre")) == (
        'scaph_socket_energy_microjoules{instance="runner-7:9100",job="node",socket_id="0"}: It changed 0 times in '
        "600 samples of the last 10 min, fewer than 4: it stands still, or it is refreshed too seldom. Without its "
        "samples the energy is unknown. Look at it in the exporter's own /metrics. Scaphandre refreshes its values "
        "only when nobody has asked for 2 s: set scrape_interval to 5 s."
    )


def test_the_token_of_the_environment_is_sent_and_shown_nowhere(server, make):
    token = "s3cret-token"
    meter = make(environ={"ENERGYGATE_PROMETHEUS_TOKEN": f"{token}\n"})
    meter.open()
    assert {request.headers["Authorization"] for request in server.asked} == {f"Bearer {token}"}
    meter.close()
    server.answers = {"time()": failure(401, f"token {token} is not known")}
    assert refusal_of(meter) == (
        "http://prometheus.test:9090 denies access (HTTP 401): token *** is not known. Without its samples the energy "
        "is unknown. Put a bearer token into ENERGYGATE_PROMETHEUS_TOKEN."
    )


def test_a_token_that_can_be_none_is_refused_without_showing_it(make):
    assert refusal_of(make(environ={"ENERGYGATE_PROMETHEUS_TOKEN": "a\r\nb"})) == (
        "ENERGYGATE_PROMETHEUS_TOKEN holds characters that no token has. Without its samples the energy is unknown. "
        "Set it anew."
    )


@pytest.mark.parametrize("url", ["http://user:pass@host:9090", "http://host/?token=pass", "http://host/#pass"])
def test_an_address_that_may_hold_a_password_is_refused_without_showing_it(url):
    with pytest.raises(
        ValueError, match=r"^`url` is an address alone: a token belongs into ENERGYGATE_PROMETHEUS_TOKEN$"
    ):
        PrometheusOptions(url=url, preset="dcgm")


def test_a_selector_beside_custom_domains_is_refused():
    domains = {"package-0": ScrapedDomain(select="a", unit="J")}
    with pytest.raises(ValueError, match=r"^`selector` goes with the other presets: write labels into each `select`$"):
        PrometheusOptions(url="http://host", preset="custom", domains=domains, selector='a="b"')


def test_a_domain_that_another_meter_measures_too_is_refused(opened, rapl, powercap):
    with pytest.raises(ConfigError) as refused:
        MeterGroup([rapl(powercap("one")), opened])
    assert str(refused.value) == (
        "rapl and prometheus both measure package-0. Their energy would be counted twice. "
        "Name one of them in --energy-meters."
    )


@pytest.mark.parametrize("at_s", [1e308, -1e308, FakePrometheus.START_S + 3000, FakePrometheus.START_S])
def test_samples_of_another_time_than_was_asked_for_are_refused(server, make, at_s):
    matrix = [{"metric": {"__name__": "node_rapl_package_joules_total"}, "values": [[at_s, "1"]]}]
    body = {"status": "success", "data": {"resultType": "matrix", "result": matrix}}
    server.answers = {"[600s]": (200, json.dumps(body))}
    assert refusal_of(make()) == (
        "http://prometheus.test:9090 gives no answer of Prometheus's HTTP API: a sample of another time than was asked "
        "for. Without its samples the energy is unknown. Mend prometheus.url."
    )


@pytest.mark.parametrize(("at_s", "shown"), [(1e308, "1e+308"), (-1.0, "-1"), (10**35, "1e+35")])
def test_a_server_whose_clock_shows_no_time_is_refused_without_300_digits(server, make, at_s, shown):
    body = {"status": "success", "data": {"resultType": "scalar", "result": [at_s, "1"]}}
    server.answers = {"time()": (200, json.dumps(body))}
    assert refusal_of(make()) == (
        f"http://prometheus.test:9090 gives no answer of Prometheus's HTTP API: a time of {shown} s (1). Without its "
        "samples the energy is unknown. Mend prometheus.url."
    )


def test_warnings_of_the_server_are_refused(server, opened, machine):
    start = opened.begin(WINDOW)
    body = {
        "status": "success",
        "warnings": ["store 10.0.0.3\nis down"],
        "data": {"resultType": "matrix", "result": []},
    }
    server.answers = {"node_rapl": (200, json.dumps(body))}
    assert invalid(opened, start) == (
        "scrapes: http://prometheus.test:9090 answers with a warning: store 10.0.0.3 is down. "
        "A part of the samples may be missing: mend what it warns of."
    )
