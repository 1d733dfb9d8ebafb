"""What can go wrong between energygate and GitHub: it says no, or it cannot be asked.

Neither is a verdict and neither changes one: whoever publishes goes without, and says so.
"""

from typing import Any

from energygate.errors import EnergyGateError
from energygate.github.wishes import Wish
from energygate.workloads.text import ended


class HubRefused(EnergyGateError):  # noqa: N818  reads as the state it is
    """GitHub answered, and said no.

    Parameters
    ----------
    status : int
        Of HTTP.
    message : str
        What GitHub said, fit to be shown.
    """

    def __init__(self, status: int, message: str, *, wish: Wish) -> None:
        super().__init__(
            f"GitHub refused to {wish.to} (HTTP {status}): {ended(message)}", fix=wish.cure(status, message)
        )
        self.status = status
        self.message = message


class HubUnavailable(EnergyGateError):  # noqa: N818
    """GitHub could not be asked, or its answer is none of its API: nothing more is asked of it."""


class HubLost(HubUnavailable):
    """Whether a write was done is unknown, since its answer did not come: look before it is tried again."""


class ArtefactTooLarge(EnergyGateError):  # noqa: N818
    """An artefact has more bytes than whoever wants it takes."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"The artefact has more than {most_bytes} bytes.", why="A report has fewer.", fix="Upload the report alone."
        )


def said(message: Any, errors: Any) -> str:
    """Give what the body of a refusal says.

    Parameters
    ----------
    message : any
        Bytes where the body is no JSON, and whatever stands there where it is.
    errors : any
        Should be a list of dicts, each with a message.
    """
    if isinstance(message, bytes):
        return message.decode(errors="replace")
    each = errors if isinstance(errors, list) else []
    details = [str(detail["message"]) for detail in each if isinstance(detail, dict) and "message" in detail]
    return "; ".join([str(message or "no reason given"), *details])


def named(error: BaseException) -> str:
    """Give an error's kind and the system's word for it: its own text may hold an address, and that a secret."""
    kind, inner = type(error).__name__, error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
        if isinstance(inner, OSError) and inner.strerror:
            return f"{kind}: {inner.strerror}"
    return kind
