"""The transport of GitHub's answers: none may take for ever, however its bytes come.

A timeout of requests counts from one byte to the next, so a server that sends a byte now and then is waited for without
end. Here a whole request has a deadline, which each read from the connection obeys, of headers as of the body.
"""

import errno
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPResponse
from socket import socket
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

WITHIN_S: Final = 20.0  # two that are late, and what is waited between them, make less than a minute


@dataclass(slots=True, kw_only=True)
class Deadline:
    """Until when the request that is made now is to be answered in full, redirects included.

    Parameters
    ----------
    within_s : float
        From its begin.
    now_s : callable
        Monotonic seconds.
    """

    within_s: float = WITHIN_S
    now_s: Callable[[], float] = monotonic
    _end_s: float = field(default=float("inf"), init=False)

    def begin(self) -> None:
        """Begin a request."""
        self._end_s = self.now_s() + self.within_s

    def left_s(self) -> float:
        """Give what is left of it. Raises TimeoutError where nothing is."""
        left_s = self._end_s - self.now_s()
        if left_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, f"no whole answer within {self.within_s:g} s")
        return left_s


class DeadlineAdapter(HTTPAdapter):
    """Reads all answers before a deadline, those of a proxy too."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        """Make the connections that go to the server itself."""
        super().init_poolmanager(*sizes, **options)
        self._use(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Give the connections that go by a proxy."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            self._use(manager)
        return manager

    def _use(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme.items()
        manager.pool_classes_by_scheme = {scheme: _timed(pool, self._deadline) for scheme, pool in pools}


def _timed(pool: Any, deadline: Deadline) -> type:
    """Give a class of connection pools whose connections read before the deadline."""
    read = {"response_class": staticmethod(partial(TimedResponse, deadline=deadline))}
    connection = type(pool.ConnectionCls.__name__, (pool.ConnectionCls,), read)
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class TimedResponse(HTTPResponse):
    """An answer that is read before a deadline."""

    def __init__(self, sock: socket, *arguments: Any, deadline: Deadline, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp: io.BufferedReader = io.BufferedReader(_TimedStream(self.fp.detach(), sock, deadline))


class _TimedStream(io.RawIOBase):
    """A connection's stream: each read waits as long as the connection's own timeout lets it, or less."""

    def __init__(self, stream: io.RawIOBase, sock: socket, deadline: Deadline) -> None:
        self._stream = stream
        self._sock = sock
        self._deadline = deadline
        self._silence_s = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        left_s = self._deadline.left_s()
        self._sock.settimeout(left_s if self._silence_s is None else min(self._silence_s, left_s))
        try:
            return self._stream.readinto(buffer)
        except TimeoutError:
            self._deadline.left_s()  # which says so, if it was not silence alone
            raise

    def close(self) -> None:
        self._stream.close()
        super().close()
