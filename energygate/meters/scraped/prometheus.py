"""Counters that only an exporter can read, as a Prometheus server has scraped them: `prometheus`.

A window waits at both ends for new samples: before it for quiet ones, which tell the idle power, and after it for one
that counts all of it. What is asked for are the samples themselves: `increase` extrapolates, and values at a moment are
as old as the last scrape.
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import msgspec

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Hardware, Measured, Reading, Window
from energygate.meters.opening import Opening
from energygate.meters.options import PrometheusOptions
from energygate.meters.scraped.api import TOKEN, PrometheusApi, Transport
from energygate.meters.scraped.clock import ServerClock, compare_clocks, refuse_steps
from energygate.meters.scraped.scrapes import QUIET, Samples, Span, Unscrapable
from energygate.meters.scraped.series import Learned, learn, samples_of_all
from energygate.meters.scraped.source import Labels
from energygate.meters.scraped.sources import preset_of
from energygate.model import MeterKind
from energygate.units import format_quantity

_PATIENCE_S: Final = 2.0  # beside a number of refresh intervals
_NOTHING: Final = Learned((), ())


def _wall_clock_s() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


@dataclass(frozen=True, slots=True)
class _Quiet:
    """Since when no work runs, by the server's clock, and that clock."""

    since_s: float
    server: ServerClock


