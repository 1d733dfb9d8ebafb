"""Questions to a Prometheus server's HTTP API. One that is not answered plainly, at once and without doubt is refused.

Nothing is asked twice: whoever waits for a sample asks for samples again.
"""

import math
import ssl
from contextlib import AbstractContextManager
from typing import Any, Final

import httpx
import msgspec

from energygate.meters.scraped.deadline import Deadline
from energygate.meters.scraped.scrapes import Unscrapable
from energygate.meters.scraped.shown import shown
from energygate.meters.scraped.source import Labels

TOKEN: Final = "ENERGYGATE_PROMETHEUS_TOKEN"  # noqa: S105  the name of the variable
Transport = httpx.BaseTransport
_MAX_BYTES: Final = 64 * 2**20
_LATEST_S: Final = 1e11  # the year 5138: what is beyond is no time
_BESIDE_S: Final = 1.0  # a sample may be that far outside of the span that was asked for: rounding, a closed end
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DENIED: Final = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Answer(msgspec.Struct, frozen=True):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()


class _Vector(msgspec.Struct, frozen=True):
    metric: dict[str, str]


class _Matrix(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class PrometheusApi:
    """One server.

    Parameters
    ----------
    token : str or None
        Sent as a bearer token, and shown nowhere.
    timeout_s : float
        How long an answer may take, with its headers.
    transport : Transport, optional
        What carries the questions.

    Raises
    ------
    Unscrapable
        The token can be none.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout_s: float,
        transport: Transport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token.strip() if token else None
        if self._token and not (self._token.isascii() and self._token.isprintable()):
            raise Unscrapable(f"{TOKEN} holds characters that no token has.", fix="Set it anew.")
        self._timeout_s = timeout_s
        self._deadline = Deadline()
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {self._token}"} if self._token else {},
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            verify=ssl.create_default_context(),
            transport=transport,
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def now_s(self) -> float:
        """The server's clock, in seconds. Raises Unscrapable."""
        at_s, text = self._ask({"query": "time()"}, "scalar", tuple[float, str])
        if not 0 <= at_s <= _LATEST_S:
            raise self._malformed(f"a time of {at_s:g} s ({text})")
        return float(at_s)

    def series(self, selector: str) -> tuple[Labels, ...]:
        """Every series that is alive and matches. Raises Unscrapable."""
        found = self._ask({"query": selector}, "vector", list[_Vector])
        return tuple(_labels(each.metric) for each in found)

    def samples(self, selector: str, *, span_s: float, at_s: float) -> dict[Labels, list[tuple[float, str]]]:
        """Samples as they were scraped in the `span_s` seconds until `at_s`, by series. Raises Unscrapable."""
        seconds = math.ceil(span_s)
        found = self._ask({"query": f"{selector}[{seconds}s]", "time": f"{at_s:.3f}"}, "matrix", list[_Matrix])
        first_s, last_s = at_s - seconds - _BESIDE_S, at_s + _BESIDE_S
        if not all(first_s <= sampled_s <= last_s for each in found for sampled_s, _ in each.values):
            raise self._malformed("a sample of another time than was asked for")
        return {_labels(each.metric): each.values for each in found}

    def _ask(self, query: dict[str, str], result_type: str, kind: Any) -> Any:
        status, body = self._get(query)
        try:
            answer = msgspec.json.decode(body, type=_Answer)
        except _UNDECODABLE as error:
            raise self._refused(status, body) or self._malformed(_undecoded(error)) from error
        if answer.status != "success":
            raise self._refused(status, answer.error.encode()) or self._not_understood(query, answer.error)
        if answer.warnings:
            raise Unscrapable(
                f"{self._url} answers with a warning: {self._shown(answer.warnings[0])}.",
                fix="A part of the samples may be missing: mend what it warns of.",
            )
        if answer.data is None or answer.data.result_type != result_type:
            given = "nothing" if answer.data is None else shown(answer.data.result_type)
            raise self._malformed(f"{given} instead of a {result_type} for {shown(query['query'])}")
        try:
            return msgspec.json.decode(answer.data.result, type=kind)
        except _UNDECODABLE as error:
            raise self._malformed(_undecoded(error)) from error

    def _get(self, query: dict[str, str]) -> tuple[int, bytes]:
        try:
            with self._deadline.within(self._timeout_s), self._stream(query) as answer:
                return answer.status_code, self._whole(answer)
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise self._not_whole() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self._deadline.passed and not isinstance(error, httpx.ConnectTimeout):
                raise self._not_whole() from error
            raise Unscrapable(
                f"{self._url} does not answer: {type(error).__name__}: {self._shown(f'{error}')}.",
                fix="Start the server, or mend prometheus.url.",
            ) from error

    def _stream(self, query: dict[str, str]) -> AbstractContextManager[httpx.Response]:
        address, traced = f"{self._url}/api/v1/query", {"trace": self._deadline.trace}
        return self._client.stream("GET", address, params=query, extensions=traced)

    def _whole(self, answer: httpx.Response) -> bytes:
        """The body, if all of it came in time: one without a length just ends where its connection does."""
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > _MAX_BYTES:
                raise self._not_whole()
        if self._deadline.passed:
            raise self._not_whole()
        if answer.is_redirect:
            raise Unscrapable(
                f"{self._url} redirects to {self._shown(answer.headers.get('location', 'nowhere'))}.",
                fix="Write the final address in prometheus.url: a redirect is not followed.",
            )
        return bytes(body)

    def _not_whole(self) -> Unscrapable:
        return Unscrapable(
            f"{self._url} did not give a whole answer of at most {_MAX_BYTES >> 20} MiB within {self._timeout_s:g} s.",
            fix="Look at the server's load.",
        )

    def _refused(self, status: int, body: bytes) -> Unscrapable | None:
        """Why the server as such is of no use, None if it has only not understood."""
        said = self._shown(body.decode(errors="replace"))
        if status in _DENIED:
            return Unscrapable(
                f"{self._url} denies access (HTTP {status}): {said}.", fix=f"Put a bearer token into {TOKEN}."
            )
        if status == httpx.codes.NOT_FOUND:
            return Unscrapable(
                f"{self._url} has no /api/v1/query (HTTP 404).", fix="Write the server's root in prometheus.url."
            )
        if status != httpx.codes.OK and status not in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            return Unscrapable(f"{self._url} fails (HTTP {status}): {said}.", fix="Look at the server's log.")
        return None

    def _not_understood(self, query: dict[str, str], error: str) -> Unscrapable:
        return Unscrapable(
            f"{self._url} does not take {shown(query['query'])}: {self._shown(error)}.",
            fix="Mend prometheus.selector, or the select of a custom domain.",
        )

    def _malformed(self, why: str) -> Unscrapable:
        return Unscrapable(
            f"{self._url} gives no answer of Prometheus's HTTP API: {self._shown(why)}.", fix="Mend prometheus.url."
        )

    def _shown(self, text: str) -> str:
        return shown(text, secret=self._token).rstrip(".")


def _undecoded(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _labels(metric: dict[str, str]) -> Labels:
    return tuple(sorted(metric.items()))
