"""What a server that misbehaves makes of the meter `prometheus`, over real sockets."""

import datetime as dt
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from energygate.errors import MeterUnavailable
from energygate.meters.options import PrometheusOptions
from energygate.meters.scraped.prometheus import Prometheus
from energygate.meters.select import MeterOptions, open_meters

TIMEOUT_S = 0.5


class Misbehaving(BaseHTTPRequestHandler):
    """Answers everything with `server.script`: status, headers, body; a body of None never comes.

    What drips comes a piece every 0.1 s, and has no end.
    """

    def do_GET(self):
        self.server.seen.append(self.path)
        self.server.authorization = self.headers["Authorization"]
        status, headers, body = self.server.script
        if body is None:
            self.server.over.wait()
            return
        self.send_response(status)
        if "X-Drip-Headers" in headers:
            while not self.server.over.wait(0.1):
                self.send_header("X-Drip", "1")
                self.flush_headers()
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if headers.get("X-Drip"):
            while not self.server.over.wait(0.1):
                self.wfile.write(b" ")
        self.wfile.write(body if isinstance(body, bytes) else body.encode())

    def log_message(self, *_):
        """Say nothing."""

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # the meter has turned away, as it should
            self.close_connection = True


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Misbehaving) as server:
        server.seen, server.over = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def error(text):
    return json.dumps({"status": "error", "errorType": "bad_data", "error": text})


def success(kind, result):
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}})


FAULTS = {
    "redirect": (
        (302, {"Location": "https://login.test/?next=%2F"}, ""),
        "URL redirects to https://login.test/?next=%2F.",
        "Write the final address in prometheus.url: a redirect is not followed.",
    ),
    "denied": (
        (401, {}, "Unauthorized"),
        "URL denies access (HTTP 401): Unauthorized.",
        "Put a bearer token into ENERGYGATE_PROMETHEUS_TOKEN.",
    ),
    "elsewhere": (
        (404, {}, "404 page not found"),
        "URL has no /api/v1/query (HTTP 404).",
        "Write the server's root in prometheus.url.",
    ),
    "overloaded": (
        (503, {}, error("query queue is full\r\n" + 500 * "x")),
        "URL fails (HTTP 503): query queue is full " + 179 * "x" + "….",
        "Look at the server's log.",
    ),
    "query": (
        (400, {}, error("1:2: parse error: unexpected end of input")),
        "URL does not take time(): 1:2: parse error: unexpected end of input.",
        "Mend prometheus.selector, or the select of a custom domain.",
    ),
    "error with 200": (
        (200, {}, error("it broke")),
        "URL does not take time(): it broke.",
        "Mend prometheus.selector, or the select of a custom domain.",
    ),
    "no json": (
        (200, {}, "<html>Grafana</html>"),
        "URL gives no answer of Prometheus's HTTP API: JSON is malformed: invalid character (byte 0).",
        "Mend prometheus.url.",
    ),
    "another json": (
        (200, {}, "[]"),
        "URL gives no answer of Prometheus's HTTP API: Expected `object`, got `array`.",
        "Mend prometheus.url.",
    ),
    "another type": (
        (200, {}, success("vector", [])),
        "URL gives no answer of Prometheus's HTTP API: vector instead of a scalar for time().",
        "Mend prometheus.url.",
    ),
    "no data": (
        (200, {}, '{"status": "success"}'),
        "URL gives no answer of Prometheus's HTTP API: nothing instead of a scalar for time().",
        "Mend prometheus.url.",
    ),
    "no number": (
        (200, {}, success("scalar", ["now", "1"])),
        "URL gives no answer of Prometheus's HTTP API: Expected `float`, got `str` - at `$[0]`.",
        "Mend prometheus.url.",
    ),
    "silence": (
        (200, {}, None),
        "URL did not give a whole answer of at most 64 MiB within 0.5 s.",
        "Look at the server's load.",
    ),
    "drip of headers": (
        (200, {"X-Drip-Headers": "1"}, ""),
        "URL did not give a whole answer of at most 64 MiB within 0.5 s.",
        "Look at the server's load.",
    ),
    "no UTF-8": (
        (200, {}, b'{"status": "\xff"}'),
        (
            "URL gives no answer of Prometheus's HTTP API: "
            "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte."
        ),
        "Mend prometheus.url.",
    ),
    "nested": (
        (200, {}, '{"status": "success", "x": ' + 200_000 * "[" + 200_000 * "]" + "}"),
        "URL gives no answer of Prometheus's HTTP API: it is nested too deeply.",
        "Mend prometheus.url.",
    ),
    "nested result": (
        (200, {}, success("scalar", 0).replace("0", 200_000 * "[" + 200_000 * "]")),
        "URL gives no answer of Prometheus's HTTP API: it is nested too deeply.",
        "Mend prometheus.url.",
    ),
    "drip": (
        (200, {"X-Drip": "1"}, ""),
        "URL did not give a whole answer of at most 64 MiB within 0.5 s.",
        "Look at the server's load.",
    ),
}


@pytest.mark.parametrize(("script", "what", "fix"), FAULTS.values(), ids=FAULTS)
def test_a_server_that_does_not_answer_plainly_is_refused_and_asked_only_once(server, script, what, fix):
    server.script = script
    url = f"http://127.0.0.1:{server.server_port}"
    meter = Prometheus(PrometheusOptions(url=url, preset="node_exporter"), timeout_s=TIMEOUT_S)
    with pytest.raises(MeterUnavailable) as refused:
        meter.open()
    assert (refused.value.what, refused.value.fix) == (what.replace("URL", url), fix)
    assert server.seen == ["/api/v1/query?query=time%28%29"]
    assert [each for each in threading.enumerate() if isinstance(each, threading.Timer)] == []


def test_a_server_that_is_not_there_is_refused(server):
    server.server_close()
    url = f"http://127.0.0.1:{server.server_port}/"
    with pytest.raises(MeterUnavailable) as refused:
        Prometheus(PrometheusOptions(url=url, preset="node_exporter")).open()
    assert str(refused.value) == (
        f"{url.rstrip('/')} does not answer: ConnectError: [Errno 111] Connection refused. Without its samples the "
        "energy is unknown. Start the server, or mend prometheus.url."
    )


def test_a_server_whose_counters_are_none_of_this_exporter_is_refused(server):
    now_s = dt.datetime.now(dt.UTC).timestamp()
    server.script = (200, {}, success("scalar", [now_s, str(now_s)]))
    url = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(MeterUnavailable, match=r"scalar instead of a vector for \{__name__=~\"DCGM_FI_DEV_TOTAL"):
        Prometheus(PrometheusOptions(url=url, preset="dcgm")).open()


def test_the_token_of_the_environment_reaches_the_server_and_is_hidden_where_it_echoes_it(server):
    server.script = (403, {}, "no rights for s3cret")
    url = f"http://127.0.0.1:{server.server_port}"
    options = PrometheusOptions(url=url, preset="node_exporter")
    with pytest.raises(MeterUnavailable) as refused:
        open_meters(["prometheus"], MeterOptions(prometheus=options, environ={"ENERGYGATE_PROMETHEUS_TOKEN": "s3cret"}))
    assert server.authorization == "Bearer s3cret"
    assert str(refused.value) == (
        f"{url} denies access (HTTP 403): no rights for ***. Without its samples the energy is unknown. "
        "Put a bearer token into ENERGYGATE_PROMETHEUS_TOKEN."
    )
