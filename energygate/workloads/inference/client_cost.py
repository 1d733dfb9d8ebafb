"""What energygate's own client costs: its CPU time lies in the window, and the meters see it."""

import statistics
from dataclasses import dataclass, field
from typing import Final

from energygate import units
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.inference.exchange import Exchange

_NOTED: Final = 0.1
_SATURATED: Final = 0.9


@dataclass(slots=True)
class ClientCost:
    """Which share of each trial the client kept a core busy."""

    _shares: list[float] = field(default_factory=list)

    def check(self, exchange: Exchange) -> None:
        """Add one trial. Raises MeasurementInvalid if the client, and not the server, set the pace."""
        if exchange.overslept:
            raise MeasurementInvalid(
                InvalidCode.CLIENT_SATURATED,
                "the server left a connection open that it had announced to close, so the end of an answer was seen up "
                "to 1 s late. Later trials look at every part of an answer.",
            )
        share = exchange.client_cpu_s / exchange.duration_s
        if share > _SATURATED:
            raise MeasurementInvalid(
                InvalidCode.CLIENT_SATURATED,
                f"energygate's own client was busy for {units.format_percent(share)} of the trial, so it and not the "
                "server set the pace. Lower load.concurrency, or set requests.stream: false.",
            )
        self._shares.append(share)

    def note(self, *, streamed: bool) -> str | None:
        """Say what it typically costs, if that is much; and what to do about it."""
        if not self._shares or (share := statistics.median(self._shares)) <= _NOTED:
            return None
        cure = "requests.stream: false would lower that" if streamed else "longer answers would lower that"
        return (
            f"energygate's own client was busy for {units.format_percent(share)} of the trials, and its joules are in "
            f"the numbers; {cure}"
        )
