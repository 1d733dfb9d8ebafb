"""GateReport <-> JSON."""

from typing import Any, Final

import msgspec

from energygate.errors import ConfigError, split_path
from energygate.model import REPORT_SCHEMA, RUN_SCHEMA, GateReport
from energygate.report.concluded import require_concluded

_COMPACT: Final = frozenset({"evidence"})  # a line for each trial would make most of the file of blanks

_A_RUN: Final = f"Invalid enum value '{RUN_SCHEMA}'"  # msgspec's words


def encode_report(report: GateReport) -> bytes:
    """Give the file's bytes: UTF-8 JSON, indented but for the evidence, which has a line for each benchmark."""
    fields = b",\n".join(b'  "%b": %b' % (name.encode(), _field(report, name)) for name in report.__struct_fields__)
    return b"{\n" + fields + b"\n}\n"


def _field(report: GateReport, name: str) -> bytes:
    value: Any = getattr(report, name)
    if name in _COMPACT and value:
        return b"[\n    " + b",\n    ".join(msgspec.json.encode(each) for each in value) + b"\n  ]"
    indented = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return indented.replace(b"\n", b"\n  ")  # no string of JSON has a bare newline


def decode_report(data: bytes, *, origin: str) -> GateReport:
    """Read a report file's bytes, the worst of its comparisons first.

    Raises
    ------
    ConfigError
        Naming `origin` and the path of the fault: another type, or a conclusion that its comparisons do not bear out.
    """
    return require_concluded(_decoded(data, origin), origin=origin)


def _decoded(data: bytes, origin: str) -> GateReport:
    try:
        return msgspec.json.decode(data, type=GateReport)
    except msgspec.ValidationError as error:
        what, path = split_path(str(error))
        if (what, path) == (_A_RUN, "$.schema"):
            raise ConfigError(
                f"{origin} is a run and holds no verdict.",
                fix="`energygate compare BASE... HEAD` judges runs; --report json:FILE writes a report.",
            ) from error
        raise ConfigError(
            f"{origin}: {path}: {what}.",
            fix=f"Give a report of schema {REPORT_SCHEMA}, as --report json:FILE writes it.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{origin}: not a complete JSON document ({error}).", fix="Write the report again."
        ) from error
