"""What a job came to, as text: pytest and the command line show the same. The last line is the verdict."""

from energygate.display import Display
from energygate.pipeline import Finished
from energygate.report.measured import render_measured
from energygate.report.terminal import render_terminal


def render_finished(finished: Finished, display: Display) -> str:
    """Render the report, or what was measured and what became of it."""
    if finished.report is not None:
        return render_terminal(finished.report, **display.manner)
    return render_measured(finished.run, said=_unfit(finished), closing=_verdict(finished), **display.manner)


def _verdict(finished: Finished) -> str:
    """What came of a run that nobody judged, in words: FAILED wherever the session fails."""
    return f"energy: {_came_to(finished)}"


def _unfit(finished: Finished) -> tuple[str, ...]:
    return tuple(f"not recorded as a session: {sentence}" for sentence in finished.unfit)


def _came_to(finished: Finished) -> str:
    if finished.stored is not None and finished.unfit:
        share = f"{len(finished.unfit)} of {len(finished.run.benchmarks)} benchmarks"
        return f"FAILED, {share} not recorded as a session; stored as {finished.stored}"
    if finished.stored is not None:
        return f"RECORDED, stored as {finished.stored}"
    if finished.unfit:
        return "FAILED, nothing was recorded"
    return "MEASURED, nothing was judged" if finished.measured else "FAILED, nothing valid was measured"
