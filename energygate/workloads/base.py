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
    def pids(self) -> tuple[int, ...] | None:
        """Processes outside our tree that do the work (a server that was already running); None if nobody named it."""
        ...

    def open(self) -> None:
        """Start what is needed and prove that it answers. Raises WorkloadError."""
        ...

    def before(self) -> None:
        """Get ready for a trial, outside the window."""
        ...

    def run(self, passes: int) -> None:
        """Do the work `passes` times; judge nothing."""
        ...

    def after(self) -> WorkDone:
        """Count and check what `run` did. Raises MeasurementInvalid."""
        ...

    def close(self) -> None:
        """Stop everything; safe to call twice, also after a failed `open`."""
        ...
