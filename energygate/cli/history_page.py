"""`energygate history --report html:FILE`."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.files import write_atomically
from energygate.history.trend import Trend
from energygate.options import require_extra
from energygate.report.formats import FORMATS

_FORMAT: Final = "html"


def write_history_page(target: str, trends: Sequence[Trend]) -> None:
    """Write the history as one HTML file. Raises ConfigError, EnergyGateError."""
    name, _, file = target.partition(":")
    if name != _FORMAT or not file:
        raise ConfigError(
            f"--report {target}: a history is written as HTML and as nothing else.",
            fix=f"Give {_FORMAT}:FILE; --json prints it as JSON.",
        )
    require_extra(_FORMAT, FORMATS[_FORMAT], is_installed=find_spec)
    from energygate.report.html import render_history_html  # noqa: PLC0415  its libraries are an extra

    write_atomically(Path(file), render_history_html(trends).encode())
