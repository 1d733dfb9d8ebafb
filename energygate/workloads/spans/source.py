"""Tokens of a trial from the spans that its work sends: where to send them, and how many requests they tell of."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from energygate.clock import Clock, SystemClock
from energygate.errors import work_failed
from energygate.workloads.spans.counting import Ledger, SpanCount
from energygate.workloads.spans.inbox import Interval

if TYPE_CHECKING:
    from energygate.workloads.spans.receiver import Receiver

_QUIET_S: Final = 0.5
_LONGEST_S: Final = 5.0
_POLL_S: Final = 0.02
_STEP_S: Final = 0.1  # more than a clock is slewed by in any trial, less than any request takes
_NS: Final = 1e9


@dataclass(slots=True, kw_only=True)
class SpanSource:
    """Receives spans from `open` to `close`, and counts those that ended between `begin` and `end`.

    Parameters
    ----------
    wall_ns : callable
        Nanoseconds since 1970: spans carry wall-clock time.
    """

    clock: Clock = field(default_factory=SystemClock)
    wall_ns: Callable[[], int] = time.time_ns
    _receiver: "Receiver | None" = None
    _ledger: Ledger = field(default_factory=Ledger)
    _began: tuple[int, float] = (0, 0.0)
    _interval: Interval | None = None
    _clock_step_s: float = 0.0

    def open(self) -> None:
        """Start to receive, unless that has begun already."""
        # Here, so that nothing but a suite that asks for spans loads OpenTelemetry's messages.
        from energygate.workloads.spans.receiver import Receiver  # noqa: PLC0415

        self._receiver = self._receiver or Receiver()

    def environment(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """What to add to an environment, so that OpenTelemetry's SDKs send every span here, soon, and by no proxy."""
        url = self._opened.url
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            # The narrower variables and a sampler may stand in our own environment, and would win.
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            **_past_proxies(environ),
        }

    def begin(self) -> None:
        """The work begins now; what came before is no part of it."""
        spans, _ = self._opened.inbox.take()
        self._ledger.add(spans)
        self._interval = None
        self._began = self.wall_ns(), self.clock.now_s()

    def end(self) -> None:
        """The work has ended now."""
        began_ns, began_s = self._began
        ended_ns = self.wall_ns()
        self._clock_step_s = (ended_ns - began_ns) / _NS - (self.clock.now_s() - began_s)
        self._interval = Interval(begin_ns=began_ns, end_ns=ended_ns)

    def count(self) -> SpanCount:
        """Wait until no more spans of the work come, and count them.

        Raises
        ------
        MeasurementInvalid
            If there are none, or some may be missing.
        """
        if self._interval is None:
            raise work_failed("no work was done, so no span can tell of it")
        self._wait_for_quiet(self._interval)
        spans, refusals = self._opened.inbox.take()
        self._ledger.add(spans)
        if refusals:
            raise work_failed(f"an export of spans was refused, so some are missing: {refusals[0]}")
        if abs(self._clock_step_s) > _STEP_S:
            step = f"{self._clock_step_s:+.3g} s"
            raise work_failed(
                f"the wall clock was set by {step} during the trial, so nobody knows which spans are its own"
            )
        return self._ledger.count(self._interval)

    def close(self) -> None:
        """Stop receiving. Safe to call twice."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()

    @property
    def _opened(self) -> "Receiver":
        assert self._receiver is not None  # noqa: S101  `open` comes first in a workload's life
        return self._receiver

    def _wait_for_quiet(self, interval: Interval) -> None:
        inbox = self._opened.inbox
        came, now_s = inbox.ended_in(interval), self.clock.now_s()
        quiet_s, latest_s = now_s + _QUIET_S, now_s + _LONGEST_S
        while (now_s := self.clock.now_s()) < quiet_s:
            if now_s >= latest_s:
                raise work_failed(f"its spans still came {_LONGEST_S:g} s after the trial, so some may be missing")
            self.clock.sleep(_POLL_S)
            if (now := inbox.ended_in(interval)) != came:
                came, quiet_s = now, self.clock.now_s() + _QUIET_S


def _past_proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Except us from an environment's proxy: it would get the spans, with prompts and answers, and we would not."""
    if not any(name.lower() in {"http_proxy", "all_proxy"} for name in environ):
        return {}
    direct = [environ[name] for name in ("no_proxy", "NO_PROXY") if environ.get(name)]
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join([*direct[:1], "127.0.0.1"]))
