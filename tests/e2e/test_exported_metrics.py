"""A report's metrics in the programs that they are made for, and every query of the dashboard on what these scraped."""

import json
import re
import subprocess
import threading
import urllib.request
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner
from exported_report import ESTIMATED, MEASURED
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from rig import debian, scraping
from rig.fixtures import skip

from energygate.cli.judging import report as render
from energygate.report.json import encode_report
from energygate.report.openmetrics import render_openmetrics

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "dashboards/grafana.json").read_text(encoding="utf-8"))
EXPECTED = json.loads(Path(__file__).with_name("dashboard_expected.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}
VARIABLES = {each["name"]: each["query"] for each in DASHBOARD["templating"]["list"]}
DIRECT = replace(ESTIMATED, head=replace(ESTIMATED.head, repository="acme/direct"))
AGE = "Age A"


@contextmanager
def openmetrics_exporter(text):
    """Serve a text as OpenMetrics, so that Prometheus reads it by that format's rules."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def needed():
    if missing := scraping.missing("prometheus-pushgateway"):
        reason = f"no {missing}: this would have shown that what it needs reads the report's metrics"
        skip(reason, unless="ENERGYGATE_REQUIRE_PROMETHEUS")


@pytest.fixture(scope="module")
def textfiles(needed, tmp_path_factory):
    """A node_exporter whose folder `energygate report` has written to."""
    folder = tmp_path_factory.mktemp("textfiles")
    (stored := folder / "report.json").write_bytes(encode_report(MEASURED))
    target = f"openmetrics:{folder}/energygate-shop.prom"
    CliRunner().invoke(render, [str(stored), "--report", target], catch_exceptions=False)
    with scraping.textfile_exporter(folder) as exporter:
        yield exporter


@pytest.fixture(scope="module")
def gateway(needed):
    """A Pushgateway that was given a report as docs/telemetry.md says."""
    with scraping.pushgateway() as gateway:
        gateway.page("/-/ready")
        url = f"{gateway.url}/metrics/job/energygate-tools/instance/small-vm"
        request = urllib.request.Request(url, render_openmetrics(ESTIMATED).encode(), method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
        yield gateway


@pytest.fixture(scope="module")
def prometheus(textfiles, gateway, tmp_path_factory):
    """A Prometheus that has scraped both, and the same text as OpenMetrics."""
    with ExitStack() as stack:
        direct = stack.enter_context(openmetrics_exporter(render_openmetrics(DIRECT)))
        targets = [textfiles, gateway, direct]
        folder = tmp_path_factory.mktemp("prometheus")
        server = stack.enter_context(scraping.server(folder, targets, honor_labels=True))
        server.wait(2)
        yield server


def filled_in(text):
    """What Grafana asks with these repositories chosen and all benchmarks."""
    return text.replace("$repository", "acme/shop|acme/tools").replace("$benchmark", ".*")


def shown(series):
    """One line of labels and value, without what names the target."""
    labels = {name: value for name, value in series["metric"].items() if name not in {"__name__", "instance", "job"}}
    words = [f"{name}={value}" for name, value in sorted(labels.items())]
    return " ".join([*words, f"{float(series['value'][1]):.6g}"])


@pytest.mark.parametrize("report", [MEASURED, ESTIMATED], ids=["measured", "estimated"])
def test_promtool_finds_nothing_to_mend(needed, report):
    checked = subprocess.run(
        [debian.program("promtool"), "check", "metrics"],
        input=render_openmetrics(report).encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_the_textfile_collector_takes_the_file(textfiles):
    page = textfiles.page("/metrics")
    assert "\nnode_textfile_scrape_error 0\n" in page
    assert series_in(page) == series_in(render_openmetrics(MEASURED))


def test_the_pushgateway_takes_the_file(gateway):
    families = json.loads(gateway.page("/api/v1/metrics"))["data"]
    (group,) = families
    assert group["labels"] == {"instance": "small-vm", "job": "energygate-tools"}
    pushed = {name for name in group if name.startswith("energygate_")}
    assert pushed == {name for name, *_ in series_in(render_openmetrics(ESTIMATED))}


def series_in(text):
    """Give each series of ours with its value; an empty label is one that is not there."""
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("energygate_")
    }


def test_prometheus_reads_the_same_text_as_openmetrics(prometheus):
    direct = 'energygate_ratio{repository="acme/direct"}'
    (found,) = prometheus.query(direct)
    assert (found["metric"]["reading"], found["value"][1]) == ("estimate", "1.01")
    described = prometheus.ask("targets/metadata", metric="energygate_ratio")
    assert {(each["type"], each["unit"]) for each in described} == {("gauge", ""), ("gauge", "ratio")}


def test_every_query_of_the_dashboard_is_one_of_those_with_expected_data():
    assert list(EXPECTED) == [name for name in QUERIES if name != AGE]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_query_of_the_dashboard_gives_the_data_that_it_is_for(prometheus, name):
    assert sorted(map(shown, prometheus.query(filled_in(QUERIES[name])))) == EXPECTED[name]


def test_the_age_is_counted_from_the_beginning_of_the_run(prometheus):
    ages = {each["metric"]["repository"]: float(each["value"][1]) for each in prometheus.query(filled_in(QUERIES[AGE]))}
    now_s = float(prometheus.ask("query", query="time()")["result"][1])
    began_s = {"acme/shop": 1795317300, "acme/tools": 1795403700}
    assert ages == {name: pytest.approx(now_s - at_s, abs=60) for name, at_s in began_s.items()}


@pytest.mark.parametrize(
    ("variable", "values"),
    [
        ("repository", ["acme/direct", "acme/shop", "acme/tools"]),
        ("benchmark", ["bench.py::test_new", "bench.py::test_sum", "chat.energy.yml::chat"]),
    ],
)
def test_the_dashboards_variables_offer_what_there_is(prometheus, variable, values):
    found = re.fullmatch(r"label_values\((?P<series>.*), (?P<label>\w+)\)", VARIABLES[variable]["query"])
    assert prometheus.ask(f"label/{found['label']}/values", **{"match[]": filled_in(found["series"])}) == values


def test_the_dashboard_uses_its_own_variables_and_no_data_source_of_ours():
    sources = re.findall(r'"uid": "([^"]*)"', json.dumps(DASHBOARD["panels"] + DASHBOARD["templating"]["list"]))
    assert set(sources) == {"${datasource}"}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"])))
    assert used == set(VARIABLES)


def test_no_two_panels_of_the_dashboard_overlap_or_share_an_id():
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def overlap(one, other):
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_every_figure_of_the_dashboard_that_may_be_an_estimate_says_so():
    silent = [
        target["expr"]
        for panel in PANELS
        for target in panel["targets"]
        if re.match(r"energygate_(ratio|joules|energy|domain_ratio)\w*\{", target["expr"])
        and not re.search(r"side=\"limit\"|ratio_(low|high)", target["expr"])
        and "{{reading}}" not in target.get("legendFormat", "")
    ]
    assert silent == []
