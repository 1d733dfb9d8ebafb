"""From the `usage` that a server reports to counted work. Tokens are the server's own count, never ours."""

from collections.abc import Mapping, Sequence
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid
from energygate.model import Work

PARTS: Final = frozenset({"cached_input_tokens", "reasoning_tokens"})  # the only counts that may be 0
MAX_COUNT: Final = 2**53  # beyond it a float, as JSON knows numbers, is no longer exact
_ANTHROPIC_CACHE: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")


def work_from_usage(usage: object) -> Work:
    """Read the tokens of one answer.

    Known shapes: OpenAI chat, completions and responses, Anthropic messages, Ollama's own API. Input tokens include
    those read from a prefix cache, output tokens include reasoning.

    Parameters
    ----------
    usage : mapping or object
        Decoded JSON, or a client library's object with the same names as attributes.

    Returns
    -------
    Work
        Without `requests`: how many requests a usage covers is the caller's knowledge.

    Raises
    ------
    MeasurementInvalid
        If a count is missing, negative, more than 2**53 or no integer, or the counts contradict each other.
    """
    if usage is None:
        raise MeasurementInvalid(InvalidCode.WORK_FAILED, "the answer has no usage, so its tokens are unknown")
    if _has(usage, "prompt_tokens", "completion_tokens"):
        work = _openai(usage, sent="prompt", received="completion")
    elif _has(usage, "prompt_eval_count", "eval_count"):
        prompt = _count(usage, "prompt_eval_count") if _has(usage, "prompt_eval_count") else 0
        work = Work(input_tokens=prompt, output_tokens=_count(usage, "eval_count"))
    elif _has(usage, *_ANTHROPIC_CACHE):
        work = _anthropic(usage)
    else:
        work = _openai(usage, sent="input", received="output")
    return consistent(work)


def _openai(usage: object, *, sent: str, received: str) -> Work:
    return Work(
        input_tokens=_count(usage, f"{sent}_tokens"),
        output_tokens=_count(usage, f"{received}_tokens"),
        cached_input_tokens=_detail(usage, f"{sent}_tokens_details", "cached_tokens"),
        reasoning_tokens=_detail(usage, f"{received}_tokens_details", "reasoning_tokens"),
    )


def _anthropic(usage: object) -> Work:
    # Anthropic counts only what its cache did not serve or store as `input_tokens`.
    caches = {name: _count(usage, name) for name in _ANTHROPIC_CACHE if _has(usage, name)}
    return Work(
        input_tokens=_count(usage, "input_tokens") + sum(caches.values()),
        output_tokens=_count(usage, "output_tokens"),
        cached_input_tokens=caches.get("cache_read_input_tokens"),
    )


def total_work(parts: Sequence[Work]) -> Work:
    """Add counts; one that any part lacks is unknown for the whole. Raises MeasurementInvalid as `consistent` does."""
    sums: dict[str, int] = {}
    for name in Work.__struct_fields__:
        counts = [getattr(part, name) for part in parts]
        if None not in counts:
            sums[name] = sum(counts)
    return consistent(Work(**sums))


def consistent(work: Work) -> Work:
    """Give it back, unless some count is more than 2**53, or a part than the whole. Raises MeasurementInvalid."""
    for name in work.__struct_fields__:
        if (getattr(work, name) or 0) > MAX_COUNT:
            raise MeasurementInvalid(
                InvalidCode.WORK_FAILED, f"inconsistent usage: more than 2**53 {name}, so none is believed"
            )
    for part, whole in (("cached_input_tokens", "input_tokens"), ("reasoning_tokens", "output_tokens")):
        some, every = getattr(work, part), getattr(work, whole)
        if some is not None and every is not None and some > every:
            raise MeasurementInvalid(
                InvalidCode.WORK_FAILED, f"inconsistent usage: {some} {part} of {every} {whole}, so neither is believed"
            )
    return work


def _get(usage: object, name: str) -> object:
    return usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)


def _has(usage: object, *names: str) -> bool:
    return any(_get(usage, name) is not None for name in names)


def _detail(usage: object, details: str, name: str) -> int | None:
    found = _get(usage, details)
    return None if found is None or not _has(found, name) else _count(found, name, prefix=f"{details}.")


def _count(usage: object, name: str, *, prefix: str = "") -> int:
    value = _get(usage, name)
    if value is None:
        raise MeasurementInvalid(
            InvalidCode.WORK_FAILED, f"usage.{prefix}{name} is missing, so the tokens of an answer are unknown"
        )
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        # The value is a server's and could hold anything, so only its kind or its number is shown.
        shown = value if isinstance(value, int | float) else f"a {type(value).__name__}"
        raise MeasurementInvalid(
            InvalidCode.WORK_FAILED, f"usage.{prefix}{name} is {shown}, not a count of tokens from 0"
        )
    if value > MAX_COUNT:
        raise MeasurementInvalid(
            InvalidCode.WORK_FAILED, f"inconsistent usage: usage.{prefix}{name} is more than 2**53 tokens"
        )
    return value
