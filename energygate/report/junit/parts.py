"""What documents are made of: elements that are always written alike, from text that XML may hold."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

from energygate.workloads.text import printable

_LONGEST: Final = 100_000
_NO_CHARACTER: Final = re.compile("[\ufffe\uffff]")  # the others that XML forbids are control characters and surrogates
_ATTACHMENT: Final = "[[ATTACHMENT"  # Jenkins and GitLab show the file whose path follows


def legal(text: str) -> str:
    """Show foreign text on one line, without what XML forbids and what a reader of the document would act on."""
    return _NO_CHARACTER.sub("", printable(text, limit=_LONGEST)).replace(_ATTACHMENT, "[ [ATTACHMENT")


def not_passed(case: ET.Element, state: str, *, kind: str, message: str, text: str) -> None:
    """Say why a test case did not pass, twice: some readers show the message alone, GitLab the content alone."""
    ET.SubElement(case, state, {"type": kind, "message": legal(message)}).text = text


def time(seconds: float | None) -> dict[str, str]:
    """Give the attribute; nothing where it is unknown."""
    return {} if seconds is None else {"time": f"{seconds:.3f}"}


def properties(found: Iterable[tuple[str, str]]) -> ET.Element:
    """Give the element that holds these names and values."""
    element = ET.Element("properties")
    for name, value in found:
        ET.SubElement(element, "property", {"name": legal(name), "value": legal(value)})
    return element
