"""How long GitHub is waited for: what a refusal or a silence asks for, within a budget for the whole session.

The limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

_SERVER_ERROR: Final = 500
_PASSING: Final = {502, 503, 504}
_TOO_MANY: Final = 429
_LIMITED: Final = {403, _TOO_MANY}
_SECONDARY_S: Final = 60.0
_OUTAGE_S: Final = 1.0
_HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a request has no answer yet.

    Attributes
    ----------
    what : str
        What GitHub's API does, as a sentence goes on after its name.
    wait_s : float or None
        How long to wait before it is asked again; None where that is of no use.
    is_outage : bool
        Whether the request may have been carried out all the same; a refused one was not.
    """

    what: str
    wait_s: float | None
    is_outage: bool


def trouble_in(
    status: int, headers: Mapping[str, str], text: str, *, attempt: int, now_s: float, jitter_s: float
) -> Trouble | None:
    """Give what is wrong with an answer that may change by waiting, or with the server; None for all others.

    Parameters
    ----------
    attempt : int
        How often the request was made before.
    now_s : float
        Seconds since the epoch.
    """
    if status in _LIMITED:
        told_s = _told_s(headers, now_s)
        if told_s is None and (status == _TOO_MANY or "secondary rate limit" in text.lower()):
            told_s = _SECONDARY_S * 2**attempt
        return (
            None if told_s is None else Trouble(what=f"limits the rate (HTTP {status})", wait_s=told_s, is_outage=False)
        )
    if status in _PASSING:
        return silence(f"answers HTTP {status}", attempt=attempt, jitter_s=jitter_s)
    if status >= _SERVER_ERROR:
        return Trouble(what=f"answers HTTP {status}", wait_s=None, is_outage=True)
    return None


def silence(what: str, *, attempt: int, jitter_s: float) -> Trouble:
    """Give the trouble of a server that may be back in a moment."""
    return Trouble(what=what, wait_s=_OUTAGE_S * 2**attempt + jitter_s, is_outage=True)


def _told_s(headers: Mapping[str, str], now_s: float) -> float | None:
    told = headers.get("Retry-After")
    if (told_s := _number(told)) is not None:
        return told_s
    if (told_at_s := _date_s(told)) is not None:
        return max(0.0, told_at_s - now_s)
    if headers.get("X-RateLimit-Remaining") == "0":
        reset_s = _number(headers.get("X-RateLimit-Reset"))
        return None if reset_s is None else max(0.0, reset_s - now_s)
    return None


def _number(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None


def _date_s(text: str | None) -> float | None:
    """Seconds since the epoch of a date, as HTTP writes it."""
    try:
        return dt.datetime.strptime(text or "", _HTTP_DATE).replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        return None


def _epoch_s() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


@dataclass(slots=True, kw_only=True)
class Patience:
    """How often a request is made, and how long is waited in all.

    Parameters
    ----------
    tries : int
        Of one request.
    budget_s : float
        The most that is waited in the whole session.
    outage_s : float
        A server that is down is no longer asked again after so many seconds of waiting for it, answers included.
    clock : callable
        Seconds since the epoch: a rate limit ends at such a time.
    jitter : callable
        From 0 to 1: runners that lost a server together come back one by one.
    """

    tries: int = 4
    budget_s: float = 180.0
    outage_s: float = 40.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = _epoch_s
    jitter: Callable[[], float] = field(default_factory=lambda: Random().random)  # noqa: S311  no secret
    _waited_s: float = field(default=0.0, init=False)
    _out_s: float = field(default=0.0, init=False)

    def endure(self, seconds: float) -> None:
        """Count what a server that is down has cost; the clock may have been set back meanwhile."""
        self._out_s += max(0.0, seconds)

    def wait(self, trouble: Trouble, *, attempt: int) -> str | None:
        """Wait until the request may be made again; or give why it is not, to follow after `trouble.what`."""
        if trouble.wait_s is None:
            return ""
        if attempt + 1 >= self.tries:
            return f", {self.tries} times"
        if trouble.is_outage and self._out_s + trouble.wait_s > self.outage_s:
            return f", for {self._out_s:.0f} s"
        if self._waited_s + trouble.wait_s > self.budget_s:
            left_s = self.budget_s - self._waited_s
            return f" and wants {trouble.wait_s:.0f} s of waiting, where {left_s:.0f} s are left"
        self.sleep(trouble.wait_s)
        self._waited_s += trouble.wait_s
        if trouble.is_outage:
            self.endure(trouble.wait_s)
        return None
