"""The HTTP client: questions to a server outside a window, and a closed loop of requests inside it.

No connection is kept alive: llama.cpp closes after an answer though it announces keep-alive, and a pooled
connection then fails some requests. No deadline of httpx but the one for connecting: comment lines would move it, and
a slow model is no fault until one of `timeouts` is over.
"""

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Final

import httpx

from energygate.workloads.inference.exchange import Answered, Exchange, Reply, Unanswered
from energygate.workloads.inference.interruptible import run
from energygate.workloads.inference.patience import Patience
from energygate.workloads.inference.sse import Events
from energygate.workloads.inference.stream import Streamed
from energygate.workloads.inference.wakeups import Connection, Wakeups, closes_soon, was_left_open
from energygate.workloads.suites import Timeouts
from energygate.workloads.text import printable

_MIB: Final = 2**20
_MAX_ASKED_BYTES: Final = _MIB  # a list of models is far shorter
_MAX_ANSWER_BYTES: Final = 64 * _MIB
_SHOWN_CHARS: Final = 40
# A server that closes the connection itself lets a stream's reader sleep, see `wakeups`; packing would cost energy.
_HEADERS: Final = {"Content-Type": "application/json", "Connection": "close", "Accept-Encoding": "identity"}

_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody


class Unreachable(Exception):  # noqa: N818  reads as the state it is
    """No answer came; the text says why. Whoever asks makes an error of it that names the suite."""


class Encoded(Unreachable):
    """What came is packed, so it is not read: nothing says how large it would become."""

    def __init__(self, answer: httpx.Response) -> None:
        encoding = printable(answer.headers["content-encoding"], limit=_SHOWN_CHARS)
        super().__init__(
            f"the answer's Content-Encoding is {encoding!r}, though none was asked for: switch compression off in the "
            "server, or in the proxy before it"
        )


class _TooLarge(Exception):  # noqa: N818  ends one reply
    """A reply is larger than any answer."""


class _Stop(Exception):  # noqa: N818  no error: it ends the other workers
    """One request has failed, so the trial is over."""


