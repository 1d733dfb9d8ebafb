"""What became of something to publish, as a value; and how to write what must not be there twice."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeVar

from energygate.github.errors import HubLost, HubRefused, HubUnavailable

_Found = TypeVar("_Found")


class Fate(StrEnum):
    """What became of it."""

    CREATED = "created"
    UPDATED = "updated"
    SUPERSEDED = "superseded"
    UNWANTED = "not wanted"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of something to publish.

    Attributes
    ----------
    url : str or None
        Where it is.
    why : str
        What is not as it should be, in sentences, with what mends it; empty where nothing is.
    gave_up : bool
        Whether GitHub could not be asked, so that no more is to be asked of it.
    """

    fate: Fate
    url: str | None = None
    why: str = ""
    gave_up: bool = False

    @classmethod
    def failed(cls, error: HubRefused | HubUnavailable) -> Self:
        """Nothing was written, for the reason that the error gives."""
        if isinstance(error, HubUnavailable):
            return cls(fate=Fate.UNAVAILABLE, why=str(error), gave_up=True)
        return cls(fate=Fate.REFUSED, why=str(error))


def write_once(write: Callable[[], _Found], look: Callable[[], _Found | None]) -> _Found:
    """Write; where the answer is lost, look whether it was done, and write once more only if it was not."""
    try:
        return write()
    except HubLost:
        found = look()
        return write() if found is None else found
