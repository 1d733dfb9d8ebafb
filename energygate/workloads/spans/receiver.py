"""An OTLP receiver over HTTP, on a free port of this machine alone."""

import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from energygate.workloads.spans.body import Refused, read_body
from energygate.workloads.spans.decode import NotAnExport, spans_of
from energygate.workloads.spans.inbox import Inbox

_TRACES: Final = "/v1/traces"
_IGNORED: Final = frozenset({"/v1/metrics", "/v1/logs"})
_PROTOBUF: Final = "application/x-protobuf"


class Receiver:
    """Listens from the moment it is made until `close`.

    Attributes
    ----------
    inbox : Inbox
        What has come.
    url : str
        For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    """

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._server = _Server(self.inbox)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="energygate-spans", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """One thread a connection, since exporters of several processes may send at once."""

    daemon_threads = True

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whatever went wrong with a connection: a span may be missing, so the trial must know."""
        error = sys.exc_info()[1]
        self.inbox.refuse(f"a connection failed: {type(error).__name__}")
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # for chunks; no connection is kept, though: none may outlive its answer
    timeout = 10.0
    server: _Server

    def do_POST(self) -> None:
        """Take an export."""
        try:
            path, body = self._path(), self._body()
            if path == _TRACES:
                self.server.inbox.put(spans_of(body))
        except NotAnExport as fault:
            self._refuse(HTTPStatus.BAD_REQUEST, str(fault))
        except Refused as refusal:
            self._refuse(refusal.status, str(refusal))
        else:
            self._answer(HTTPStatus.OK)

    def log_message(self, *_: Any) -> None:
        """Log nothing: a request line is not ours to show."""

    def _path(self) -> str:
        path = self.path.partition("?")[0]
        if path not in _IGNORED | {_TRACES}:
            raise Refused(HTTPStatus.NOT_FOUND, f"it was sent to another path than {_TRACES}")
        return path

    def _body(self) -> bytes:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        body = read_body(self.headers, self.rfile)
        if kind != _PROTOBUF:
            shown = "JSON" if kind == "application/json" else "another content type"
            why = f"it is {shown}, not {_PROTOBUF}; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
        return body

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.server.inbox.refuse(f"HTTP {status.value}, {why}")
        self._answer(status)

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _PROTOBUF)
        self.send_header("Content-Length", "0")  # which is what an empty response message is encoded as
        self.send_header("Connection", "close")
        self.end_headers()
