"""The summary of a job that records: what was measured, and where it is kept."""

from typing import Final

from energygate.model import Run
from energygate.report.markdown.escaping import block, commit, link, span
from energygate.report.markdown.opening import alert
from energygate.report.measured import render_measured
from energygate.report.publication import Publication

BY_A_COMMIT: Final = (
    "It is not stored yet, since a folder is changed by commits alone: `energygate baseline record` puts the output "
    "`run-file` among the baselines, to be committed."
)
_LONGEST: Final = 500


def render_recorded(run: Run, publication: Publication, *, kept: str, doubts: tuple[str, ...] = ()) -> str:
    """Render what was measured, and that it is kept.

    Parameters
    ----------
    kept : str
        Where it is, or what keeps it: a sentence that is Markdown.
    doubts : tuple of str
        Which benchmarks are no session, and what else is to be looked after.
    """
    parts = [
        f"## Energy: {len(run.benchmarks)} benchmark{'' if len(run.benchmarks) == 1 else 's'} measured",
        f"At {commit(publication.head, publication.repository_url)}. {kept}",
        *alert("WARNING", doubts),
        block(render_measured(run, color=False).splitlines()),
        f"<sub>measured as {span(run.run_id)}</sub>",
    ]
    return "\n\n".join(parts) + "\n"


def render_unrecorded(exit_code: int, publication: Publication) -> str:
    """Render what stands there where the job failed, so that nothing is stored."""
    head = commit(publication.head, publication.repository_url)
    log = link(f"The log of run {publication.run_id}", publication.run_url)
    return (
        f"## Energy: nothing was recorded: the job leaves with {exit_code}\n\n"
        f"Nothing of {head} is stored. {log}, attempt {publication.attempt}, says why.\n"
    )


def kept_as(place: str) -> str:
    """Say where a run is stored."""
    return f"It is stored as {span(place, _LONGEST)}."


def not_kept(why: str) -> str:
    """Say that a run could not be stored."""
    return f"**It is not stored.** {span(why, _LONGEST)}"
