"""The registry of formats: each is a pure function of one GateReport, and all take numbers and words from `rows`.

A format is imported when it is rendered: this module is on pytest's start-up path, for the help text. To add one, write
its function, give it a line in `FORMATS`, and its checks in tests/contract/test_reporters.py, which asks for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from energygate.model import GateReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write a report.

    Attributes
    ----------
    render : callable
        Gives the file's bytes.
    modules : tuple of str
        The top-level modules of the optional dependencies that it imports.
    extra : str
        The extra of energygate that installs them.
    """

    render: "Callable[[GateReport], bytes]"
    modules: tuple[str, ...] = ()
    extra: str = ""

    def missing(self, is_installed: Callable[[str], object]) -> tuple[str, ...]:
        """Name the modules that are not installed."""
        return tuple(module for module in self.modules if not is_installed(module))


def _json(report: "GateReport") -> bytes:
    from energygate.report.json import encode_report  # noqa: PLC0415

    return encode_report(report)


def _markdown(report: "GateReport") -> bytes:
    from energygate.report.markdown import render_markdown  # noqa: PLC0415

    return render_markdown(report).encode()


def _html(report: "GateReport") -> bytes:
    from energygate.report.html import render_html  # noqa: PLC0415

    return render_html(report).encode()


def _junit(report: "GateReport") -> bytes:
    from energygate.report.junit import render_junit  # noqa: PLC0415

    return render_junit(report)


def _csv(report: "GateReport") -> bytes:
    from energygate.report.csv import render_csv  # noqa: PLC0415

    return render_csv(report)


def _badge(report: "GateReport") -> bytes:
    from energygate.report.badge import render_badge  # noqa: PLC0415

    return render_badge(report)


def _gitlab(report: "GateReport") -> bytes:
    from energygate.report.gitlab import render_gitlab  # noqa: PLC0415

    return render_gitlab(report).encode()


def _codequality(report: "GateReport") -> bytes:
    from energygate.report.codequality import render_codequality  # noqa: PLC0415

    return render_codequality(report)


def _openmetrics(report: "GateReport") -> bytes:
    from energygate.report.openmetrics import render_openmetrics  # noqa: PLC0415

    return render_openmetrics(report).encode()


FORMATS: Final[Mapping[str, Format]] = {
    "json": Format(render=_json),
    "markdown": Format(render=_markdown),
    "html": Format(render=_html, modules=("jinja2", "plotly"), extra="html"),
    "junit": Format(render=_junit),
    "csv": Format(render=_csv),
    "badge": Format(render=_badge),
    "gitlab": Format(render=_gitlab),
    "codequality": Format(render=_codequality),
    "openmetrics": Format(render=_openmetrics),
}


def named_formats(last: str = "or") -> str:
    """Name all formats: `csv, json or markdown`."""
    *first, final = FORMATS
    return f"{', '.join(first)} {last} {final}"
