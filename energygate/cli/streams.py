"""Standard streams that never decide how a verdict ends.

A reader that goes early (`| head`), a full disk behind stdout, a terminal that speaks ASCII, a stream that is closed:
none of them may turn a verdict into a traceback, or into the exit code of another verdict.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from energygate.encoding import PLAINLY, plainly


class Unfailing(io.BufferedWriter):
    """A buffer whose writes always seem to succeed; the first that did not is kept.

    What is below it is Python's own: a buffer that is told of a write by a method of ours would be told nothing by one
    that an interrupt ends right after it, and would write the same again.
    """

    failure: OSError | None = None

    def write(self, chunk: Any, /) -> int:
        """Write; what nobody reads any more, or nothing holds, is dropped."""
        with self._dropping():
            super().write(chunk)
        return len(chunk)

    def flush(self) -> None:
        """Write what is held back, likewise."""
        with self._dropping():
            super().flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """Let nothing fail from the first failure on."""
        os.set_blocking(self.fileno(), True)  # another process may have made the pipe otherwise
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class Streams:
    """stdout and stderr of this process, made unfailing.

    Attributes
    ----------
    lost : OSError or None
        Why results could not be written; None where they were, and where their reader did not want more of them.
    """

    def __init__(self) -> None:
        self._out, sys.stdout = unfailing(sys.stdout, 1)
        _, sys.stderr = unfailing(sys.stderr, 2)

    @property
    def lost(self) -> OSError | None:
        """Why results are missing."""
        sys.stdout.flush()
        failure = self._out.failure
        return None if failure is None or failure.errno == errno.EPIPE else failure


def unfailing(stream: IO[str] | None, descriptor: int) -> tuple[Unfailing, io.TextIOWrapper]:
    """Give a stream that writes where this one did; where there is none, nowhere."""
    codecs.register_error(PLAINLY, plainly)
    if stream is None:  # it was closed: its number would go to the next file that is opened
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    else:
        stream.flush()
    buffer = Unfailing(io.FileIO(descriptor, "w", closefd=False))
    text = io.TextIOWrapper(
        buffer,
        encoding=getattr(stream, "encoding", None) or "utf-8",
        errors=PLAINLY,
        line_buffering=buffer.isatty() or descriptor == 2,
        newline="\n",
    )
    return buffer, text
