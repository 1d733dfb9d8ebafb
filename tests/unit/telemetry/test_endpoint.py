"""Where to send: the option, OpenTelemetry's variables, and what is wrong with them."""

from pathlib import Path

import pytest

from energygate.errors import ConfigError
from energygate.telemetry.endpoint import Endpoint, read_endpoint

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
HERE = "http://127.0.0.1:4318"
SECRET = "s3cr3t"


def refusal(given=HERE, **environ):
    with pytest.raises(ConfigError) as wrong:
        read_endpoint(given, environ)
    assert SECRET not in str(wrong.value)
    return str(wrong.value)


@pytest.mark.parametrize(
    ("given", "environ", "traces", "metrics"),
    [
        (HERE, {}, f"{HERE}/v1/traces", f"{HERE}/v1/metrics"),
        (f"{HERE}/otlp/", {}, f"{HERE}/otlp/v1/traces", f"{HERE}/otlp/v1/metrics"),
        (None, {BASE: HERE}, f"{HERE}/v1/traces", f"{HERE}/v1/metrics"),
        (None, {BASE: HERE, TRACES: "https://t/x"}, "https://t/x", f"{HERE}/v1/metrics"),
        (HERE, {BASE: "http://other", TRACES: "https://t/x"}, f"{HERE}/v1/traces", f"{HERE}/v1/metrics"),
    ],
)
def test_an_endpoint_is_a_root_and_one_that_is_given_wins(given, environ, traces, metrics):
    found = read_endpoint(given, environ)
    assert (found.traces, found.metrics) == (traces, metrics)


def test_everything_else_comes_from_opentelemetrys_variables():
    environ = {
        HEADERS: f"Authorization=Bearer%20{SECRET}, x-scope=a,",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": "host.name=bench-1,deployment.environment.name=ci%2Fnightly",
    }
    found = read_endpoint(HERE, environ)
    assert found == Endpoint(
        traces=f"{HERE}/v1/traces",
        metrics=f"{HERE}/v1/metrics",
        headers={"authorization": f"Bearer {SECRET}", "x-scope": "a"},
        resource={"host.name": "bench-1", "deployment.environment.name": "ci/nightly"},
        timeout_s=2.5,
        certificate=Path("ca.pem"),
    )
    assert SECRET not in repr(found)


def test_without_an_endpoint_nothing_is_sent_and_both_places_for_one_are_named():
    assert refusal(None) == (
        "No collector is named, so nothing is sent. Give --endpoint http://127.0.0.1:4318, or set "
        "OTEL_EXPORTER_OTLP_ENDPOINT."
    )


@pytest.mark.parametrize(
    "address", [f"http://me:{SECRET}@host", f"http://host/?key={SECRET}", f"http://host/#{SECRET}"]
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_shown(address):
    assert refusal(address) == (
        "--endpoint holds more than an address: a name, a password, a query or a fragment. Addresses are shown in "
        "messages. Put a token into OTEL_EXPORTER_OTLP_HEADERS: authorization=Bearer%20TOKEN."
    )


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("localhost:4318", "--endpoint is no address of HTTP: 'localhost:4318'."),
        ("ftp://host", "--endpoint is no address of HTTP: 'ftp://host'."),
        ("http://", "--endpoint is no address of HTTP: 'http://'."),
        ("http://a\nb", "--endpoint is no address of HTTP: 'http://a\\nb'."),
        ("http://host:port", "--endpoint is no address: Port could not be cast to integer value as 'port'."),
    ],
)
def test_what_is_no_address_is_refused_by_name(address, fault):
    assert refusal(address) == f"{fault} Write http://127.0.0.1:4318."


def test_the_port_and_the_protocol_of_grpc_are_told_apart_from_http():
    assert refusal(None, **{BASE: "http://collector:4317"}) == (
        "OTEL_EXPORTER_OTLP_ENDPOINT: http://collector:4317 is the usual port for gRPC, and energygate sends over HTTP."
        " Give the collector's port for HTTP, usually 4318."
    )
    assert refusal(OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == (
        "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', and energygate sends http/protobuf alone. Set it to http/protobuf, and "
        "give the collector's port for HTTP: 4318, not 4317."
    )


@pytest.mark.parametrize("headers", [SECRET, f"a=b,{SECRET}", f"a b={SECRET}", f"a={SECRET}%0d%0aX-Other: 1"])
def test_headers_that_are_none_are_refused_without_their_value(headers):
    place = 2 if headers.startswith("a=b") else 1
    assert refusal(**{HEADERS: headers}) == (
        f"OTEL_EXPORTER_OTLP_HEADERS: its part {place} is not of the form key=value. Write "
        "OTEL_EXPORTER_OTLP_HEADERS=key=value,other=value, with every special character as %XX."
    )


@pytest.mark.parametrize("text", ["soon", "0", "-1", "1e9"])
def test_a_timeout_that_is_no_time_is_refused(text):
    assert refusal(OTEL_EXPORTER_OTLP_TIMEOUT=text) == (
        f"OTEL_EXPORTER_OTLP_TIMEOUT is {text!r}, which is no time. Give milliseconds: 10000."
    )
