"""The pull request comment, and the same text as a file and as the summary of a step."""

from energygate.report.markdown.document import MARKER, render_headline, render_markdown, render_summary
from energygate.report.markdown.escaping import code, span

__all__ = ["MARKER", "code", "render_headline", "render_markdown", "render_summary", "span"]
