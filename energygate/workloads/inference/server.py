"""The server of one suite: started or shared, waited for, started again once, stopped with everything it started."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from energygate.clock import Clock, SystemClock
from energygate.errors import WorkloadError
from energygate.workloads.inference.answers import error_text
from energygate.workloads.inference.client import HttpClient, Unreachable
from energygate.workloads.inference.server_process import ServerProcess
from energygate.workloads.inference.servers import Servers
from energygate.workloads.suites import ServerSpec
from energygate.workloads.text import Redactor, filled_in

_POLL_S: Final = 0.05
_POLL_TIMEOUT_S: Final = 2.0
_TELL_EVERY_S: Final = 10.0
_LOG: Final = logging.getLogger(__name__)


class Server:
    """What a suite sees of its server.

    Parameters
    ----------
    name : str
        The suite's, for messages.
    url : str
        The endpoint's, where ``{port}`` may stand for a free port.
    folder : Path
        The suite file's, to which `spec.cwd` is relative.
    show : Redactor
        Makes the server's lines fit to be shown.
    servers : Servers, optional
        The run's, which keeps the process for the next suite if `spec.reuse` is set. Without it nothing is shared.
    tell : callable, optional
        Takes a line for the user about a wait that is long.

    Attributes
    ----------
    url : str
        The endpoint's, with its port. A start may change it.
    pids : tuple of int
        Processes of it outside our tree: none, because it is our child.
    """

    pids: tuple[int, ...] | None = ()

    def __init__(
        self,
        spec: ServerSpec,
        *,
        name: str,
        url: str,
        folder: Path,
        show: Redactor,
        environ: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        servers: Servers | None = None,
        tell: Callable[[str], None] = _LOG.info,
    ) -> None:
        self._spec = spec
        self._name = name
        self._template = url
        self._show = show
        self._clock = clock or SystemClock()
        self._tell = tell
        self._is_shared = False
        self._process = ServerProcess(spec, name=name, url=url, folder=folder, environ=environ, clock=self._clock)
        if spec.reuse and servers is not None:
            self._is_shared = True
            self._process = servers.shared(self._process)
        self._is_ready = False
        self._was_restarted = False
        self.url = url

    @property
    def pid(self) -> int | None:
        """The process id while it is started."""
        return self._process.pid

    def start(self, http: HttpClient) -> None:
        """Start it, unless another suite has, and wait until it is ready. Raises WorkloadError."""
        if self._show not in self._process.redactors:
            self._process.redactors.append(self._show)
        if (death := self._process.death()) is not None:
            self._tell(f"{self._name}: the shared server {death}, its log: {self._process.log}. It is started again.")
            self._process.stop()
        if self._process.pid is None:
            self._process.start()
        self.url = filled_in(self._template, self._process.values)
        self._await_ready(http)
        self._is_ready = True

    def death(self, *, patience_s: float = 0.0) -> str | None:
        """How the server ended, with its pid; None while it lives. A dying one gets `patience_s` to be gone."""
        death = self._process.death(patience_s=patience_s)
        return death and f"the server (pid {self._process.pid}) {death}; its log: {self._process.log}"

    def restart(self, http: HttpClient) -> None:
        """Start it again after its death, once in a benchmark; `url` may be another one then.

        Raises
        ------
        WorkloadError
            If it has died before, or does not get ready.
        """
        self._require_first_death()
        self._was_restarted = True
        self._is_ready = False
        self._process.stop()
        self.start(http)

    def revived(self, http: HttpClient) -> bool:
        """Start it again if it has died, and say whether it had. Raises WorkloadError as `restart` does."""
        if self.death() is None:
            return False
        self.restart(http)
        return True

    def death_in_trial(self) -> str | None:
        """How it ended, if it did. Raises WorkloadError if it had been started again before: no trial is left."""
        death = self.death()
        if death is not None:
            self._require_first_death()
        return death

    def _require_first_death(self) -> None:
        if self._was_restarted:
            raise WorkloadError(
                f"{self._name}: the server {self._process.death()}, after it had been started again. "
                f"Its last lines: {self._process.tail()}",
                fix=f"See its log: {self._process.log}",
            )

    def stop(self) -> None:
        """Stop it with all its descendants, unless the run keeps it for other suites. Safe to call twice."""
        if not (self._is_shared and self._is_ready):
            self._process.stop()

    def _await_ready(self, http: HttpClient) -> None:
        started_s = self._clock.now_s()
        limit_s, told_s = self._spec.ready.timeout, 0.0
        while True:
            state = self._state(http)
            # Also after a 200, which somebody else may have sent: our own child must be alive.
            self._require_alive()
            if state is None:
                return
            waited_s = self._clock.now_s() - started_s
            if waited_s >= limit_s:
                raise self._not_ready(state)
            if waited_s >= told_s + _TELL_EVERY_S:
                told_s = waited_s - waited_s % _TELL_EVERY_S
                self._tell(
                    f"{self._name}: waiting for the server, {told_s:g} s of {limit_s:g} s ({self._process.show(state)})"
                )
            self._clock.sleep(_POLL_S)

    def _state(self, http: HttpClient) -> str | None:
        """None if it is ready, else what it said last, which nobody has made fit to be shown."""
        parts = urlsplit(self.url)
        health = f"{parts.scheme}://{parts.netloc}{self._spec.ready.path}"
        try:
            reply = http.get(health, timeout_s=_POLL_TIMEOUT_S)
            if reply.status == 404 and self._spec.ready.path == "/health":
                # llama-cpp-python has no /health; its list of models answers as soon as it serves.
                reply = http.get(f"{self.url.rstrip('/')}/models", timeout_s=_POLL_TIMEOUT_S)
        except Unreachable as refusal:
            return str(refusal)
        return None if reply.status == 200 else f"{reply.status} {error_text(reply.body)}"

    def _not_ready(self, state: str) -> WorkloadError:
        self._process.keep_log()
        return WorkloadError(
            f"{self._name}: no 200 on {self._spec.ready.path} within {self._spec.ready.timeout:g} s "
            f"(last: {self._process.show(state)}). Its last lines: {self._process.tail()}",
            fix=f"Raise server.ready.timeout, or see its log: {self._process.log}",
        )

    def _require_alive(self) -> None:
        if death := self._process.death():
            raise WorkloadError(
                f"{self._name}: the server {death} before it was ready. Its last lines: {self._process.tail()}",
                fix=f"See its log: {self._process.log}",
            )
