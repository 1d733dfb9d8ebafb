"""The server of one suite: started or shared, waited for, started again once, stopped with everything it started."""

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from energygate.clock import Clock, SystemClock
from energygate.errors import WorkloadError
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.readiness import NotReady, not_ready
from energygate.workloads.inference.server_process import ServerProcess
from energygate.workloads.inference.servers import Servers
from energygate.workloads.suites import ServerSpec
from energygate.workloads.text import Redactor, ended, filled_in

_POLL_S: Final = 0.05
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
    notes : tuple of str
        Nothing that a person should know of it.
    """

    pids: tuple[int, ...] | None = ()
    notes: tuple[str, ...] = ()

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
        """Start it, unless another suite has, and wait until it is ready; a shared one that failed once is not.

        Raises
        ------
        WorkloadError
            If it does not become ready, or did not for another suite.
        """
        if self._is_shared and (earlier := self._process.failure) is not None:
            raise WorkloadError(
                f"{self._name}: the shared server failed before, and is not started again. {ended(earlier.what)}",
                fix=earlier.fix,
            )
        try:
            self._start(http)
        except WorkloadError as failure:
            self._process.failure = failure
            raise

    def _start(self, http: HttpClient) -> None:
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
                f"Its last lines: {ended(self._process.tail())}",
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
            state = not_ready(http, self.url, path=self._spec.ready.path)
            # Also after a 200, which somebody else may have sent: our own child must be alive.
            self._require_alive()
            if state is None:
                return
            waited_s = self._clock.now_s() - started_s
            if waited_s >= limit_s:
                raise self._failed(state)
            if waited_s >= told_s + _TELL_EVERY_S:
                told_s = waited_s - waited_s % _TELL_EVERY_S
                said = self._process.show(state.said)
                self._tell(f"{self._name}: waiting for the server, {told_s:g} s of {limit_s:g} s ({said})")
            self._clock.sleep(_POLL_S)

    def _failed(self, state: NotReady) -> WorkloadError:
        self._process.keep_log()
        last = f"(last: {self._process.show(state.said)}). Its last lines: {self._process.tail()}"
        return WorkloadError(
            f"{self._name}: no 200 on {state.asked} within {self._spec.ready.timeout:g} s {ended(last)}",
            fix=f"{state.mend}, or see its log: {self._process.log}",
        )

    def _require_alive(self) -> None:
        if death := self._process.death():
            raise WorkloadError(
                f"{self._name}: the server {death} before it was ready. Its last lines: {ended(self._process.tail())}",
                fix=f"See its log: {self._process.log}",
            )