class HttpClient:
    """Speaks to one server.

    Parameters
    ----------
    key : str or None
        Sent as a bearer token, and shown nowhere.
    """

    def __init__(self, *, timeouts: Timeouts, key: str | None = None) -> None:
        self._timeouts = timeouts
        self._headers = _HEADERS | ({"Authorization": f"Bearer {key}"} if key else {})
        self._closes_at_once: bool | None = None  # whether the server does so after each stream; None before the first
        self._begun: list[Streamed] = []  # the streams of the loop that runs, or was the last to run

    def get(self, url: str, *, timeout_s: float) -> Reply:
        """Ask once, for at most `timeout_s` in all. A body beyond 1 MiB is cut off. Raises Unreachable, Encoded."""
        try:
            return run(self._ask(url, timeout_s=timeout_s))
        except TimeoutError as error:
            raise Unreachable("ReadTimeout: timed out") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(_described(error)) from error

    def post_all(self, url: str, bodies: Sequence[bytes], *, concurrency: int, streamed: bool) -> Exchange:
        """Send every body, `concurrency` at a time, in order; stop at the first failure. Never retries.

        Parameters
        ----------
        streamed : bool
            Whether the bodies ask for a stream. A server that answers with one body all the same is read to its end.
        """
        return run(self._closed_loop(url, bodies, concurrency=concurrency, streamed=streamed))

    async def _ask(self, url: str, *, timeout_s: float) -> Reply:
        # httpx's own deadlines are for one read each: a server that sends a byte now and then meets them for ever.
        async with (
            asyncio.timeout(timeout_s),
            self._client(url, 1, connect_s=timeout_s) as client,
            client.stream("GET", url) as answer,
        ):
            _require_plain(answer)
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) >= _MAX_ASKED_BYTES:
                    break
            return _reply(answer, bytes(body[:_MAX_ASKED_BYTES]))

    async def _closed_loop(self, url: str, bodies: Sequence[bytes], *, concurrency: int, streamed: bool) -> Exchange:
        queue = deque(enumerate(bodies))
        answered: list[Answered] = []
        failed: list[Unanswered] = []
        self._begun = []
        let_readers_sleep = self._closes_at_once
        started_s, cpu_s = time.monotonic(), time.process_time()
        async with self._client(url, concurrency, connect_s=self._timeouts.connect) as client:

            async def work() -> None:
                while queue:
                    position, body = queue.popleft()
                    outcome = await self._post(client, url, position=position, body=body, streamed=streamed)
                    if isinstance(outcome, Unanswered):
                        failed.append(outcome)
                        raise _Stop
                    answered.append(outcome)
                    if outcome.failed:
                        raise _Stop

            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(min(concurrency, len(bodies))):
                        workers.create_task(work())
            except* _Stop:
                pass  # the failure stands in `failed` or `answered`
        return Exchange(
            answered=tuple(answered),
            unanswered=failed[0] if failed else None,
            duration_s=time.monotonic() - started_s,
            client_cpu_s=time.process_time() - cpu_s,
            begun=tuple(self._begun),
            overslept=bool(let_readers_sleep) and not self._closes_at_once,
        )

    async def _post(
        self, client: httpx.AsyncClient, url: str, *, position: int, body: bytes, streamed: bool
    ) -> Answered | Unanswered:
        patience = Patience(self._timeouts, streamed=streamed)
        try:
            async with patience.timer, client.stream("POST", url, content=body) as answer:
                _require_plain(answer)
                reply = await (self._followed(answer, patience) if _is_stream(answer) else _whole(answer, patience))
        except TimeoutError:
            return Unanswered(position=position, why=patience.exhausted())
        except httpx.ConnectTimeout:
            why = f"no connection within {self._timeouts.connect:g} s (timeouts.connect)"
            return Unanswered(position=position, why=why)
        except Encoded as packed:
            return Unanswered(position=position, why=str(packed))
        except _TooLarge:
            return Unanswered(position=position, why=f"reply larger than {_MAX_ANSWER_BYTES // _MIB} MiB")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Unanswered(position=position, why=_described(error) + patience.so_far)
        return Answered(
            position=position,
            reply=reply,
            duration_s=patience.passed_s,
            first_s=patience.first_s,
        )

    async def _followed(self, answer: httpx.Response, patience: Patience) -> Streamed:
        events, streamed, size = Events(), Streamed(), 0
        self._begun.append(streamed)
        connection = None if self._closes_at_once is False else _closed_by_server(answer)
        # The first one wakes its reader for every part, so that it is seen whether the connection ends with the answer.
        with Wakeups(connection if self._closes_at_once else None, stall_s=patience.stall_s) as wakeups:
            async for part in answer.aiter_raw():
                size += len(part)
                if size > _MAX_ANSWER_BYTES:
                    raise _TooLarge
                fresh = sum(map(streamed.add, events.feed(part)))
                if fresh:
                    patience.more(fresh)
                if streamed.done or streamed.failed:
                    break
                if fresh:
                    wakeups.collect()
        if connection is not None and self._closes_at_once is not False and not streamed.failed:
            closes = closes_soon(connection) if self._closes_at_once is None else not was_left_open(connection)
            self._closes_at_once = streamed.done and closes  # else our own library has closed it: nobody can tell
        return streamed

    def _client(self, url: str, concurrency: int, *, connect_s: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=connect_s),
            trust_env=False,
            follow_redirects=False,
            verify=_certificates() if url.startswith("https:") else _NO_CERTIFICATES,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=0),
        )


@cache
def _certificates() -> ssl.SSLContext:
    """Load what this machine trusts: once, because it costs more CPU time than many requests."""
    return ssl.create_default_context()


def _require_plain(answer: httpx.Response) -> None:
    if answer.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise Encoded(answer)


def _is_stream(answer: httpx.Response) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return answer.status_code == httpx.codes.OK and kind == "text/event-stream"


def _closed_by_server(answer: httpx.Response) -> Connection | None:
    """The answer's connection, if its server has announced to close it."""
    if answer.headers.get("connection", "").strip().lower() != "close":
        return None
    connection: Connection | None = answer.extensions["network_stream"].get_extra_info("socket")
    return connection


async def _whole(answer: httpx.Response, patience: Patience) -> Reply:
    patience.whole()
    parts, size = [], 0
    async for part in answer.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > _MAX_ANSWER_BYTES:
            raise _TooLarge
    return _reply(answer, b"".join(parts))


def _reply(answer: httpx.Response, body: bytes) -> Reply:
    return Reply(answer.status_code, answer.headers.get("content-type", ""), body)


def _described(error: Exception) -> str:
    root: BaseException = error
    while cause := root.__cause__ or root.__context__:
        root = cause
    # Of a refused connection, httpx itself only says that all attempts failed.
    number = root.errno if isinstance(root, OSError) else None
    said = f"[Errno {number}] {os.strerror(number)}" if number is not None and number > 0 else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
