"""What is published where there is no report: the job failed, and nothing was judged."""

from typing import Final

from energygate.report.markdown.escaping import commit, link, span
from energygate.report.publication import Publication

_NOTHING_MEASURED: Final = 5
_LONGEST: Final = 500


def unjudged_title(exit_code: int) -> str:
    """Say in plain words what happened instead of a verdict."""
    what = "nothing valid was measured" if exit_code == _NOTHING_MEASURED else "nothing was judged"
    return f"{what}: the job leaves with {exit_code}"


def render_unjudged(exit_code: int, publication: Publication, *, why: str = "") -> str:
    """Render what stands in the place of a comment or a summary; `why` is in the words of who measured."""
    head = commit(publication.head, publication.repository_url)
    return (
        f"## Energy: {unjudged_title(exit_code)}\n\n"
        f"There is no report of {head}, so nothing is known of what it uses. {reason_and_log(why, publication)}\n"
    )


def reason_and_log(why: str, publication: Publication) -> str:
    """Say why, where that is known, and link the log, which knows more."""
    log = f"{link(f'The log of run {publication.run_id}', publication.run_url)}, attempt {publication.attempt},"
    return f"{span(why, _LONGEST)} {log} says more." if why else f"{log} says why."
