"""The summary of a job that recorded: what was measured, and where it is kept."""

from energygate.model import Run
from energygate.report.markdown.escaping import block, commit, span
from energygate.report.markdown.opening import alert
from energygate.report.measured import render_measured
from energygate.report.publication import Publication


def render_recorded(run: Run, publication: Publication, *, kept: str, doubts: tuple[str, ...] = ()) -> str:
    """Render what was measured, and that it is kept.

    Parameters
    ----------
    kept : str
        Where it is, or what keeps it: a sentence of ours.
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
