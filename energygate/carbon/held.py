"""Answers that still hold, a file for each: a service is asked again when its figure is of the past.

No key is in them.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from energygate.errors import EnergyGateError
from energygate.files import write_atomically
from energygate.model import Intensity, Time

_SHORTEST: Final = dt.timedelta(minutes=5)  # a service that lags gives the same figure again
_LONGEST: Final = dt.timedelta(hours=2)  # whatever a service or a file says


class Held(Struct, frozen=True, kw_only=True):
    """A figure, and until when it is the latest."""

    intensity: Intensity
    until: Time


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAnswers:
    """A folder of answers.

    Attributes
    ----------
    folder : Path or None
        None where this user has none: then nothing is kept.
    """

    folder: Path | None

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> "HeldAnswers":
        """Give the user's cache folder, as the XDG Base Directory Specification names it."""
        named, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
        base = Path(named) if Path(named).is_absolute() else Path(home) / ".cache"
        return cls(folder=base / "energygate" if base.is_absolute() else None)

    def get(self, question: str, *, now: dt.datetime) -> Intensity | None:
        """Give the answer to a question, if it is known and holds still; a file that is no answer is none."""
        if self.folder is None:
            return None
        try:
            held = msgspec.json.decode(self._file(question, self.folder).read_bytes(), type=Held)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return held.intensity if now < held.until <= now + _LONGEST else None

    def put(self, question: str, held: Held, *, now: dt.datetime) -> None:
        """Keep an answer."""
        if self.folder is None:
            return
        until = min(max(held.until, now + _SHORTEST), now + _LONGEST)
        data = msgspec.json.encode(Held(intensity=held.intensity, until=until))
        try:
            write_atomically(self._file(question, self.folder), data)
        except EnergyGateError:
            return  # a folder that cannot be written costs the next job a question, and nothing else

    @staticmethod
    def _file(question: str, folder: Path) -> Path:
        return folder / f"carbon-{hashlib.sha256(question.encode()).hexdigest()[:16]}.json"
