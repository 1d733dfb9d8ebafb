"""GateReport <-> JSON."""

import msgspec

from energygate.errors import ConfigError, split_path
from energygate.model import REPORT_SCHEMA, GateReport


def encode_report(report: GateReport) -> bytes:
    """Give the file's bytes: UTF-8 JSON, indented, one final newline."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode_report(data: bytes, *, origin: str) -> GateReport:
    """Read a report file's bytes. Raises ConfigError, naming `origin` and the path of the fault."""
    try:
        return msgspec.json.decode(data, type=GateReport)
    except msgspec.ValidationError as error:
        what, path = split_path(str(error))
        raise ConfigError(
            f"{origin}: {path}: {what}.",
            fix=f"Give a report of schema {REPORT_SCHEMA}, as --report json:FILE writes it.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{origin}: not a complete JSON document ({error}).", fix="Write the report again."
        ) from error