class Prometheus:
    """Energy of the domains that an exporter counts.

    Parameters
    ----------
    environ : mapping, optional
        `ENERGYGATE_PROMETHEUS_TOKEN` is sent as a bearer token.
    clock, sleep, now : callable
        Monotonic seconds; waits for seconds; seconds since 1970, to compare with the server's.
    transport : Transport, optional
        What carries the questions to the server.
    timeout_s : float
        How long an answer may take.
    """

    name = "prometheus"
    kind: MeterKind = "scraped"

    def __init__(
        self,
        options: PrometheusOptions,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = _wall_clock_s,
        transport: Transport | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._options = options
        self._environ = environ or {}
        self._clock = clock
        self._sleep = sleep
        self._now = now
        self._transport = transport
        self._timeout_s = timeout_s
        self._prompt = preset_of(options).prompt
        self._resources = ExitStack()
        self._opening = Opening()
        self._api: PrometheusApi | None = None
        self._learned = _NOTHING

    @property
    def domains(self) -> tuple[Domain, ...]:
        """`package-0`, `dram-0`, `gpu-0`: as the exporter numbers them."""
        return self._learned.domains(min_scrapes=self._options.min_scrapes)

    @property
    def constants(self) -> Mapping[str, object]:
        """The preset; of a custom one also its counters."""
        constants: dict[str, object] = {"preset": self._options.preset}
        if self._options.domains:
            constants["domains"] = msgspec.to_builtins(self._options.domains)
        return constants

    @property
    def hardware(self) -> Hardware:
        """Nothing that the machine does not say itself."""
        return Hardware()

    @property
    def notes(self) -> tuple[str, ...]:
        """Which counters were left out."""
        return self._learned.notes

    def open(self) -> None:
        """Find the counters, learn how often they are refreshed. Raises MeterUnavailable."""
        self.close()
        with ExitStack() as resources:
            try:
                self._api = self._connect()
                resources.callback(self._api.close)
                server = self._compare_clocks()
                self._learned = learn(self._options, self._api, until_s=self._clock() + server.ahead_s)
            except Unscrapable as refusal:
                raise MeterUnavailable(
                    refusal.what, why="Without its samples the energy is unknown.", fix=refusal.fix
                ) from refusal
            self._resources = resources.pop_all()

    def begin(self, window: Window) -> Reading:
        """Wait for three new samples without work between them: that is the start."""
        before: _Quiet | Unscrapable
        try:
            before = self._settle()
        except Unscrapable as refusal:  # kept for the end: a window that begins must end
            before = refusal
        return Reading(window, self._clock(), before=before, opening=self._opening)

    def end(self, start: Reading) -> Measured:
        """Wait for a sample that counts the whole window: joules by domain since `start`. Raises MeasurementInvalid."""
        ended_s = self._clock()
        self._opening.require_whole(start)
        try:
            if isinstance(start.before, Unscrapable):
                raise start.before
            return self._tell(self._wait_for_the_end(start, start.before, ended_s))
        except Unscrapable as refusal:
            raise MeasurementInvalid(InvalidCode.SCRAPES, str(refusal)) from refusal

    def close(self) -> None:
        """Close the connection."""
        self._resources.close()
        self._api = None
        self._opening = Opening()

    def _connect(self) -> PrometheusApi:
        return PrometheusApi(
            self._options.url,
            token=self._environ.get(TOKEN),
            timeout_s=self._timeout_s,
            transport=self._transport,
        )

    @property
    def _connected(self) -> PrometheusApi:
        if self._api is None:
            raise Unscrapable("The meter is closed.", fix="Open it before a window begins.")
        return self._api

    def _compare_clocks(self) -> ServerClock:
        return compare_clocks(self._connected.now_s, clock=self._clock, now=self._now)

    @property
    def _refresh_s(self) -> float:
        return max(each.rhythm.refresh_s for each in self._learned.watched)

    def _settle(self) -> _Quiet:
        """Wait until each series has three changes of which each counts everything until now."""
        server = self._compare_clocks()
        since_s = self._clock() + server.ahead_s + server.error_s
        self._wait(
            lambda samples: samples.quiet(since_s, prompt=self._prompt) >= QUIET,
            server=server,
            since_s=since_s,
            patience_s=2 * QUIET * self._refresh_s + _PATIENCE_S,
            lacking=f"fewer than {QUIET} new samples before the window",
        )
        return _Quiet(since_s, server)

    def _wait_for_the_end(self, start: Reading, quiet: _Quiet, ended_s: float) -> Span:
        """Wait until each series has a change that counts the whole window."""
        server, duration_s = self._compare_clocks(), ended_s - start.at_s
        refuse_steps(quiet.server, server, duration_s=duration_s)
        end_s = ended_s + server.ahead_s + server.error_s
        self._wait(
            lambda samples: samples.at_or_after(end_s, prompt=self._prompt) is not None,
            server=server,
            since_s=end_s,
            patience_s=3 * self._refresh_s + _PATIENCE_S,
            lacking="no new sample after the end of the window",
        )
        return Span(
            quiet_s=quiet.since_s,
            start_s=start.at_s + quiet.server.ahead_s - quiet.server.error_s,
            end_s=end_s,
            now_s=self._clock() + server.ahead_s,
            duration_s=duration_s,
        )

    def _tell(self, span: Span) -> Measured:
        """Joules by domain. A window that is too short is told too: how much longer it must be follows from it."""
        found = self._samples(since_s=span.quiet_s, until_s=span.now_s)
        short = self._too_short(span.duration_s)
        energy_j = {}
        for shares in self._learned.by_domain:
            domain = shares[0].source.domain
            told_j = sum(each.used_j(found, span) for each in shares)
            if told_j < 0 and short is None:
                raise Unscrapable(
                    f"{domain} used less in the window than while it was quiet before.",
                    fix="Let nothing else run before a trial: trials.cooldown waits for what the last one left.",
                )
            energy_j[domain] = max(told_j, 0.0)
        return Measured(energy_j, fault=short)

    def _too_short(self, duration_s: float) -> MeasurementInvalid | None:
        needed_s = self._options.min_scrapes * self._refresh_s
        if duration_s >= needed_s:
            return None
        return MeasurementInvalid(
            InvalidCode.SCRAPES,
            f"The window was {format_quantity(duration_s, 's')} long and needs {format_quantity(needed_s, 's')}: "
            f"{self._options.min_scrapes} refreshes, one every {format_quantity(self._refresh_s, 's')} "
            "(prometheus.min_scrapes). Repeat the work, or let it be scraped more often.",
        )

    def _wait(
        self,
        enough: Callable[[Samples], bool],
        *,
        server: ServerClock,
        since_s: float,
        patience_s: float,
        lacking: str,
    ) -> None:
        """Ask for samples whenever the next is due, until each series has enough. Raises Unscrapable."""
        gives_up_s = self._clock() + patience_s
        while True:
            now_s = self._clock() + server.ahead_s
            found = self._samples(since_s=since_s, until_s=now_s)
            poor = [each for each in self._learned.watched if not each.has(found, enough)]
            if not poor:
                return
            if self._clock() >= gives_up_s:
                raise Unscrapable(
                    f"{poor[0].source.text} has {lacking}, after {format_quantity(patience_s, 's')}.",
                    fix="Look whether its target is up, and how often it is scraped.",
                )
            self._sleep(max(poor[0].due_s(found, now_s), 0.01))

    def _samples(self, *, since_s: float, until_s: float) -> dict[Labels, Samples]:
        """Samples since `since_s`, and enough before it that the first one after it can be compared with another."""
        rhythms = [each.rhythm for each in self._learned.watched]
        margin_s = max(rhythm.longest_gap_s + rhythm.scrape_s for rhythm in rhythms)
        return samples_of_all(
            self._options,
            self._connected,
            [each.source for each in self._learned.watched],
            until_s=until_s,
            span_s=until_s - since_s + margin_s,
        )
