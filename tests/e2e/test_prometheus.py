"""The meter `prometheus` on Debian's Prometheus and node_exporter, over machines whose true energy is known."""

import time
from contextlib import ExitStack

import pytest
from rig import scraping
from rig.fixtures import skip

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Window
from energygate.meters.options import PrometheusOptions, ScrapedDomain
from energygate.meters.scraped.prometheus import Prometheus

WINDOW = Window(benchmark="b")
SCRAPES = 20
LONG_ENOUGH_S = 1.1 * SCRAPES * scraping.SCRAPE_S
LAYOUTS = {
    "server2": (),
    "client": (),
    "intel-dies": (),
    "amd-dies": (),
    "zone-label": ("--collector.rapl.enable-zone-label",),
    "wraps": (),
}


@pytest.fixture(scope="module")
def needed():
    if missing := scraping.missing():
        reason = f"no {missing}: this would have shown that windows of scraped counters have their true energy"
        skip(reason, unless="ENERGYGATE_REQUIRE_PROMETHEUS")


@pytest.fixture(scope="module")
def targets(needed):
    shown_as = {"zone-label": "client", "wraps": "one"}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(scraping.target(shown_as.get(name, name), *options))
            for name, options in LAYOUTS.items()
        }


@pytest.fixture(scope="module")
def servers(targets, tmp_path_factory):
    """One that stays, and one that may be stopped."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(scraping.server(tmp_path_factory.mktemp("prometheus"), some))
            for some in (list(targets.values()), [targets["server2"]])
        ]
        for server in started:
            server.wait()
        yield started


@pytest.fixture
def open_meter(servers, targets):
    with ExitStack() as meters:

        def start(name, *, server=servers[0], preset="node_exporter", **more):
            selector = {} if preset == "custom" else {"selector": targets[name].selector}
            meter = Prometheus(PrometheusOptions(url=server.url, preset=preset, **(selector | more)))
            meters.callback(meter.close)
            meter.open()
            return meter

        yield start


def measured(meters, trees, work):
    """Energy of a window on each meter, and what its tree used in it, by zone."""
    starts, before = [], []
    for meter, tree in zip(meters, trees, strict=True):
        starts.append(meter.begin(WINDOW))
        before.append(tree.truth()["used_j"])
    work()
    found, used = [], []
    for meter, tree, start, begun in zip(meters, trees, starts, before, strict=True):
        used.append({zone: used_j - begun[zone] for zone, used_j in tree.truth()["used_j"].items()})
        measured = meter.end(start)
        if measured.fault is not None:
            raise measured.fault
        found.append(dict(measured.energy_j))
    return found, used


@pytest.fixture(scope="module")
def measured_at_last():
    """`measured`, which may be refused once in all of these tests: a busy machine scrapes late now and then."""
    refusals = []

    def measure(meters, trees, work):
        try:
            return measured(meters, trees, work)
        except MeasurementInvalid as refusal:
            if refusal.code is not InvalidCode.SCRAPES or refusals:
                raise
            refusals.append(refusal)
        return measured(meters, trees, work)

    return measure


BUSY = 0.1  # a busy machine scrapes late; a part counted twice, or not at all, is more


def rest():
    time.sleep(LONG_ENOUGH_S)


def test_a_window_of_twenty_scrapes_has_the_energy_of_two_sockets_and_their_memory(
    open_meter, targets, measured_at_last
):
    meter = open_meter("server2")
    assert [domain.name for domain in meter.domains] == ["dram-0", "dram-1", "package-0", "package-1"]
    [energy_j], [used_j] = measured_at_last([meter], [targets["server2"].tree], rest)
    assert energy_j == pytest.approx(
        {
            "package-0": used_j["intel-rapl:0"],
            "dram-0": used_j["intel-rapl:0:0"],
            "package-1": used_j["intel-rapl:1"],
            "dram-1": used_j["intel-rapl:1:0"],
        },
        rel=BUSY,
    )


def test_bursts_inside_a_window_are_counted_whole_and_the_mmio_twin_is_not(open_meter, targets, measured_at_last):
    tree = targets["client"].tree

    def bursts():
        for power_w, seconds in ((250, 0.33), (80, 0.57)) * 5 + ((120, 0.3),):
            tree.command(f"power intel-rapl:0 {power_w}")
            time.sleep(seconds)
        tree.command("power intel-rapl:0 50")

    meter = open_meter("client")
    [energy_j], [used_j] = measured_at_last([meter], [tree], bursts)
    assert energy_j == pytest.approx({"package-0": used_j["intel-rapl:0"]}, rel=BUSY)
    assert used_j["intel-rapl:0"] > 600


def test_dies_are_added_those_that_mirror_are_not_and_the_layout_with_zone_labels_says_the_same(
    open_meter, targets, measured_at_last
):
    names = ["intel-dies", "amd-dies", "zone-label"]
    meters = [open_meter(name) for name in names]
    assert [meter.notes for meter in meters] == [
        (),
        ("package-0: die 1 repeats the counter of die 0 and is left out.",),
        (),
    ]
    (intel, amd, labelled), used = measured_at_last(meters, [targets[name].tree for name in names], rest)
    assert intel == pytest.approx({"package-0": used[0]["intel-rapl:0"] + used[0]["intel-rapl:1"]}, rel=BUSY)
    assert amd == pytest.approx({"package-0": used[1]["intel-rapl:0"]}, rel=BUSY)
    assert labelled == pytest.approx({"package-0": used[2]["intel-rapl:0"]}, rel=BUSY)


def test_a_counter_that_wraps_inside_is_unwrapped_where_its_range_is_known_and_refused_where_not(open_meter, targets):
    target = targets["wraps"]
    select = f"node_rapl_package_joules_total{{{target.selector}}}"
    domains = {"package-0": ScrapedDomain(select=select, unit="J", range_j=262143.32885)}
    known = open_meter("wraps", preset="custom", domains=domains)
    unknown = open_meter("wraps")

    # Setting the counter to just before its end is a jump that a bound on power finds, so it is set before the window.
    target.tree.command(f"wrap_in intel-rapl:0 {LONG_ENOUGH_S:.3f}")
    blind = unknown.begin(WINDOW)
    start = known.begin(WINDOW)
    before = target.tree.truth()["used_j"]["intel-rapl:0"]
    rest()
    used_j = target.tree.truth()["used_j"]["intel-rapl:0"] - before
    assert known.end(start).energy_j == pytest.approx({"package-0": used_j}, rel=BUSY)
    with pytest.raises(
        MeasurementInvalid,
        match=r"counter_reset: node_rapl_package_joules_total.* fell by 262000 J.* `preset: custom` with range_j",
    ):
        unknown.end(blind)


def test_counters_of_several_machines_are_refused_until_one_is_picked(open_meter, servers):
    with pytest.raises(MeterUnavailable, match=r"^The energy counters of 6 targets match: job=\"node\",instance="):
        open_meter("server2", selector="")


def test_a_server_that_ends_inside_a_window_makes_it_invalid_and_says_why(open_meter, servers):
    meter = open_meter("server2", server=servers[1])
    start = meter.begin(WINDOW)
    servers[1].process.terminate()
    servers[1].process.wait()
    with pytest.raises(MeasurementInvalid) as refused:
        meter.end(start)
    assert str(refused.value) == (
        f"scrapes: {servers[1].url} does not answer: ConnectError: [Errno 111] Connection refused. "
        "Start the server, or mend prometheus.url."
    )
