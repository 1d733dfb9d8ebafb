"""Filling the templates: the only module that imports jinja2. Autoescape is on, whatever a template is called."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from energygate.report.html.drawing import Drawn
from energygate.report.html.embedding import packed_json, source_of
from energygate.report.html.library import plotly_js
from energygate.workloads.text import printable

_LOADER: Final = PackageLoader("energygate.report.html")
_LONGEST: Final = 500
_LONGEST_SENTENCE: Final = 2000
# Styles may stand in elements: plotly.js sets them so. Nothing can be fetched, so they can tell nobody anything.
_POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; "
    "form-action 'none'"
)
_FIRST: Final = "theme.js"
_SCRIPTS: Final = ("figures.js", "trials.js", "page.js")


def fill(template: str, figures: Sequence[Drawn], **view: Any) -> str:
    """Fill a template into one file that needs nothing else.

    Parameters
    ----------
    figures : sequence of Drawn
        What the page's script draws: one for each section, in their order.
    view
        What the template shows.
    """
    first, script, library = _text(_FIRST), "\n".join(map(_text, _SCRIPTS)), plotly_js()
    allowed = " ".join((source_of(first), source_of(script), library.source))
    return (
        _environment()
        .get_template(template)
        .render(
            policy=_POLICY.format(scripts=allowed),
            style=Markup(_text("page.css")),  # noqa: S704  ours
            first=Markup(first),  # noqa: S704  ours
            script=Markup(script),  # noqa: S704  ours
            library=library.text,
            figures=packed_json(figures),
            **view,
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"shown": shown, "said": said}
    return made


@cache
def _text(name: str) -> str:
    return _LOADER.get_source(_environment(), name)[0]


def shown(text: str) -> str:
    """Give a foreign name on one line, without characters that are not seen or turn the text round."""
    return printable(text, limit=_LONGEST) or "(empty)"


def said(text: str) -> str:
    """Give a foreign sentence in the same way; it may quote a log."""
    return printable(text, limit=_LONGEST_SENTENCE)
