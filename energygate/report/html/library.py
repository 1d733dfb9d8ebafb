"""plotly.js as its Python package brings it: the only module that imports plotly."""

from functools import cache

from plotly.offline import get_plotlyjs

from energygate.report.html.embedding import Packed, packed_script


@cache
def plotly_js() -> Packed:
    """Give the library as a page carries it."""
    return packed_script(get_plotlyjs())
