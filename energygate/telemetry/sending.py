"""Requests to a collector over HTTP: sent again where the protocol says so; a refusal says why."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Self

import httpx

from energygate.clock import Clock, SystemClock
from energygate.errors import EnergyGateError
from energygate.telemetry.endpoint import CERTIFICATE, HEADERS, Endpoint
from energygate.workloads.text import Redactor, printable

Transport = httpx.BaseTransport
_AGAIN: Final = frozenset({429, 502, 503, 504})  # what the protocol says may be sent again
_DENIED: Final = frozenset({401, 403})
_WAITS_S: Final = (1.0, 4.0)
_LONGEST_WAIT_S: Final = 30.0
_KIND: Final = {"Content-Type": "application/x-protobuf"}
_SHOWN_CHARS: Final = 200
_MOST_BYTES: Final = 2**20  # an answer says how much was refused, and why


class NotSent(EnergyGateError):  # noqa: N818  reads as the state it is
    """A collector did not take an export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a collector says.

    Attributes
    ----------
    kind : str
        The media type, without parameters; empty where none is named.
    body : bytes
        Of a body that has no end, its beginning.
    retry_after : str
        As the header has it.
    """

    status: int
    kind: str
    body: bytes
    retry_after: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the body is of a size that an answer has."""
        return len(self.body) <= _MOST_BYTES


class Sender:
    """Sends to one collector. Use as a context.

    Parameters
    ----------
    transport : Transport, optional
        What carries the requests.

    Raises
    ------
    NotSent
        The certificate cannot be read.
    """

    def __init__(self, endpoint: Endpoint, *, clock: Clock | None = None, transport: Transport | None = None) -> None:
        self._secrets = tuple(endpoint.headers.values())
        self._clock = clock or SystemClock()
        self._client = httpx.Client(
            headers={**endpoint.headers, **_KIND},
            timeout=endpoint.timeout_s,
            follow_redirects=False,
            verify=_trusting(endpoint),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, url: str, bodies: Iterable[bytes], refused: Callable[[Answer], tuple[int, str]]) -> None:
        """Send each body. Raises NotSent at the first that is not taken whole.

        Parameters
        ----------
        refused : callable
            Reads from an answer how much was not taken, and why; a ValueError says that it is none.
        """
        for body in bodies:
            count, said = self._read(url, self._posted(url, body), refused)
            if count:
                raise NotSent(
                    f"{url} did not take {count} of what was sent: {self._shown(said) or 'it says no reason'}.",
                    why="The rest has arrived.",
                    fix="Mend what the collector says, and export again: the ids of spans stay the same.",
                )

    def _read(self, url: str, answer: Answer, refused: Callable[[Answer], tuple[int, str]]) -> tuple[int, str]:
        try:
            if answer.is_whole:
                return refused(answer)
        except ValueError as error:
            raise self._foreign(url, answer) from error
        raise self._foreign(url, answer)

    def _foreign(self, url: str, answer: Answer) -> NotSent:
        kind = f" of type {self._shown(answer.kind)}" if answer.kind else ""
        return NotSent(
            f"{url} answers HTTP 200 with what no collector says: {len(answer.body)} bytes{kind}."
            if answer.is_whole
            else f"{url} answers HTTP 200 with more than {_MOST_BYTES} bytes{kind}, which no collector does.",
            why="Whether anything was taken is not known.",
            fix="Mend the address, or what stands before the collector, such as a login page.",
        )

    def _posted(self, url: str, body: bytes) -> Answer:
        waits_s = iter(_WAITS_S)
        answer = self._answer(url, body)
        while _may_be_sent_again(answer) and (wait_s := next(waits_s, None)) is not None:
            self._clock.sleep(_asked_for(answer) or wait_s)
            answer = self._answer(url, body)
        if not isinstance(answer, Answer):
            raise self._unreachable(url, answer) from answer
        if answer.status != httpx.codes.OK:
            raise self._refused(url, answer)
        return answer

    def _answer(self, url: str, body: bytes) -> Answer | Exception:
        try:
            with self._client.stream("POST", url, content=body) as answer:
                return Answer(
                    status=answer.status_code,
                    kind=answer.headers.get("content-type", "").partition(";")[0].strip().lower(),
                    body=_beginning(answer),
                    retry_after=answer.headers.get("retry-after", ""),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return error

    def _unreachable(self, url: str, error: Exception) -> NotSent:
        return NotSent(
            f"{url} does not answer: {type(error).__name__}: {self._shown(f'{error}') or 'no more is known'}.",
            fix="Start the collector, or mend the address: its receiver is `otlp`, with protocol `http`.",
        )

    def _refused(self, url: str, answer: Answer) -> NotSent:
        said = self._shown(answer.body.decode(errors="replace"))
        what = f"{url} refused the export with HTTP {answer.status}{f': {said}' if said else ''}."
        if answer.status in _DENIED:
            return NotSent(what, fix=f"Put what it asks for into {HEADERS}: authorization=Bearer%20TOKEN.")
        if answer.status == httpx.codes.NOT_FOUND:
            return NotSent(what, fix="Give the collector's root as the address: /v1/traces and /v1/metrics are added.")
        if httpx.codes.is_redirect(answer.status):
            return NotSent(what, fix="Give the final address: a redirect is not followed.")
        return NotSent(what, fix="Look at the collector's log.")

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = Redactor(key=secret)(text)
        return printable(text, limit=_SHOWN_CHARS).rstrip(".")


def _beginning(answer: httpx.Response) -> bytes:
    """Read a body, and of one that is too long a little more than an answer may have."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > _MOST_BYTES:
            break
    return bytes(body)


def _may_be_sent_again(answer: Answer | Exception) -> bool:
    return not isinstance(answer, Answer) or answer.status in _AGAIN


def _asked_for(answer: Answer | Exception) -> float | None:
    """How long the collector wants us to wait, if it says so in seconds."""
    text = answer.retry_after if isinstance(answer, Answer) else ""
    return min(float(text), _LONGEST_WAIT_S) if text.isascii() and text.isdigit() else None


def _trusting(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=endpoint.certificate)
    except OSError as error:  # an SSLError is one
        raise NotSent(
            f"{CERTIFICATE}: {endpoint.certificate} cannot be read: {error.strerror or error}.",
            fix="Give a file of certificates in PEM.",
        ) from error
