import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.readiness import NotReady, not_ready
from energygate.workloads.suites import Timeouts


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.statuses.get(self.path, 404))
        self.end_headers()
        self.wfile.write(b"so says the server")

    def log_message(self, *_):
        pass


@contextmanager
def serving(statuses):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.statuses = statuses
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def found(root, path="/health"):
    return not_ready(HttpClient(timeouts=Timeouts()), f"{root}/v1", path=path)


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_a_server_is_ready_that_answers_200_to_its_health_or_where_it_has_none_to_its_list_of_models(path):
    with serving({path: 200}) as root:
        assert found(root) is None


@pytest.mark.parametrize(
    ("path", "statuses", "asked", "status", "mend"),
    [
        ("/ready", {"/v1/models": 200}, "{0}/ready", 404, "Correct server.ready.path"),
        ("/health", {}, "{0}/health or {0}/v1/models", 404, "Correct server.ready.path"),
        ("/health", {"/health": 503}, "{0}/health", 503, "Raise server.ready.timeout"),
    ],
)
def test_what_was_asked_is_named_and_what_would_mend_it(path, statuses, asked, status, mend):
    with serving(statuses) as root:
        state = found(root, path)
    assert state == NotReady(asked=asked.format(root), said=f"{status} so says the server", status=status)
    assert state.mend == mend


def test_a_server_that_listens_nowhere_may_listen_elsewhere():
    with socket.create_server(("127.0.0.1", 0)) as free:
        root = f"http://127.0.0.1:{free.getsockname()[1]}"
    state = found(root)
    assert state == NotReady(asked=f"{root}/health", said="ConnectError: [Errno 111] Connection refused")
    assert state.mend == "Raise server.ready.timeout, let the server listen where endpoint.url says"
