"""A deadline for the whole of a request, from the first header on.

An HTTP client's own deadlines are for one read each: a server that sends a byte now and then meets them for ever.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

_CONNECTED: Final = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


class Deadline:
    """Shuts the connection of a request that is not over in time; whoever reads from it then sees it end.

    Attributes
    ----------
    passed : bool
        Whether the last request was not over in time.
    """

    def __init__(self) -> None:
        self.passed = False
        self._stream: Any = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Give what is inside so many seconds. Its timer is gone when this ends."""
        self.passed = False
        timer = threading.Timer(seconds, self._pass)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Learn of a new connection: httpx calls this where it is the `trace` of a request."""
        if event in _CONNECTED:
            self._stream = info["return_value"]
            if self.passed:  # while it was being connected
                self._shut()

    def _pass(self) -> None:
        self.passed = True
        self._shut()

    def _shut(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # it is closed already
                # Not the method of an SSLSocket, which forgets its TLS while another thread reads from it.
                socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)
