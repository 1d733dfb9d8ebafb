"""Requests to a chat server as a benchmark: what is asked is fixed, what it costs is measured."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError
from energygate.workloads import chat
from energygate.workloads.answers import Counted, count_answer, status_sentence
from energygate.workloads.base import WorkDone
from energygate.workloads.dataset import Request, system_digest
from energygate.workloads.equal_work import EqualWork
from energygate.workloads.http import Answered, Exchange, HttpClient
from energygate.workloads.model_check import check_listed, require_model
from energygate.workloads.server import Server
from energygate.workloads.suites import InferenceSuite
from energygate.workloads.tally import Tallied, inference_conditions, total_work
from energygate.workloads.text import Redactor

_DYING_S: Final = 1.0  # a broken connection is seen before the process that broke it is gone


class InferenceWorkload:
    """A closed loop of chat requests. See `energygate.workloads.base.Workload`.

    Parameters
    ----------
    name : str
        The benchmark's.
    folder : Path
        The suite file's.
    requests : tuple of Request
        Sent in this order, once a pass.
    system : str or None
        Precedes each conversation; under test, so it is a label instead of a part of the definition.
    key : str or None
        The API key itself.
    """

    repeatable = True

    def __init__(
        self,
        suite: InferenceSuite,
        *,
        name: str,
        folder: Path,
        requests: tuple[Request, ...],
        system: str | None = None,
        key: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = name
        self._suite = suite
        self._requests = requests
        self._system = system
        prompts = {message.content for request in requests for message in request.messages}
        self._show = Redactor(key, tuple(prompts if system is None else prompts | {system}))
        self._http = HttpClient(timeouts=suite.timeouts, key=key)
        self._server: Server | None = None
        if suite.server is not None:
            url = suite.endpoint.url
            self._server = Server(
                suite.server, name=suite.name, url=url, folder=folder, show=self._show, environ=environ
            )
        self._owner: str | None = None
        self._bodies: tuple[bytes, ...] = ()
        self._equal = EqualWork(tolerance=suite.requests.tolerance)
        self._exchange: Exchange | None = None
        self._passes = 1
        self._started = ExitStack()

    @property
    def definition(self) -> Mapping[str, object]:
        """What is asked. It holds the prompts: hash it, never store it."""
        return chat.definition(self._suite, self._requests)

    @property
    def labels(self) -> Mapping[str, str]:
        """Who answers: `model`; `server` as it names itself, once it has answered; `system`, the prompt's digest."""
        system = None if self._system is None else system_digest(self._system)
        labels = {"model": self._suite.endpoint.model, "server": self._owner, "system": system}
        return {name: value for name, value in labels.items() if value is not None}

    @property
    def pids(self) -> tuple[int, ...] | None:
        """The server that was already running, None if nobody named it; one that this started is our child."""
        pid = self._suite.endpoint.pid
        if pid is None:
            return None if self._server is None else ()
        return (pid,)

    @property
    def server_pid(self) -> int | None:
        """The server that this started, while it runs; it is our child, so it is in no window's `pids`."""
        return self._server.pid if self._server else None

    def open(self) -> None:
        """Start the server, check its model, send the first request. Raises WorkloadError."""
        if self._server is not None:
            self._started.callback(self._server.stop)
            self._server.start(self._http)
        names = {"suite": self._suite.name, "model": self._suite.endpoint.model}
        self._owner = check_listed(self._http, self._url, **names, show=self._show)
        self._bodies = tuple(chat.encode(self._suite, request, system=self._system) for request in self._requests)
        answer = self._probe()
        if answer.model is not None:
            require_model([answer.model], **names, show=self._show)

    def before(self) -> None:
        """Forget the trial before."""
        self._exchange = None

    def run(self, passes: int) -> None:
        """Send every request `passes` times, in order. A failure ends the run; `after` reports it."""
        self._passes = passes
        self._exchange = self._post(self._bodies * passes)

    def after(self) -> WorkDone:
        """Count and check the answers of the last `run`. Raises MeasurementInvalid."""
        if self._exchange is None:
            raise MeasurementInvalid(InvalidCode.WORK_FAILED, "no request was sent")
        exchange, self._exchange = self._exchange, None
        if (missing := exchange.unanswered) is not None:
            where = self._where(missing.position)
            raise MeasurementInvalid(InvalidCode.WORK_FAILED, f"{where}: {self._because(missing.why)}")
        answers = [self._tally(answer) for answer in exchange.answered]
        work = total_work([answer.counted.work for answer in answers])
        self._equal.check(work, passes=self._passes)
        return WorkDone(work=work, conditions={"inference": inference_conditions(answers, exchange)})

    def close(self) -> None:
        """Stop the server, if this started it. Safe to call twice."""
        self._started.close()

    @property
    def _url(self) -> str:
        return (self._server.url if self._server else self._suite.endpoint.url).rstrip("/")

    def _post(self, bodies: Sequence[bytes]) -> Exchange:
        url = f"{self._url}/chat/completions"
        return self._http.post_all(url, bodies, concurrency=self._suite.load.concurrency)

    def _probe(self) -> Counted:
        """Send the first request, so that what is wrong is known before anything is measured."""
        first, name = self._requests[0], self._suite.name
        exchange = self._post(self._bodies[:1])
        if exchange.unanswered is not None:
            raise WorkloadError(f"{name}: {first.origin}: {self._because(exchange.unanswered.why)}.")
        reply = exchange.answered[0].reply
        if reply.status != 200:
            raise WorkloadError(f"{name}: the server refused {first.origin}: {status_sentence(reply, show=self._show)}")
        try:
            return count_answer(reply, first, show=self._show)
        except MeasurementInvalid as fault:
            raise WorkloadError(f"{name}: {first.origin}: {fault.sentence}.") from fault

    def _because(self, why: str) -> str:
        death = self._server and self._server.death(patience_s=_DYING_S)
        return f"{self._show(why)}: {death}" if death else self._show(why)

    def _tally(self, answer: Answered) -> Tallied:
        index = answer.position % len(self._requests)
        try:
            counted = count_answer(answer.reply, self._requests[index], show=self._show)
        except MeasurementInvalid as fault:
            raise MeasurementInvalid(fault.code, f"{self._where(answer.position)}: {fault.sentence}") from fault
        return Tallied(request=index, duration_s=answer.duration_s, counted=counted)

    def _where(self, position: int) -> str:
        count = len(self._requests)
        return f"request {position + 1} of {count * self._passes} ({self._requests[position % count].origin})"
