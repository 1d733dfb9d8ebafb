"""Run <-> JSON. Readers accept every earlier version, refuse a newer one by name, and name the path of a fault."""

import msgspec

from energygate.errors import BaselineError, split_path
from energygate.model import RUN_SCHEMA, Run

_FAMILY, _, _VERSION = RUN_SCHEMA.partition("/")


class _Header(msgspec.Struct):
    schema: str


def encode_run(run: Run) -> bytes:
    """Give the file's bytes: UTF-8 JSON, indented, one final newline."""
    return msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n"


def decode_run(data: bytes, *, origin: str) -> Run:
    """Read a Run file's bytes.

    Parameters
    ----------
    origin : str
        The file's name, for messages.

    Raises
    ------
    BaselineError
        If it is not JSON, not a Run, of a newer version, or has a fault; names the file and the path in it.
    """
    try:
        _check_version(msgspec.json.decode(data, type=_Header).schema, origin)
        return msgspec.json.decode(data, type=Run)
    except msgspec.ValidationError as error:
        what, path = split_path(str(error))
        raise BaselineError(
            f"{origin}: {path}: {what}.",
            why="A run that cannot be read in full cannot be compared.",
            fix="Restore the file from version control, or delete it and record that session again.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BaselineError(
            f"{origin}: not a complete JSON document ({error}).",
            why="The file was cut off or edited.",
            fix="Restore it from version control, or delete it and record that session again.",
        ) from error


def _check_version(schema: str, origin: str) -> None:
    family, _, version = schema.partition("/")
    if family != _FAMILY or not version.isdecimal():
        raise BaselineError(
            f"{origin}: $.schema: {schema!r} is not a run of energygate (expected {RUN_SCHEMA!r}).",
            fix="Give a file that --energy-save or `energygate run --save` wrote.",
        )
    if int(version) > int(_VERSION):
        raise BaselineError(
            f"{origin}: $.schema: {schema} was written by a newer energygate; this one reads up to {RUN_SCHEMA}.",
            fix="Upgrade: python -m pip install --upgrade energygate.",
        )
