"""One benchmark's talk with its server: passes over its requests, each counted and checked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from energygate.errors import MeasurementInvalid
from energygate.workloads.base import WorkDone
from energygate.workloads.inference.counting import Counting
from energygate.workloads.inference.exchange import Exchange
from energygate.workloads.inference.opening import Opened
from energygate.workloads.inference.reading import Because
from energygate.workloads.inference.served import Served
from energygate.workloads.text import printable

_LABEL_CHARS: Final = 64


class Conversation:
    """Sends passes and counts them.

    Parameters
    ----------
    because : callable
        Says why a request got no answer, from what its client saw of it.
    """

    def __init__(self, opened: Opened, *, because: Because) -> None:
        self._opened = opened
        self._because = because
        self._asking = opened.probed.asking
        self._counting = Counting(self._asking, source=opened.probed.source)
        self._served = Served(self._asking, has_counters=opened.has_counters)
        self._exchange: Exchange | None = None
        self._passes = 1

    @property
    def labels(self) -> Mapping[str, str]:
        """How it is asked, and who owns the model."""
        asking, owner = self._asking, self._opened.owner
        labels = {"preset": asking.preset.name, "streamed": str(asking.streamed).lower()}
        return labels if owner is None else {**labels, "server": printable(asking.plan.show(owner), limit=_LABEL_CHARS)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        return *self._opened.probed.notes, *self._counting.notes

    def move(self, url: str) -> None:
        """Go on with a server that was started again: it may have another port, and counts anew."""
        self._asking = replace(self._asking, url=url)
        self._served = Served(self._asking, has_counters=self._served.has_counters)

    def begin(self) -> None:
        """Wait until the server is idle, and read its counters. Raises MeasurementInvalid."""
        self._exchange = None
        self._served.begin()

    def run(self, passes: int) -> None:
        """Send every request so often."""
        self._passes = passes
        self._exchange = self._asking.post(passes)

    def warmed_up(self) -> None:
        """Check what was sent before the first trial. Raises WorkloadError."""
        self._counting.warm_up(self._taken(), self._served, passes=self._passes, because=self._because)

    def count(self) -> WorkDone:
        """Count and check a trial. Raises MeasurementInvalid."""
        exchange = self._taken()
        try:
            return self._counting.trial(exchange, self._served, passes=self._passes, because=self._because)
        except MeasurementInvalid:
            if exchange.is_cut_off:
                self._served.note_failure()
            raise

    def _taken(self) -> Exchange:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None  # noqa: S101  `run` comes first
        return exchange
