"""One question to a service on the internet: it is answered plainly and soon, or the reason is named.

What a service says besides its figure is never quoted: it may repeat the key that it was asked with.
"""

import datetime as dt
import ssl
from collections.abc import Mapping
from typing import Final, TypeVar

import httpx
import msgspec

from energygate.errors import IntensityUnknown
from energygate.meters.scraped.deadline import Deadline

T = TypeVar("T")
Transport = httpx.BaseTransport
_MAX_BYTES: Final = 2**20
_OLDEST: Final = dt.timedelta(days=2)  # services lag by hours
_NEWEST: Final = dt.timedelta(hours=1)  # of a period that has begun, and clocks differ
_DENIED: Final = {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class CarbonClient:
    """Asks one service.

    Parameters
    ----------
    name : str
        How messages call it.
    url : str
        Its address, without what is asked for.
    credentials : str
        Names of the variables that let us in, for messages.
    now : datetime
        What a latest figure has to be of.
    timeout_s : float
        How long each whole answer may take.
    """

    def __init__(
        self,
        *,
        name: str,
        url: str,
        credentials: str,
        now: dt.datetime,
        timeout_s: float = 5.0,
        transport: Transport | None = None,
    ) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._now = now
        self._timeout_s = timeout_s
        self._deadline = Deadline()
        # Variables of the environment name the proxy of a company's network. What is asked in the clear is asked of
        # this machine, and a proxy would read the key; a redirect would take it elsewhere.
        self._client = httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            verify=ssl.create_default_context(),
            transport=transport,
            trust_env=self._url.startswith("https://"),
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def ask(
        self,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
    ) -> T:
        """Give the answer, decoded. Raises IntensityUnknown."""
        body = self._get(path, params=dict(params or {}), headers=dict(headers or {}), login=login)
        try:
            return msgspec.json.decode(body, type=kind)
        except _UNDECODABLE as error:
            raise self.malformed("what came is not of its documented form") from error

    def moment(self, at: dt.datetime) -> dt.datetime:
        """Give the time that a figure is of in UTC. Raises IntensityUnknown where no latest figure is of it."""
        if not self._now - _OLDEST <= at <= self._now + _NEWEST:
            raise self.malformed(f"it is of {at.isoformat()}, and now is {self._now.isoformat(timespec='seconds')}")
        return at.astimezone(dt.UTC)

    def malformed(self, what: str) -> IntensityUnknown:
        """Refuse an answer that says nothing usable."""
        return IntensityUnknown(f"{self.name} gives no usable answer: {what}.")

    def _get(
        self, path: str, *, params: dict[str, str], headers: dict[str, str], login: tuple[str, str] | None
    ) -> bytes:
        traced = {"trace": self._deadline.trace}
        auth = None if login is None else httpx.BasicAuth(*login)
        try:
            with (
                self._deadline.within(self._timeout_s),
                self._client.stream(
                    "GET", f"{self._url}{path}", params=params, headers=headers, auth=auth, extensions=traced
                ) as answer,
            ):
                body = self._whole(answer)
        except httpx.TimeoutException as error:
            raise self._late() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if self._deadline.passed:
                raise self._late() from error
            raise IntensityUnknown(f"{self.name} cannot be reached ({type(error).__name__}).") from error
        self._require_ok(answer.status_code)
        return body

    def _whole(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > _MAX_BYTES:
                raise self.malformed(f"it is longer than {_MAX_BYTES} bytes")
        if self._deadline.passed:
            raise self._late()
        return bytes(body)

    def _late(self) -> IntensityUnknown:
        return IntensityUnknown(f"{self.name} did not answer within {self._timeout_s:g} s.")

    def _require_ok(self, status: int) -> None:
        if status in _DENIED:
            raise IntensityUnknown(
                f"{self.name} denies access (HTTP {status}).",
                fix=f"Look at {self._credentials}, and whether its plan holds this zone.",
            )
        if status == httpx.codes.NOT_FOUND:
            raise IntensityUnknown(f"{self.name} does not know this zone (HTTP 404).", fix="Correct terms.carbon.zone.")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise IntensityUnknown(f"{self.name} was asked too often (HTTP 429).")
        if status != httpx.codes.OK:
            raise IntensityUnknown(f"{self.name} fails (HTTP {status}).")
