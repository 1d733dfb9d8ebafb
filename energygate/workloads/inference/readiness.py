"""Whether a server that was started can answer yet, and what to mend if it never could."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from energygate.workloads.inference.answers import error_text
from energygate.workloads.inference.client import HttpClient, Unreachable

_TIMEOUT_S: Final = 2.0
_NOT_FOUND: Final = 404
_HEALTH: Final = "/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReady:
    """What came instead of a 200.

    Attributes
    ----------
    asked : str
        The URLs.
    said : str
        What the last answer was, or why there was none; nobody has made it fit to be shown.
    status : int or None
        The last answer's, None without an answer.
    """

    asked: str
    said: str
    status: int | None = None

    @property
    def mend(self) -> str:
        """What to correct if it stays so."""
        if self.status is None:
            return "Raise server.ready.timeout, let the server listen where endpoint.url says"
        return "Correct server.ready.path" if self.status == _NOT_FOUND else "Raise server.ready.timeout"


def not_ready(http: HttpClient, url: str, *, path: str) -> NotReady | None:
    """Ask once; None if it is ready.

    Parameters
    ----------
    url : str
        The endpoint's.
    path : str
        Of the server's root, where a 200 says that it can answer.
    """
    parts = urlsplit(url)
    asked = health = f"{parts.scheme}://{parts.netloc}{path}"
    try:
        reply = http.get(health, timeout_s=_TIMEOUT_S)
        if reply.status == _NOT_FOUND and path == _HEALTH:
            # llama-cpp-python has no /health; its list of models answers as soon as it serves.
            models = f"{url.rstrip('/')}/models"
            asked = f"{health} or {models}"
            reply = http.get(models, timeout_s=_TIMEOUT_S)
    except Unreachable as refusal:
        return NotReady(asked=asked, said=str(refusal))
    if reply.status == 200:
        return None
    return NotReady(asked=asked, said=f"{reply.status} {error_text(reply.body)}", status=reply.status)
