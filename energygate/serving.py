"""How the answers of a trial went, read from its conditions: time, rate, endings and digests. Shown, never gated."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from energygate.model import Count, Seconds, Trial

_Share = Annotated[float, Meta(ge=0)]


class Spread(Struct, frozen=True, kw_only=True):
    """Percentiles over the requests of a trial, in seconds."""

    p50: Seconds
    p95: Seconds


class Phases(Struct, frozen=True, kw_only=True):
    """How the server split its time over all requests of a trial."""

    prefill_s: Seconds
    decode_s: Seconds


class Serving(Struct, frozen=True, kw_only=True):
    """What an inference trial says of its answers; what is not known is None."""

    ttft_s: Spread | None = None
    request_s: Spread | None = None
    output_tokens_per_s: _Share | None = None
    phases: Phases | None = None
    client_cpu_s: Seconds | None = None
    finish: dict[str, Count] = {}
    work_digest: str = ""
    output_digest: str = ""


TIMES: Final = ("ttft_s", "request_s", "output_tokens_per_s", "prefill_s", "decode_s")
"""What `times_of` knows, in the order in which it is shown; phases are per request."""


def serving_of(trial: Trial) -> Serving | None:
    """Read it; None where the trial asked no server, or its file says something else."""
    found = trial.conditions.get("inference")
    if found is None:
        return None
    try:
        return msgspec.convert(found, Serving)
    except msgspec.ValidationError:
        return None


def times_of(trials: Iterable[Trial]) -> Mapping[str, float]:
    """Give the medians over trials of the typical request's times, and of the rate of tokens."""
    values: dict[str, list[float]] = {name: [] for name in TIMES}
    for trial in _asking(trials):
        for name, value in _times(trial):
            values[name].append(value)
    return {name: median(each) for name, each in values.items() if each}


def _asking(trials: Iterable[Trial]) -> list[Trial]:
    """Give the trials that asked a server: most are tests, and there are many of them."""
    return [trial for trial in trials if "inference" in trial.conditions]


def _times(trial: Trial) -> Iterator[tuple[str, float]]:
    serving = serving_of(trial)
    if serving is None:
        return
    if serving.ttft_s is not None:
        yield "ttft_s", serving.ttft_s.p50
    if serving.request_s is not None:
        yield "request_s", serving.request_s.p50
    if serving.output_tokens_per_s is not None:
        yield "output_tokens_per_s", serving.output_tokens_per_s
    if serving.phases is not None and trial.work.requests:
        yield "prefill_s", serving.phases.prefill_s / trial.work.requests
        yield "decode_s", serving.phases.decode_s / trial.work.requests


def endings_of(trials: Iterable[Trial]) -> Mapping[str, float]:
    """Give the share of answers that ended for each reason."""
    counts: Counter[str] = Counter()
    for trial in _asking(trials):
        if (serving := serving_of(trial)) is not None:
            counts.update(serving.finish)
    total = counts.total()
    return {reason: count / total for reason, count in sorted(counts.items())} if total else {}
