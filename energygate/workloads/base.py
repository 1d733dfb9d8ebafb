"""What every workload is: something that can be run again and again, and says how much work it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from energygate.model import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """The counted work of one trial, and how it went: latencies, finish reasons, digests. Shown, never gated."""

    work: Work = field(default_factory=Work)
    conditions: Mapping[str, Any] = field(default_factory=dict)


class Workload(Protocol):
    """A benchmark that `measure` can drive. Only `run` lies inside the measured window.

    Attributes
    ----------
    name : str
        The benchmark's name, `FILE::SUITE`.
    definition : mapping
        What is asked; its hash is the Run's `workload`.
    labels : mapping
        Who answers: model, server. Not hashed, because a change may change them.
    repeatable : bool
        Whether one trial may hold several passes, to make it long enough.
    needs_calibration : bool
        Whether how many must be found before the warm-up, because one pass may be shorter than a clock can time.
    least_passes, least_warmups : int
        How many passes a trial has at least, and how many warm-ups precede the trials.
    notes : tuple of str
        What a person should know of how it was measured; complete after the last trial.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def definition(self) -> Mapping[str, object]: ...  # noqa: D102
    @property
    def labels(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def repeatable(self) -> bool: ...  # noqa: D102
    @property
    def needs_calibration(self) -> bool: ...  # noqa: D102
    @property
    def least_passes(self) -> int: ...  # noqa: D102
    @property
    def least_warmups(self) -> int: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def pids(self) -> tuple[int, ...] | None:
        """Processes outside our tree that do the work (a server that was already running); None if nobody named it."""
        ...

    def open(self) -> None:
        """Start what is needed and prove that it answers. Raises WorkloadError."""
        ...

    def before(self) -> None:
        """Get ready for a trial, outside the window. Raises MeasurementInvalid, WorkloadError."""
        ...

    def run(self, passes: int) -> None:
        """Do the work `passes` times; judge nothing."""
        ...

    def warmed_up(self) -> None:
        """Check what `run` did as a warm-up. Raises WorkloadError if no trial could count."""
        ...

    def after(self) -> WorkDone:
        """Count and check what `run` did as a trial. Raises MeasurementInvalid, WorkloadError."""
        ...

    def close(self) -> None:
        """Stop everything; safe to call twice, also after a failed `open`."""
        ...
