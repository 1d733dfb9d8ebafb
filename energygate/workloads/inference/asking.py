"""Sending a suite's requests to its server, with the switches of that server."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from energygate.workloads.inference import bodies
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.exchange import Exchange
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.presets import Preset, Switches

_PATHS = {"chat": "chat/completions", "completions": "completions"}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a plan's requests are sent.

    Attributes
    ----------
    url : str
        The endpoint's, without a final slash.
    """

    plan: Plan
    http: HttpClient
    url: str
    preset: Preset
    switches: Switches
    streamed: bool = False

    def post(self, passes: int) -> Exchange:
        """Send every request so often, in order, as many at once as the suite says."""
        return self._post(self._bodies(passes))

    def post_first(self) -> Exchange:
        """Send the first request alone."""
        return self._post(self._encode()[:1])

    @cached_property
    def encoded(self) -> tuple[bytes, ...]:
        """The bodies of one pass; made before the first window."""
        return self._encode()

    def _bodies(self, passes: int) -> Sequence[bytes]:
        if not (self.preset.renewed and self.switches.cache_off):
            return self.encoded * passes
        # None may be sent twice. Their encoding lies in the window, and is a hundredth of what sending them costs.
        return [body for _ in range(passes) for body in self._encode()]

    def _encode(self) -> tuple[bytes, ...]:
        return tuple(
            bodies.encode(
                self.plan.suite,
                request,
                system=self.plan.system,
                preset=self.preset,
                fixed_output=self.switches.fixed_output,
                cache_off=self.switches.cache_off,
                streamed=self.streamed,
            )
            for request in self.plan.requests
        )

    def _post(self, encoded: Sequence[bytes]) -> Exchange:
        suite = self.plan.suite
        return self.http.post_all(
            f"{self.url}/{_PATHS[suite.endpoint.api]}",
            encoded,
            concurrency=suite.load.concurrency,
            streamed=self.streamed,
        )
