"""Results on stdout, the rest on stderr. Of streams that fail, end early or speak ASCII: `energygate.cli.streams`."""

import sys
from collections.abc import Iterable

import click
import msgspec

from energygate.cli.manners import is_quiet
from energygate.cli.spelling import spelt
from energygate.workloads.text import printable

_LONGEST_LINE = 1000


def write_out(text: str) -> None:
    """Write a result."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_verdict(text: str) -> None:
    """Write a result whose last line says what it comes to; `--quiet` leaves that line alone."""
    write_out(f"{text.splitlines()[-1]}\n" if is_quiet() else text)


def write_json(document: object) -> None:
    """Write a result as one JSON document."""
    write_document(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def write_document(encoded: bytes) -> None:
    """Write a result that is encoded already: JSON is UTF-8, whatever the terminal speaks."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded)
    sys.stdout.buffer.flush()


def tell(text: str) -> None:
    """Say something beside the results, unless only the verdict is wanted."""
    if not is_quiet():
        for line in text.splitlines():
            click.echo(printable(spelt(line), limit=_LONGEST_LINE), err=True)


def warn(sentences: Iterable[str]) -> None:
    """Say what to look after, beside the results."""
    for sentence in sentences:
        tell(f"warning: {sentence}")
