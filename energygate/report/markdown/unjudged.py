"""What is published where there is no report: the job failed, and nothing was judged."""

from typing import Final

from energygate.report.markdown.escaping import commit, link
from energygate.report.publication import Publication

_NOTHING_MEASURED: Final = 5


def unjudged_title(exit_code: int) -> str:
    """Say in plain words what happened instead of a verdict."""
    what = "nothing valid was measured" if exit_code == _NOTHING_MEASURED else "nothing was judged"
    return f"{what}: the job leaves with {exit_code}"


def render_unjudged(exit_code: int, publication: Publication) -> str:
    """Render what stands in the place of a comment or a summary."""
    head = commit(publication.head, publication.repository_url)
    log = link(f"The log of run {publication.run_id}", publication.run_url)
    return (
        f"## Energy: {unjudged_title(exit_code)}\n\n"
        f"There is no report of {head}, so nothing is known of what it uses. {log}, attempt {publication.attempt}, "
        "says why.\n"
    )
