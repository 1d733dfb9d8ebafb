"""The process of a model server, with its port, its log and the note that lets the next run find it."""

import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from energygate.clock import Clock
from energygate.errors import WorkloadError
from energygate.signals import interrupts_held_back
from energygate.workloads import address
from energygate.workloads.leftovers import Note, temporary_folder
from energygate.workloads.process import Output, Process, child_environment, dying_with_us, log_tail, new_mark
from energygate.workloads.suites import ServerSpec
from energygate.workloads.text import Redactor, filled_in, for_file_name, printable

Key = tuple[bytes, Path, str]
_READ_CHARS: Final = 8192  # far more than is shown
_LOG: Final = logging.getLogger(__name__)


class ServerProcess:
    """One server, started and stopped as often as needed.

    Parameters
    ----------
    name : str
        The suite's, for messages and the names of files.
    url : str
        The endpoint's, where ``{port}`` may stand for a free port.
    folder : Path
        The suite file's, to which `spec.cwd` is relative.

    Attributes
    ----------
    redactors : list of Redactor
        Those of all suites that ask this server, because its log may hold the prompts of each.
    failure : WorkloadError or None
        Why it did not become ready for a suite: it would not for another.
    """

    def __init__(
        self, spec: ServerSpec, *, name: str, url: str, folder: Path, environ: Mapping[str, str], clock: Clock
    ) -> None:
        self._spec = spec
        self._name = name
        self._template = url
        self._folder = folder
        self._environ = environ
        self._clock = clock
        self._process: Process | None = None
        self._note: Note | None = None
        self._keep_log = False
        self.log: Path | None = None
        self.values: Mapping[str, str] = {}
        self.redactors: list[Redactor] = []
        self.failure: WorkloadError | None = None

    @property
    def key(self) -> Key:
        """Equal for the same server: one `server` block, one folder, one address."""
        spec = msgspec.json.encode(self._spec, order="sorted")
        return spec, self._folder.resolve(), urlsplit(self._template).netloc

    @property
    def pid(self) -> int | None:
        """The process id while it is started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it. Raises WorkloadError."""
        self.values = {"port": str(self._choose_port()), "python": sys.executable}
        mark = new_mark()
        log = self._open_log(mark)
        added = {name: filled_in(value, self.values) for name, value in self._spec.env.items()}
        try:
            with interrupts_held_back():  # what is starting would be nobody's
                self._process = Process.start(
                    [filled_in(word, self.values) for word in self._spec.command],
                    cwd=self._folder / self._spec.cwd,
                    env=child_environment(self._environ, added),
                    output=Output(stdout=log, stderr=log),
                    clock=self._clock,
                    mark=mark,
                    wrap=dying_with_us(),
                )
        except OSError as error:
            raise WorkloadError(
                f"{self._name}: cannot start the server: {printable(str(error.filename))}: {error.strerror}.",
                fix="Correct server.command, server.env or server.cwd, which is relative to the suite file.",
            ) from error
        if self._note is not None:
            self._note.add_leader(self._process.pid)

    def death(self, *, patience_s: float = 0.0) -> str | None:
        """How it ended, which is a reason to keep its log; None while it lives. A dying one gets `patience_s`."""
        if self._process is None:
            return None
        self._process.wait(patience_s)
        death = self._process.death()
        if death is not None:
            self.keep_log()
        return death

    def keep_log(self) -> None:
        """Leave the log of this start where it is: it explains a failure."""
        self._keep_log = True

    def tail(self) -> str:
        """Give the log's last lines, fit to be shown."""
        return log_tail(self.log, hide=self._hide) if self.log else ""

    def show(self, text: str) -> str:
        """Make what the server said fit to be shown."""
        for redactor in self.redactors:
            text = redactor.without_key(text)
        return printable(self._hide(text[:_READ_CHARS]))

    def _hide(self, text: str) -> str:
        for redactor in self.redactors:
            text = redactor.hidden(text)
        return text

    def stop(self) -> None:
        """Stop it with all its descendants; delete the log unless it is kept. Safe to call twice."""
        with interrupts_held_back():  # they would leave the note and the log
            self._stop()

    def _stop(self) -> None:
        stopped_port: int | None = None
        if self._process is not None:
            self._process.stop(self._spec.stop_grace)
            self._process = None
            stopped_port = int(self.values["port"])
        if self._note is not None:
            self._note.remove()
            self._note = None
        if self.log is not None and not self._keep_log:
            self.log.unlink(missing_ok=True)
        self.log, self._keep_log = None, False
        if stopped_port is not None:
            self._warn_of(stopped_port)

    def _choose_port(self) -> int:
        if "{port}" in self._template:
            return address.free_port(self._host)
        port = self._fixed_port
        if address.is_taken(self._host, port):
            # It would answer in our server's place as soon as ours has failed to bind.
            raise WorkloadError(
                f"{self._name}: port {port} of {self._host} is taken.",
                why="Another server would be measured.",
                fix="Write {port} in endpoint.url and server.command, or stop that server.",
            )
        return port

    @property
    def _host(self) -> str:
        return urlsplit(self._template.replace("{port}", "1")).hostname or "127.0.0.1"

    @property
    def _fixed_port(self) -> int:
        parts = urlsplit(self._template)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def _open_log(self, mark: str) -> Path:
        """Make the log, and the note beside it."""
        folder = temporary_folder()
        prefix = f"energygate-{for_file_name(self._name)}-"
        try:
            descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".log", dir=folder)
            os.close(descriptor)
            self.log = Path(name)
            self._note = Note(self.log, name=self._name, mark=mark).write()
        except OSError as error:
            raise WorkloadError(
                f"{self._name}: cannot write the server's log in {folder}: {error.strerror}.",
                fix="Make room there, or let TMPDIR name a folder that this user may write.",
            ) from error
        return self.log

    def _warn_of(self, port: int) -> None:
        try:
            is_taken = address.is_taken(self._host, port)
        except OSError as error:
            _LOG.warning("%s: nobody knows whether port %s is free again: %s", self._name, port, error)
            return
        if is_taken:
            _LOG.warning(
                "%s: port %s of %s is still taken after its server was stopped. What listens there uses energy that "
                "later trials will be charged with.",
                self._name, port, self._host,
            )  # fmt: skip
