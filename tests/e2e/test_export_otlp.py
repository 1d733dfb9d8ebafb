"""`energygate export otlp` to a collector: a real HTTP server that decodes with OpenTelemetry's own messages."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner
from exported_report import CHAT, MEASURED, SECRET
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from energygate.cli.exporting import otlp
from energygate.errors import ConfigError
from energygate.report.json import encode_report

KINDS = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
TOKEN = "s3cr3t-token-of-many-letters"


class Collector(ThreadingHTTPServer):
    """Keeps what it takes; refuses with `status` and `text`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.status = 200
        self.text = b""
        self.headers = []
        self.bodies = []
        self.messages = {path: [] for path in KINDS}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collector = self.server
        collector.headers.append({name.lower(): value for name, value in self.headers.items()})
        collector.bodies.append(body)
        (message := KINDS[self.path]()).ParseFromString(body)
        collector.messages[self.path].append(message)
        self.send_response(collector.status)
        self.end_headers()
        self.wfile.write(collector.text)

    def log_message(self, *_):
        pass


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def export(*arguments):
    """Run the command in a process of its own; give its exit code and both streams."""
    command = [sys.executable, "-m", "energygate", "export", "otlp", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def stored(tmp_path):
    """The file of the whole report."""
    (path := tmp_path / "report.json").write_bytes(encode_report(MEASURED))
    return path


def test_a_collector_gets_every_trial_of_a_report_as_spans_and_as_metrics(stored, collector):
    done = CliRunner().invoke(otlp, [str(stored), "--endpoint", collector.url], catch_exceptions=False)
    assert done.stdout == f"sent to {collector.url}/v1/traces: 3 runs, 11 spans, 22 data points\n"
    spans = [
        span for message in collector.messages["/v1/traces"] for span in message.resource_spans[0].scope_spans[0].spans
    ]
    names = [span.name for span in spans]
    assert names == [
        *("energygate run", CHAT, "trial", "trial", "trial"),
        *("energygate run", CHAT, "trial"),
        *("energygate run", CHAT, "trial"),
    ]
    named = {(span.trace_id, span.span_id): span.name for span in spans}
    parents = [named[span.trace_id, span.parent_span_id] for span in spans if span.parent_span_id]
    assert parents == [*("energygate run", CHAT, CHAT, CHAT), *("energygate run", CHAT) * 2]
    metrics = {
        metric.name
        for message in collector.messages["/v1/metrics"]
        for metric in message.resource_metrics[0].scope_metrics[0].metrics
    }
    assert metrics == {
        "hw.energy",
        "energygate.trial.energy",
        "energygate.trial.duration",
        "energygate.trial.energy_per_request",
        "energygate.trial.energy_per_output_token",
    }
    assert not [body for body in collector.bodies if SECRET.encode() in body]


def test_endpoint_and_headers_come_from_the_environment(stored, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{collector.url}/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
    done = CliRunner().invoke(otlp, [str(stored), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout) == {
        "schema": "energygate.export/1",
        "collector": f"{collector.url}/v1/traces",
        "runs": 3,
        "spans": 11,
        "points": 22,
    }
    assert {headers["authorization"] for headers in collector.headers} == {f"Bearer {TOKEN}"}
    assert {headers["content-type"] for headers in collector.headers} == {"application/x-protobuf"}


def test_a_collector_that_refuses_makes_the_exit_code_2_and_the_token_is_not_shown(stored, collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
    collector.status, collector.text = 403, f"{TOKEN} may not write".encode()
    assert export(stored, "--endpoint", collector.url) == (
        2,
        "",
        (
            f"error: {collector.url}/v1/traces refused the export with HTTP 403: *** may not write. Put what it asks "
            "for into OTEL_EXPORTER_OTLP_HEADERS: authorization=Bearer%20TOKEN.\n"
        ),
    )


def test_a_report_that_is_not_there_is_refused(tmp_path):
    missing = tmp_path / "gone.json"
    with pytest.raises(ConfigError) as wrong:
        CliRunner().invoke(otlp, [str(missing), "--endpoint", "http://127.0.0.1:9"], catch_exceptions=False)
    assert str(wrong.value) == f"Cannot read {missing}: No such file or directory. Give a report that is there."
