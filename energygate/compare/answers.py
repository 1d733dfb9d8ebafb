"""What changed in a server's answers besides their amount, and the times that they took."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from energygate import units
from energygate.model import Times, Trial
from energygate.serving import endings_of, serving_of, times_of

_PARTS: Final = {
    "cached_input_tokens": ("input_tokens", "input tokens from the prefix cache"),
    "reasoning_tokens": ("output_tokens", "reasoning tokens"),
}
_TOLERANCE: Final = 0.02
_ARROW: Final = "\N{RIGHTWARDS ARROW}"


def changed_answers(base: Sequence[Trial], head: Sequence[Trial]) -> Iterator[str]:
    """Name each change, with both sides' values."""
    if not base or not head or not _speaks_of_answers(head[0]):
        return
    for part, (whole, words) in _PARTS.items():
        before, after = _per_request(base, part), _per_request(head, part)
        most = max(_per_request(base, whole) or 0.0, _per_request(head, whole) or 0.0)
        if before is not None and after is not None and abs(after - before) > _TOLERANCE * most:
            yield f"{words} per request: {before:.3g} {_ARROW} {after:.3g}"
    old, new = endings_of(base), endings_of(head)
    if old and new and any(abs(old.get(each, 0) - new.get(each, 0)) > _TOLERANCE for each in {*old, *new}):
        yield f"answers ended by: {_shares(old)} {_ARROW} {_shares(new)}"
    if _says_else(base, head):
        yield "the answers' texts differ, at equal token counts"


def times_of_both(base: Iterable[Trial], head: Sequence[Trial]) -> dict[str, Times]:
    """Give the times of the head's answers, beside the base's where both are known."""
    after = times_of(head)
    before = times_of(base) if after else {}
    return {name: Times(base=before.get(name), head=value) for name, value in after.items()}


def _speaks_of_answers(trial: Trial) -> bool:
    """Whether a model answered: most benchmarks are tests, and there are many of them."""
    return trial.work.output_tokens is not None or "inference" in trial.conditions


def _per_request(trials: Sequence[Trial], name: str) -> float | None:
    counts = [count for trial in trials if (count := getattr(trial.work, name)) is not None]
    requests = sum(trial.work.requests or 0 for trial in trials)
    return sum(counts) / requests if requests and len(counts) == len(trials) else None


def _shares(endings: Mapping[str, float]) -> str:
    return ", ".join(f"{reason} {units.format_percent(share)}" for reason, share in endings.items())


def _says_else(base: Sequence[Trial], head: Sequence[Trial]) -> bool:
    """Whether the same work was answered in other words. Texts that vary on one side already say nothing."""
    old, new = _only_digests(base), _only_digests(head)
    return old is not None and new is not None and old[0] == new[0] and old[1] != new[1]


def _only_digests(trials: Sequence[Trial]) -> tuple[str, str] | None:
    """Give the digests that all these trials have; None where they differ, or one has none."""
    first = _digests(trials[0])
    return first if "" not in first and all(_digests(trial) == first for trial in trials) else None


def _digests(trial: Trial) -> tuple[str, str]:
    serving = serving_of(trial)
    return ("", "") if serving is None else (serving.work_digest, serving.output_digest)
