"""What a measuring command came to, as the job's exit code: 1 is a measured regression, and nothing else."""

from dataclasses import dataclass
from typing import Final

from energygate.github.event import Activity
from energygate.workloads.process import described

_NOTHING_MEASURED: Final = 5
_FAULT: Final = 2
_CODES: Final = range(6)
_HINT: Final = (
    "It must measure with `pytest --energy` or `energygate run`, and name neither mode nor report itself: the action's "
    "own would not be written."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The job's exit code, and why it is not what the report says; empty where it is."""

    exit_code: int
    why: str = ""


def conclude(activity: Activity, status: int, *, verdict: int | None, is_saved: bool) -> Conclusion:
    """Decide what the job leaves with.

    Parameters
    ----------
    status : int
        How the command ended, negative for a signal.
    verdict : int or None
        The report's exit code; None where there is no report.
    is_saved : bool
        Whether the command has saved a run.
    """
    if verdict not in (None, 0):
        return _judged(verdict)
    if status != 0:
        return _failed(activity, status, is_judged=verdict is not None)
    wanted = "run" if activity is Activity.RECORD else "report"
    if is_saved if activity is Activity.RECORD else verdict is not None:
        return Conclusion(exit_code=0)
    return Conclusion(exit_code=_NOTHING_MEASURED, why=f"The command left with 0 and wrote no {wanted}. {_HINT}")


def _judged(verdict: int) -> Conclusion:
    if verdict in _CODES:
        return Conclusion(exit_code=verdict)
    return Conclusion(exit_code=_FAULT, why=f"The report's exit code is {verdict}, which is none of energygate's.")


def _failed(activity: Activity, status: int, *, is_judged: bool) -> Conclusion:
    """A command that measured nothing says so by its status, if it gets as far as that."""
    how = f"left with {status}" if status > 0 else described(status)
    if is_judged:
        return Conclusion(exit_code=_FAULT, why=f"The command {how} although no benchmark regressed.")
    if status == _NOTHING_MEASURED:
        return Conclusion(exit_code=_NOTHING_MEASURED, why=f"The command {how}: nothing valid was measured.")
    without = "" if activity is Activity.RECORD else " and wrote no report"
    return Conclusion(exit_code=_FAULT, why=f"The command {how}{without}. Its reasons stand above.")
