"""The report and the history as one HTML file each: nothing is fetched, and everything foreign in it is escaped."""

from energygate.report.html.document import render_html
from energygate.report.html.history import render_history_html

__all__ = ["render_history_html", "render_html"]
