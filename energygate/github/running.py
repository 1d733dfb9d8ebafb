"""Running what measures: its output streams through us while it runs, and nothing that it started outlives it."""

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.workloads.process import Output, Process, dying_with_us
from energygate.workloads.text import printable

_CHUNK_BYTES: Final = 65_536
_MOST_CHUNKS: Final = 32  # many times what a pipe holds
_LOOK_MS: Final = 100  # where the kernel cannot tell us at once that a process has ended
# On cancel the runner sends SIGINT, and SIGTERM 7.5 s later: by then all must be tidy.
_TIDY_S: Final = 3.0
_GRACE_S: Final = 1.0


def run_live(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    scratch: Path,
    write: Callable[[bytes], object],
) -> int:
    """Run a command to its end, without input; give its status, negative for a signal.

    Both its streams come by one pipe, which keeps their order. What it left running is ended.

    Parameters
    ----------
    scratch : Path
        A folder of ours, for the pipe.
    write : callable
        Takes what it prints, at once.

    Raises
    ------
    ConfigError
        It cannot be started, or the pipe cannot be made.
    KeyboardInterrupt
        An interrupt came. The command has got it too, and some seconds to tidy up.
    """
    pipe = scratch / "output"
    source = _made(pipe)
    try:
        process = _started(argv, cwd, environ, pipe)
        stream = _Stream(source=source, process=process, write=write)
        try:
            status = stream.until_end()
        except KeyboardInterrupt:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            stream.until_end(timeout_s=_TIDY_S)
            raise
        finally:
            process.stop(_GRACE_S)
            stream.drain()
    finally:
        os.close(source)
        pipe.unlink(missing_ok=True)  # the command may have removed it, and more
    assert status is not None  # noqa: S101  without a timeout there is an end
    return status


def _made(pipe: Path) -> int:
    try:
        os.mkfifo(pipe, 0o600)
        return os.open(pipe, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"Cannot make a pipe in {pipe.parent}: {error.strerror}.",
            why="What the command prints comes by it.",
            fix="Let no command before it remove or lock what is in RUNNER_TEMP.",
        ) from error


def _started(argv: Sequence[str], cwd: Path, environ: Mapping[str, str], pipe: Path) -> Process:
    try:
        output = Output(stdout=pipe, stderr=pipe)
        return Process.start(argv, cwd=cwd, env=environ, output=output, wrap=dying_with_us())
    except OSError as error:
        raise ConfigError(
            f"Cannot start {printable(argv[0])}: {error.strerror}.", fix="Install it, or name another program."
        ) from error


@dataclass(slots=True, kw_only=True)
class _Stream:
    """What a process prints, handed on."""

    source: int
    process: Process
    write: Callable[[bytes], object]
    _is_open: bool = field(default=True, init=False)

    def until_end(self, *, timeout_s: float | None = None) -> int | None:
        """Hand on until the process has ended, and give its status; None if it still runs after `timeout_s`."""
        clock = self.process.clock
        deadline_s = None if timeout_s is None else clock.now_s() + timeout_s
        ended = _end_of(self.process)
        try:
            while (status := self.process.wait(0)) is None:
                left_s = None if deadline_s is None else deadline_s - clock.now_s()
                if left_s is not None and left_s <= 0:
                    return None
                self._hand_on(ended, None if left_s is None else left_s * 1000)
        finally:
            if ended is not None:
                os.close(ended)
        return status

    def drain(self) -> None:
        """Hand on what was printed last."""
        for _ in range(_MOST_CHUNKS):
            if not self._is_open:
                return
            try:
                chunk = os.read(self.source, _CHUNK_BYTES)
            except BlockingIOError:
                return
            self._take(chunk)

    def _hand_on(self, ended: int | None, timeout_ms: float | None) -> None:
        """Wait for more, or for the end."""
        waiting = select.poll()
        if self._is_open:
            waiting.register(self.source, select.POLLIN)
        if ended is None:
            timeout_ms = _LOOK_MS if timeout_ms is None else min(timeout_ms, _LOOK_MS)
        else:
            waiting.register(ended, select.POLLIN)
        if self.source in dict(waiting.poll(timeout_ms)):
            with suppress(BlockingIOError):
                self._take(os.read(self.source, _CHUNK_BYTES))

    def _take(self, chunk: bytes) -> None:
        if chunk:
            self.write(chunk)
        else:
            self._is_open = False


def _end_of(process: Process) -> int | None:
    """A descriptor that can be read once the process has ended; None where the kernel has no such thing."""
    try:
        return os.pidfd_open(process.pid)
    except OSError:
        return None
