"""The note of a GitLab merge request: the pull request's comment, for another server.

GitLab reads the same tables, folded parts and alerts; where it is too old for alerts it shows them as quotations. What
it would act on is foreign text, and none of that leaves its code span, in which GitLab resolves no mention and no
reference. Each line begins with text of our own, so that none can be a quick action, which begins with a slash.
"""

from energygate.model import GateReport
from energygate.report.markdown import MARKER, render_summary


def render_gitlab(report: GateReport) -> str:
    """Render the note, which begins with the marker by which it is found again, in at most 1,000,000 characters."""
    return f"{MARKER}\n{render_summary(report)}"
