"""What the server itself says around a trial: whether it has anything to do, and how many tokens it has worked on."""

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.counters import GONE, Counts, ServerCounters, difference
from energygate.workloads.inference.drain import Drain


class Served:
    """Waits for an idle server before and after each trial, and reads its counters then.

    Parameters
    ----------
    has_counters : bool
        Whether it had counters before. Those of a server that was started again may come with its first token.

    Attributes
    ----------
    has_counters : bool
        Whether it has had counters at any time.
    """

    def __init__(self, asking: Asking, *, has_counters: bool = False) -> None:
        self.has_counters = has_counters
        self._has_worked = False
        plan, names = asking.plan, asking.preset.counters
        self._counters = None if names is None else ServerCounters(asking.http, asking.url, names, show=plan.show)
        idle = _unknown if self._counters is None else self._counters.idle
        self._drain = Drain(idle, timeout_s=plan.suite.timeouts.drain)
        self._before: Counts | None = None

    def counts(self) -> Counts | None:
        """What it has counted so far; None if it has no counters. Raises MeasurementInvalid."""
        return None if self._counters is None else self._counters.read()

    def begin(self) -> None:
        """Before a trial. Raises MeasurementInvalid if it stays busy, or cannot be read."""
        self._drain.wait()
        self._before = self._found()

    def end(self) -> Counts | None:
        """After a trial: what was counted since `begin`, or None without counters. Raises MeasurementInvalid."""
        self._drain.wait()
        before, self._before = self._before, None
        self._has_worked = True
        after = self._found()
        return None if before is None else difference(before, after)

    def _found(self) -> Counts | None:
        counts = self.counts()
        if counts is None and self.has_counters and self._has_worked:
            raise MeasurementInvalid(InvalidCode.READ_ERROR, GONE)
        self.has_counters = self.has_counters or counts is not None
        return counts

    def note_failure(self) -> None:
        """Remember that requests were given up: a server that says nothing of itself may still work on them."""
        self._drain.note_failure()


def _unknown() -> None:
    return None
