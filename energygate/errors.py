"""What can go wrong. Every message says what happened, why it matters, and the fix.

A verdict is never an exception, and an exception is never a verdict (docs/concepts.md).
"""

import re
from enum import StrEnum
from typing import Final

_MOST_QUOTED: Final = 200
_PATHED = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>[^`]+)`)?", re.DOTALL)


def split_path(message: str) -> tuple[str, str]:
    """Split a msgspec message into what is wrong and the path to it: ``("Expected `int`", "$.trials[0].index")``."""
    found = _PATHED.fullmatch(message)
    return (found["what"], found["path"] or "$") if found else (message, "$")


class EnergyGateError(Exception):
    """Base of all errors that a user can mend.

    Parameters
    ----------
    what : str
        What happened, with the value.
    why : str
        Why it matters.
    fix : str
        What to do about it: a command, an option, a value.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(" ".join(part for part in (what, why, fix) if part))
        self.what = what
        self.why = why
        self.fix = fix


class ConfigError(EnergyGateError):
    """A file, option or variable says something impossible; the message names it."""


class RelayRefused(ConfigError):  # noqa: N818  a refusal, not a fault of the relay
    """What an untrusted run left breaks a rule, so nothing of it is published.

    Parameters
    ----------
    rule : str
        What must hold, as a sentence without its full stop.
    found : str
        What was found. It may quote what the run wrote: shown as ASCII, on one line, cut.
    """

    def __init__(self, rule: str, found: str) -> None:
        quoted = ascii(found)[1:-1]
        shown = quoted if len(quoted) <= _MOST_QUOTED else f"{quoted[:_MOST_QUOTED]}..."
        super().__init__(
            f"What the fork's run left is refused: {shown}.",
            why=f"The rule: {rule}. Nothing of it is published.",
            fix="Read what that run executed before it is measured again (docs/github.md#forks).",
        )


class MeterUnavailable(EnergyGateError):  # noqa: N818  the name is part of the public interface
    """A meter cannot measure here."""


class BaselineError(EnergyGateError):
    """A stored run cannot be read, written or used."""


class NotStored(EnergyGateError):  # noqa: N818  a fault of writing, not an unfit baseline
    """A run could not be written to its store; the file that it was saved in, if there is one, is as it was."""


class WorkloadError(EnergyGateError):
    """A workload cannot be started or asked, so its benchmark has nothing valid; the others go on."""


class IntensityUnknown(EnergyGateError):  # noqa: N818  a state of the report, which says why; nothing fails
    """How much carbon a kilowatt-hour stands for is not known here and now."""


class InvalidCode(StrEnum):
    """Why a trial does not count."""

    COUNTER_RESET = "counter_reset"
    IMPLAUSIBLE = "implausible"
    UNWATCHED = "unwatched"
    READ_ERROR = "read_error"
    GPU_LOST = "gpu_lost"
    TOO_SHORT = "too_short"
    TOO_LITTLE_ENERGY = "too_little_energy"
    WORK_FAILED = "work_failed"
    WORK_DIFFERS = "work_differs"
    SUSPENDED = "suspended"
    SCRAPES = "scrapes"
    THROTTLED = "throttled"
    FOREIGN_GPU = "foreign_gpu"
    FOREIGN_REQUESTS = "foreign_requests"
    CLIENT_SATURATED = "client_saturated"
    GOVERNOR_CHANGED = "governor_changed"
    NOISY = "noisy"
    REPLAY_EXHAUSTED = "replay_exhausted"


class MeasurementInvalid(EnergyGateError):  # noqa: N818  the name is part of the public interface
    """One window or trial does not count. Its text is ``code: sentence``, as a Run stores it."""

    def __init__(self, code: InvalidCode, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


def work_failed(sentence: str) -> MeasurementInvalid:
    """Say why a trial's work, or its counts, cannot be believed."""
    return MeasurementInvalid(InvalidCode.WORK_FAILED, sentence)
