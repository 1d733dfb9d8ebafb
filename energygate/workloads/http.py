"""The HTTP client: questions to a server outside a window, and a closed loop of requests inside it.

No connection is kept alive: llama.cpp closes after an answer though it announces keep-alive, and a pooled
connection then fails some requests. No deadline of httpx but the one for connecting: a slow model is no fault until
`timeouts.request` is over.
"""

import asyncio
import os
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from energygate.workloads.suites import Timeouts

_MIB: Final = 2**20
_MAX_ASKED_BYTES: Final = _MIB  # a list of models is far shorter
_MAX_ANSWER_BYTES: Final = 64 * _MIB


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, content type and body of one answer. The body may hold a model's text, so no repr shows it."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One request that got an answer, whatever its status."""

    position: int
    reply: Reply
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The first request that got none, and why."""

    position: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a closed loop brought. `unanswered` or a status other than 200 stopped it before its end."""

    answered: tuple[Answered, ...]
    unanswered: Unanswered | None
    duration_s: float
    client_cpu_s: float


class Unreachable(Exception):  # noqa: N818  reads as the state it is
    """No answer came; the text says why. Whoever asks makes an error of it that names the suite."""


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
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._tls = ssl.create_default_context()  # once, because it costs more CPU time than many requests

    def get(self, url: str, *, timeout_s: float) -> Reply:
        """Ask once, for at most `timeout_s` in all. A body beyond 1 MiB is cut off. Raises Unreachable."""
        try:
            return asyncio.run(self._ask(url, timeout_s=timeout_s))
        except TimeoutError as error:
            raise Unreachable("ReadTimeout: timed out") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(_described(error)) from error
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None  # as in `post_all`

    def post_all(self, url: str, bodies: Sequence[bytes], *, concurrency: int) -> Exchange:
        """Send every body, `concurrency` at a time, in order; stop at the first failure. Never retries."""
        try:
            return asyncio.run(self._closed_loop(url, bodies, concurrency=concurrency))
        except asyncio.CancelledError:
            # An interrupt between the loop's set-up and its first step: CPython lets that one out as it is.
            raise KeyboardInterrupt from None

    async def _ask(self, url: str, *, timeout_s: float) -> Reply:
        # httpx's own deadlines are for one read each: a server that sends a byte now and then meets them for ever.
        async with (
            asyncio.timeout(timeout_s),
            self._client(1, connect_s=timeout_s) as client,
            client.stream("GET", url) as answer,
        ):
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) >= _MAX_ASKED_BYTES:
                    break
            return _reply(answer, bytes(body[:_MAX_ASKED_BYTES]))

    async def _closed_loop(self, url: str, bodies: Sequence[bytes], *, concurrency: int) -> Exchange:
        queue = deque(enumerate(bodies))
        answered: list[Answered] = []
        failed: list[Unanswered] = []
        started_s, cpu_s = time.monotonic(), time.process_time()
        async with self._client(concurrency, connect_s=self._timeouts.connect) as client:

            async def work() -> None:
                while queue:
                    position, body = queue.popleft()
                    outcome = await self._post(client, url, position=position, body=body)
                    if isinstance(outcome, Unanswered):
                        failed.append(outcome)
                        raise _Stop
                    answered.append(outcome)
                    if outcome.reply.status != httpx.codes.OK:
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
        )

    async def _post(self, client: httpx.AsyncClient, url: str, *, position: int, body: bytes) -> Answered | Unanswered:
        started_s = time.monotonic()
        try:
            async with asyncio.timeout(self._timeouts.request), client.stream("POST", url, content=body) as answer:
                reply = _reply(answer, await _read(answer))
        except TimeoutError:
            why = f"no answer within {self._timeouts.request:g} s (timeouts.request)"
            return Unanswered(position=position, why=why)
        except httpx.ConnectTimeout:
            why = f"no connection within {self._timeouts.connect:g} s (timeouts.connect)"
            return Unanswered(position=position, why=why)
        except _TooLarge:
            return Unanswered(position=position, why=f"reply larger than {_MAX_ANSWER_BYTES // _MIB} MiB")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Unanswered(position=position, why=_described(error))
        return Answered(position=position, reply=reply, duration_s=time.monotonic() - started_s)

    def _client(self, concurrency: int, *, connect_s: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers,
            timeout=httpx.Timeout(None, connect=connect_s),
            trust_env=False,
            follow_redirects=False,
            verify=self._tls,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=0),
        )


async def _read(answer: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MAX_ANSWER_BYTES:
            raise _TooLarge
    return b"".join(parts)


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
