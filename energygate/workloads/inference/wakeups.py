"""How often a stream wakes the client. Each wake-up costs far more than reading what came, and RAPL counts it.

Only the first token's time matters, so after it the kernel is asked to collect some KiB first (SO_RCVLOWAT, see
`man 7 socket`). A connection that its server closes wakes the reader at once: so an answer's end is seen when it comes.
A server that leaves it open after all lets the reader sleep on beside a complete answer, and must be found out: the
first answer is read awake, and of each later one the kernel knows for how long it has lain there.
"""

import asyncio
import select
import socket
import struct
import sys
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

_COLLECTED_BYTES: Final = 4096  # some 16 chunks of one token each
_LONGEST_SLEEP_S: Final = 1.0
_SOON_MS: Final = 100
_LAST_DATA_MS: Final = struct.Struct("=52xI")  # tcpi_last_data_recv in struct tcp_info of linux/tcp.h


class Connection(Protocol):
    """What of a socket is needed."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...  # noqa: D102
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...  # noqa: D102
    def fileno(self) -> int: ...  # noqa: D102


def closes_soon(connection: Connection) -> bool:
    """Whether the server closes it within 0.1 s. Waits so long if it does not: to be asked once, outside a window."""
    return _is_closed(connection, within_ms=_SOON_MS)


def was_left_open(connection: Connection) -> bool:
    """Whether it is still open although nothing has come for 0.1 s. Does not wait."""
    if sys.platform != "linux" or _is_closed(connection, within_ms=0):
        return False
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_MS.size)
    (since_ms,) = _LAST_DATA_MS.unpack(info)
    return bool(since_ms > _SOON_MS)


def _is_closed(connection: Connection, *, within_ms: int) -> bool:
    number = connection.fileno()
    if sys.platform != "linux" or number < 0:  # elsewhere nobody sleeps
        return True
    end = select.poll()
    end.register(number, select.POLLRDHUP)
    return bool(end.poll(within_ms))


class Wakeups:
    """Lets the reader of one connection sleep through small parts; to be used in a `with` around the reading.

    Parameters
    ----------
    connection : Connection or None
        One that its server closes after the answer; None if it may stay open, where every part must wake the reader.
    stall_s : float
        For how long nothing may come. The reader wakes four times in it, lest it take a sleep for a stall.
    """

    def __init__(self, connection: Connection | None, *, stall_s: float) -> None:
        # Elsewhere the option exists, but nothing says that it moves what `select` reports.
        self._connection = connection if sys.platform == "linux" else None
        self._sleep_s = min(stall_s / 4, _LONGEST_SLEEP_S)
        self._look: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._look is not None:
            self._look.cancel()

    def collect(self) -> None:
        """Wake for some KiB or the end, until it is time to look at whatever has come."""
        if self._connection is not None and self._look is None:
            self._wake_from(self._connection, _COLLECTED_BYTES)
            self._look = asyncio.get_running_loop().call_later(self._sleep_s, self._wake_for_anything, self._connection)

    def _wake_for_anything(self, connection: Connection) -> None:
        self._look = None
        self._wake_from(connection, 1)

    @staticmethod
    def _wake_from(connection: Connection, size: int) -> None:
        with suppress(OSError):  # it was lost just now, which the reader is about to be told
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
