"""Where to send, and what with it: an address, and OpenTelemetry's own variables of the environment.

https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from energygate.errors import ConfigError

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
TIMEOUT: Final = "OTEL_EXPORTER_OTLP_TIMEOUT"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
CERTIFICATE: Final = "OTEL_EXPORTER_OTLP_CERTIFICATE"
RESOURCE: Final = "OTEL_RESOURCE_ATTRIBUTES"
_SIGNALS: Final = ("traces", "metrics")
_PORT_OF_GRPC: Final = 4317
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EXAMPLE: Final = "http://127.0.0.1:4318"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A collector.

    Attributes
    ----------
    traces, metrics : str
        Addresses of both signals.
    headers : mapping
        Sent with each request, and shown nowhere.
    resource : mapping
        What the environment says of this machine or job.
    certificate : Path or None
        Whom to trust, where that is not whom the system trusts.
    """

    traces: str
    metrics: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    certificate: Path | None = None


def read_endpoint(given: str | None, environ: Mapping[str, str]) -> Endpoint:
    """Decide where to send. An address that is given wins over the environment's. Raises ConfigError."""
    traces, metrics = (_address(signal, given, environ) for signal in _SIGNALS)
    protocol = environ.get(PROTOCOL, "").strip() or "http/protobuf"
    if protocol != "http/protobuf":
        raise ConfigError(
            f"{PROTOCOL} is {protocol!r}, and energygate sends http/protobuf alone.",
            fix=f"Set it to http/protobuf, and give the collector's port for HTTP: 4318, not {_PORT_OF_GRPC}.",
        )
    certificate = environ.get(CERTIFICATE, "").strip()
    return Endpoint(
        traces=traces,
        metrics=metrics,
        headers={name.lower(): value for name, value in _pairs(HEADERS, environ).items()},
        resource=_pairs(RESOURCE, environ),
        timeout_s=_timeout_s(environ),
        certificate=Path(certificate) if certificate else None,
    )


def _address(signal: str, given: str | None, environ: Mapping[str, str]) -> str:
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"
    if given is None and environ.get(own, "").strip():
        return _require_address(environ[own].strip(), own)
    base = environ.get(ENDPOINT, "").strip() if given is None else given.strip()
    if not base:
        raise ConfigError(
            "No collector is named, so nothing is sent.",
            fix=f"Give --endpoint {_EXAMPLE}, or set {ENDPOINT}.",
        )
    whole = _require_address(base, ENDPOINT if given is None else "--endpoint")
    return f"{whole.rstrip('/')}/v1/{signal}"


def _require_address(text: str, where: str) -> str:
    """Give an address that can be shown. Raises ConfigError, which shows it only if it holds no secret."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{where} is no address: {error}.", fix=f"Write {_EXAMPLE}.") from error
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError(
            f"{where} holds more than an address: a name, a password, a query or a fragment.",
            why="Addresses are shown in messages.",
            fix=f"Put a token into {HEADERS}: authorization=Bearer%20TOKEN.",
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isascii() or not text.isprintable():
        raise ConfigError(f"{where} is no address of HTTP: {text!r}.", fix=f"Write {_EXAMPLE}.")
    if port == _PORT_OF_GRPC:
        raise ConfigError(
            f"{where}: {text} is the usual port for gRPC, and energygate sends over HTTP.",
            fix="Give the collector's port for HTTP, usually 4318.",
        )
    return text


def _pairs(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Read `key=value,key2=value2`, values percent-encoded. Raises ConfigError, which shows no value."""
    found: dict[str, str] = {}
    for place, pair in enumerate(part for part in environ.get(name, "").split(",") if part.strip()):
        key, equals, value = (part.strip() for part in pair.partition("="))
        value = unquote(value)
        if not equals or not _NAME.fullmatch(key) or not (value.isprintable() and value.isascii()):
            raise ConfigError(
                f"{name}: its part {place + 1} is not of the form key=value.",
                fix=f"Write {name}=key=value,other=value, with every special character as %XX.",
            )
        found[key] = value
    return found


def _timeout_s(environ: Mapping[str, str]) -> float:
    text = environ.get(TIMEOUT, "").strip() or "10000"
    milliseconds = float(text) if re.fullmatch(r"[0-9]{1,9}", text) else math.nan
    if not milliseconds > 0:
        raise ConfigError(f"{TIMEOUT} is {text!r}, which is no time.", fix="Give milliseconds: 10000.")
    return milliseconds / 1000
