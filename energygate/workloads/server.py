"""A model server that energygate starts, waits for, and stops with everything it started."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from energygate.clock import Clock, SystemClock
from energygate.errors import WorkloadError
from energygate.workloads import address
from energygate.workloads.answers import error_text
from energygate.workloads.http import HttpClient, Unreachable
from energygate.workloads.process import Output, Process, child_environment, log_tail
from energygate.workloads.suites import ServerSpec
from energygate.workloads.text import Redactor, filled_in, printable

_POLL_S: Final = 0.05
_POLL_TIMEOUT_S: Final = 2.0


class Server:
    """One server process and its log.

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
    """

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
    ) -> None:
        self._spec = spec
        self._name = name
        self._template = url
        self._folder = folder
        self._show = show
        self._environ = environ
        self._clock = clock or SystemClock()
        self._process: Process | None = None
        self._log: Path | None = None
        self._keep_log = False
        self.url = url

    @property
    def pid(self) -> int | None:
        """The process id while it is started."""
        return self._process.pid if self._process else None

    def start(self, http: HttpClient) -> None:
        """Start it and wait until it is ready. Raises WorkloadError."""
        values = self._choose_port()
        self.url = filled_in(self._template, values)
        descriptor, log = tempfile.mkstemp(prefix=f"energygate-{self._name}-", suffix=".log")
        os.close(descriptor)
        self._log = Path(log)
        added = {name: filled_in(value, values) for name, value in self._spec.env.items()}
        try:
            self._process = Process.start(
                [filled_in(word, values) for word in self._spec.command],
                cwd=self._folder / self._spec.cwd,
                env=child_environment(self._environ, added),
                output=Output(stdout=self._log, stderr=self._log),
                clock=self._clock,
            )
        except OSError as error:
            raise WorkloadError(
                f"{self._name}: cannot start the server: {printable(str(error.filename))}: {error.strerror}.",
                fix="Correct server.command, server.env or server.cwd, which is relative to the suite file.",
            ) from error
        self._await_ready(http)

    def death(self, *, patience_s: float = 0.0) -> str | None:
        """How the server ended, with its pid; None while it lives. A dying one gets `patience_s` to be gone."""
        if self._process is None:
            return None
        self._process.wait(patience_s)
        death = self._process.death()
        self._keep_log = self._keep_log or death is not None
        return death and f"the server (pid {self._process.pid}) {death}; its log: {self._log}"

    def stop(self) -> None:
        """Stop the whole process group; delete the log unless it explains a failure. Safe to call twice."""
        if self._process is not None:
            self._process.stop(self._spec.stop_grace)
            self._process = None
        if self._log is not None and not self._keep_log:
            self._log.unlink(missing_ok=True)
        self._log = None

    def _choose_port(self) -> Mapping[str, str]:
        host = urlsplit(self._template.replace("{port}", "1")).hostname or "127.0.0.1"
        if "{port}" in self._template:
            port = address.free_port(host)
        else:
            parts = urlsplit(self._template)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            if address.is_taken(host, port):
                # It would answer in our server's place as soon as ours has failed to bind.
                raise WorkloadError(
                    f"{self._name}: port {port} of {host} is taken.",
                    why="Another server would be measured.",
                    fix="Write {port} in endpoint.url and server.command, or stop that server.",
                )
        return {"port": str(port), "python": sys.executable}

    def _await_ready(self, http: HttpClient) -> None:
        deadline_s = self._clock.now_s() + self._spec.ready.timeout
        while True:
            state = self._state(http)
            # Also after a 200, which somebody else may have sent: our own child must be alive.
            self._require_alive()
            if state is None:
                return
            if self._clock.now_s() >= deadline_s:
                self._keep_log = True
                raise WorkloadError(
                    f"{self._name}: no 200 on {self._spec.ready.path} within {self._spec.ready.timeout:g} s "
                    f"(last: {state}). Its last lines: {self._tail()}",
                    fix=f"Raise server.ready.timeout, or see its log: {self._log}",
                )
            self._clock.sleep(_POLL_S)

    def _state(self, http: HttpClient) -> str | None:
        """None if it is ready, else what it said last."""
        parts = urlsplit(self.url)
        health = f"{parts.scheme}://{parts.netloc}{self._spec.ready.path}"
        try:
            reply = http.get(health, timeout_s=_POLL_TIMEOUT_S)
            if reply.status == 404 and self._spec.ready.path == "/health":
                # llama-cpp-python has no /health; its list of models answers as soon as it serves.
                reply = http.get(f"{self.url.rstrip('/')}/models", timeout_s=_POLL_TIMEOUT_S)
        except Unreachable as refusal:
            return str(refusal)
        return None if reply.status == 200 else f"{reply.status} {self._show(error_text(reply.body))}".rstrip()

    def _require_alive(self) -> None:
        if self._process is not None and (death := self._process.death()):
            self._keep_log = True
            raise WorkloadError(
                f"{self._name}: the server {death} before it was ready. Its last lines: {self._tail()}",
                fix=f"See its log: {self._log}",
            )

    def _tail(self) -> str:
        return log_tail(self._log, show=self._show) if self._log else ""
