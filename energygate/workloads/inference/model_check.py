"""Does the server have the model that the suite names? Some answer any name with the model they have."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from energygate.errors import WorkloadError
from energygate.workloads.inference.answers import status_sentence
from energygate.workloads.inference.client import Encoded, HttpClient, Unreachable
from energygate.workloads.inference.loading import UNAVAILABLE, StillLoading
from energygate.workloads.text import Redactor, printable

_TIMEOUT_S: Final = 10.0
_MOST_SHOWN: Final = 5
_NAME_CHARS: Final = 50


class _Model(Struct):
    id: str
    owned_by: str | None = None


class _Models(Struct):
    data: tuple[_Model, ...] = ()


def check_listed(http: HttpClient, url: str, *, suite: str, model: str, show: Redactor) -> str | None:
    """Look the model up in the server's list.

    Parameters
    ----------
    url : str
        The endpoint's, without a final slash.
    suite : str
        Its name, for messages.

    Returns
    -------
    str or None
        Who owns the model (`llamacpp`, `vllm`), which tells servers apart; None if the server does not say, or has no
        such list.

    Raises
    ------
    WorkloadError
        If nobody answers, or the list lacks the model; StillLoading if it may come.
    """
    try:
        reply = http.get(f"{url}/models", timeout_s=_TIMEOUT_S)
    except Encoded as packed:
        raise WorkloadError(f"{suite}: {url}/models: {show(str(packed))}.") from packed
    except Unreachable as refusal:
        raise WorkloadError(
            f"{suite}: no server answers at {url}: {show(str(refusal))}.",
            fix="Start it, correct endpoint.url, or give the suite a server that energygate starts.",
        ) from refusal
    if reply.status == 404:
        return None
    if reply.status != 200:
        kind = StillLoading if reply.status == UNAVAILABLE else WorkloadError
        raise kind(f"{suite}: the server refused {url}/models: {status_sentence(reply, show=show)}")
    try:
        models = msgspec.json.decode(reply.body, type=_Models).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkloadError(
            f"{suite}: {url}/models is no list of models: {error}.", fix="Check endpoint.url."
        ) from error
    require_model([entry.id for entry in models], suite=suite, model=model, show=show)
    return next(entry.owned_by for entry in models if entry.id == model)


def require_model(found: Sequence[str], *, suite: str, model: str, show: Redactor) -> None:
    """Raise WorkloadError unless the model is among those found."""
    if model not in found:
        shown = ", ".join(printable(show(name), limit=_NAME_CHARS) for name in found[:_MOST_SHOWN]) or "none"
        if len(found) > _MOST_SHOWN:
            shown += f" and {len(found) - _MOST_SHOWN} more"
        raise WorkloadError(
            f"{suite}: endpoint.model: the server has {shown}, not {model}.",
            why="It would answer all the same, under a wrong label.",
            fix="Correct endpoint.model, or start the server with that model.",
        )
