"""Trials of one benchmark must do the same work: otherwise their joules differ for a reason that is no regression.

Pure, on trials as a Run stores them: so those of one process and those of many, one block each, are judged alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from energygate import units
from energygate.errors import InvalidCode
from energygate.model import Trial

_CACHED_TOLERANCE: Final = 0.02  # of the input tokens: with several slots, which one serves what is chance


class _Asked(Struct, frozen=True, kw_only=True):
    """How equal a suite wants its trials to be: `equal_work` among the conditions of an inference trial."""

    output_tolerance: Annotated[float, Meta(ge=0)]
    prefix_cache: str


def other_work(trials: Sequence[Trial]) -> dict[int, str]:
    """Give the position of each valid trial that did other work than the median one, and why it does not count.

    Counts are per pass. Of what is left, none differs from its median. Trials that ask for no equal work are equal.
    """
    found: dict[int, str] = {}
    asked = {at: rules for at, trial in enumerate(trials) if trial.invalid is None and (rules := _asked(trial))}
    while odd := dict(_apart({at: trials[at] for at in asked if at not in found}, asked)):
        found |= odd
    return found


def _asked(trial: Trial) -> _Asked | None:
    said = trial.conditions.get("inference")
    if not isinstance(said, Mapping) or "equal_work" not in said:
        return None
    try:
        return msgspec.convert(said["equal_work"], _Asked)
    except msgspec.ValidationError:
        return None


def _apart(trials: Mapping[int, Trial], asked: Mapping[int, _Asked]) -> Iterator[tuple[int, str]]:
    sent, received, cached = (
        _per_pass(trials, name) for name in ("input_tokens", "output_tokens", "cached_input_tokens")
    )
    for at in trials:
        sentences = (
            _other_input(at, sent),
            _other_output(at, received, asked[at].output_tolerance),
            _other_cached(at, cached, sent) if asked[at].prefix_cache == "warm" else None,
        )
        if why := next(filter(None, sentences), None):
            yield at, f"{InvalidCode.WORK_DIFFERS}: {why}"


def _per_pass(trials: Mapping[int, Trial], name: str) -> dict[int, float]:
    counts = {at: getattr(trial.work, name) for at, trial in trials.items()}
    return {at: count / trials[at].iterations for at, count in counts.items() if count is not None}


def _other_input(at: int, sent: Mapping[int, float]) -> str | None:
    if at not in sent or sent[at] == (usual := median(sent.values())):
        return None
    return (
        f"{sent[at]:g} input tokens, {usual:g} in the median trial. The same prompts must be sent: "
        "does the server change them, or did another server answer?"
    )


def _other_output(at: int, received: Mapping[int, float], tolerance: float) -> str | None:
    if at not in received or abs(received[at] - (usual := median(received.values()))) <= tolerance * usual:
        return None
    return (
        f"{received[at]:g} output tokens, {usual:g} in the median trial: more than {units.format_percent(tolerance)} "
        "apart. Set requests.temperature to 0 or fixed_output to true, or raise requests.output_tolerance."
    )


def _other_cached(at: int, cached: Mapping[int, float], sent: Mapping[int, float]) -> str | None:
    if at not in cached or at not in sent:
        return None
    usual = median(cached.values())
    if abs(cached[at] - usual) <= _CACHED_TOLERANCE * sent[at]:
        return None
    return (
        f"{cached[at]:g} of {sent[at]:g} input tokens came from the prefix cache, {usual:g} in the median trial. Set "
        "load.concurrency to 1, give the server more room for its cache, or set requests.prefix_cache: any."
    )
