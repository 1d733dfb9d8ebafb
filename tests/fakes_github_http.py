"""A web server on loopback over one function, which may also leave a client without an answer."""

import json
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """By names in lower case; one that came more than once has all its values, with commas between."""
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters."""
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        """The body as a JSON value; None without a body."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent instead of `json`."""
    ending: str = "sent"
    """`reset`: the connection is torn down instead. `withheld`: nothing is sent until the server closes."""

    @property
    def body(self) -> bytes:
        """The bytes of the answer."""
        if self.raw is not None:
            return self.raw
        return b"" if self.json is None else json.dumps(self.json).encode()


class Loopback(ThreadingHTTPServer):
    """Serve what `answer` gives for a request, each in a thread of its own, until `close`.

    Attributes
    ----------
    broken : list of str
        Tracebacks of `answer`.
    """

    daemon_threads = False  # server_close waits for them

    def __init__(self, answer, port=0):
        self.answer = answer
        self.broken = []
        self.closing = threading.Event()
        self.turn = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        # A daemon: a test that skips or fails before it closes this must not keep pytest from ending.
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self):
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def close(self):
        """Let go of every client that waits, and stop."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def shutdown_request(self, request):
        """Close without the polite end of a connection, so that one with SO_LINGER 0 is reset."""
        self.close_request(request)

    def handle_error(self, request, client_address):
        """Keep what broke; a client that went away breaks nothing."""
        if not isinstance(sys.exception(), ConnectionError):
            self.broken.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    """Reads a request and sends its answer; HTTP/1.0, so each connection carries one."""

    def serve(self):
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): ", ".join(self.headers.get_all(name)) for name in self.headers}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        with self.server.turn:  # GitHub's description is read into one cache, and a client may ask again meanwhile
            answer = self.server.answer(request)
        if answer.ending == "withheld":
            self.server.closing.wait()
        if answer.ending != "sent":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = serve  # noqa: N815 (names of the standard library)

    def log_message(self, *_):
        """Nothing: what was asked stands in the fake's own record."""
