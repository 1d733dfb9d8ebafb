"""The summary of a job that records: what was measured, and where it is kept."""

from typing import Final

from energygate.model import Run
from energygate.report.markdown.escaping import block, commit, span
from energygate.report.markdown.opening import alert
from energygate.report.markdown.unjudged import reason_and_log
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


def render_unrecorded(exit_code: int, publication: Publication, *, why: str = "") -> str:
    """Render what stands there where the job failed, so that nothing is stored."""
    head = commit(publication.head, publication.repository_url)
    return (
        f"## Energy: nothing was recorded: the job leaves with {exit_code}\n\n"
        f"Nothing of {head} is stored. {reason_and_log(why, publication)}\n"
    )


def kept_as(place: str, *, session: int = 0, wanted: int = 0) -> str:
    """Say where a run is stored.

    Parameters
    ----------
    session, wanted : int
        Which session of its benchmarks it is, 0 where that is not known, and how many there must be before stored runs
        may fail a change.
    """
    few = f" Session {session} of the {wanted} that stored runs need to fail a change." if 0 < session < wanted else ""
    return f"It is stored as {span(place, _LONGEST)}.{few}"


def not_kept(why: str) -> str:
    """Say that a run could not be stored."""
    return f"**It is not stored.** {span(why, _LONGEST)}"
