"""Storing a run that was saved, for `energygate baseline record` and for the action."""

from dataclasses import dataclass
from pathlib import Path

from energygate.baseline.base import Shown, Store
from energygate.cli.options import given_run
from energygate.errors import BaselineError, NotStored
from energygate.model import Run
from energygate.pipeline import refuse_to_record, unfit_as_sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Where a run is stored, and what to look after."""

    shown: Shown
    doubts: tuple[str, ...]


def record_file(file: Path, store: Store, *, allow_estimates: bool) -> Recorded:
    """Store a run that --save wrote. Raises BaselineError, ConfigError, MeterUnavailable, NotStored; the file stays."""
    run = given_run(file)
    doubts = doubts_about(run, file, allow_estimates=allow_estimates)
    try:
        shown = store.add(run)
    except NotStored as error:
        raise NotStored(error.what, why=f"{file} is kept, and was not recorded.", fix=error.fix) from error
    return Recorded(shown=shown, doubts=(*doubts, *store.remarks()))


def doubts_about(run: Run, file: Path, *, allow_estimates: bool) -> tuple[str, ...]:
    """Say which benchmarks of a run are no session.

    Raises
    ------
    ConfigError, MeterUnavailable
        It describes no commit, or is an estimate.
    BaselineError
        None of them is.
    """
    refuse_to_record(run, allow_estimates=allow_estimates)
    unfit = unfit_as_sessions(run)
    if len(unfit) == len(run.benchmarks):
        raise BaselineError(
            f"{file} holds no session: {'; '.join(unfit) or 'no benchmark'}.", fix="Record a run with more trials."
        )
    return tuple(f"not recorded as a session: {sentence}" for sentence in unfit)
