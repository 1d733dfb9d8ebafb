"""Requests to a model server as a benchmark: what is asked is fixed, what it costs is measured."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from energygate.clock import Clock, SystemClock
from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.workloads.base import WorkDone
from energygate.workloads.dataset import system_digest
from energygate.workloads.inference import bodies
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.conversation import Conversation
from energygate.workloads.inference.elsewhere import Elsewhere
from energygate.workloads.inference.loading import Loading
from energygate.workloads.inference.opening import open_endpoint
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.server import Server

_DYING_S: Final = 1.0  # a broken connection is seen before the process that broke it is gone
_RAMPS: Final = 4  # so many requests for each slot keep a window's ramps below about a quarter of it


class InferenceWorkload:
    """A closed loop of requests to a model. See `energygate.workloads.base.Workload`.

    Parameters
    ----------
    name : str
        The benchmark's.
    server : Server or Elsewhere
        One that this starts and stops, or one that is there already.
    key : str or None
        The API key itself.
    """

    repeatable = True
    needs_calibration = False
    least_warmups = 1  # the first pass differs: an empty prefix cache, compilation, page faults

    def __init__(
        self, plan: Plan, server: Server | Elsewhere, *, name: str, key: str | None = None, clock: Clock | None = None
    ) -> None:
        self.name = name
        self._plan = plan
        self._server = server
        self._http = HttpClient(timeouts=plan.suite.timeouts, key=key)
        self._clock = clock or SystemClock()
        self._talk: Conversation | None = None
        self._is_cold = False
        self._started = ExitStack()

    @property
    def definition(self) -> Mapping[str, object]:
        """What is asked. It holds the prompts: hash it, never store it."""
        return bodies.definition(self._plan.suite, self._plan.requests)

    @property
    def labels(self) -> Mapping[str, str]:
        """Who answers: `model`; `system`, the prompt's digest; and what is known of the server once it has answered."""
        system = {} if self._plan.system is None else {"system": system_digest(self._plan.system)}
        answering = {} if self._talk is None else self._talk.labels
        return {"model": self._plan.suite.endpoint.model, **answering, **system}

    @property
    def notes(self) -> tuple[str, ...]:
        """Who may answer, how its requests had to be sent, and what was odd about its trials."""
        return self._server.notes if self._talk is None else (*self._server.notes, *self._talk.notes)

    @property
    def least_passes(self) -> int:
        """Enough for several requests in each of the slots that are used at once."""
        return math.ceil(_RAMPS * self._plan.suite.load.concurrency / len(self._plan.requests))

    @property
    def pids(self) -> tuple[int, ...] | None:
        """The server that was already running, None if nobody named it."""
        return self._server.pids

    def open(self) -> None:
        """Start the server, check its model, send the first request. Raises WorkloadError."""
        self._started.callback(self._server.stop)
        loading = self._loading()
        self._server.start(self._http)
        opened = loading.outlasted(lambda: open_endpoint(self._plan, self._http, self._url, because=self._because))
        self._talk = Conversation(opened, because=self._because)

    def before(self) -> None:
        """Start a dead server again, once, and send it every request; wait until it is idle.

        Raises
        ------
        WorkloadError
            If it does not come back.
        MeasurementInvalid
            If it does not become idle.
        """
        loading = self._loading()
        if self._server.revived(self._http):
            self._is_cold = True
            self._talking.move(self._url)
        if self._is_cold:
            loading.outlasted(self._warm_again)
            self._is_cold = False
        self._talking.begin()

    def run(self, passes: int) -> None:
        """Send every request `passes` times, in order. A failure ends the run; `after` reports it."""
        self._talking.run(passes)

    def warmed_up(self) -> None:
        """Check the answers of a warm-up. Raises WorkloadError, because trials would fail as it did."""
        self._talking.warmed_up()

    def after(self) -> WorkDone:
        """Count and check the answers of the last `run`.

        Raises
        ------
        MeasurementInvalid
            If the trial does not count.
        WorkloadError
            If no other will, because the server has died again.
        """
        try:
            done = self._talking.count()
        except MeasurementInvalid:
            self._server.death_in_trial()
            raise
        if death := self._server.death_in_trial():
            # All answers are there, but not all of them ours: another server may have taken the port.
            raise MeasurementInvalid(InvalidCode.WORK_FAILED, death)
        return done

    def close(self) -> None:
        """Stop the server, if this started it. Safe to call twice."""
        self._started.close()

    def _warm_again(self) -> None:
        self._talking.begin()
        self._talking.run(1)
        self._talking.warmed_up()

    def _loading(self) -> Loading:
        server = self._plan.suite.server
        return Loading(0.0 if server is None else server.ready.timeout, clock=self._clock)

    @property
    def _url(self) -> str:
        return self._server.url.rstrip("/")

    @property
    def _talking(self) -> Conversation:
        assert self._talk is not None  # noqa: S101  `open` comes first in a workload's life
        return self._talk

    def _because(self, why: str) -> str:
        """Say why a request got no answer: its server's death explains what the client saw."""
        shown, death = self._plan.show(why), self._server.death(patience_s=_DYING_S)
        return f"{shown.removesuffix('.')}: {death}" if death else shown
