"""Adding up the answers of one trial: counts, and how it went."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from energygate.model import Work
from energygate.workloads.answers import Counted
from energygate.workloads.http import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """One counted answer of a trial.

    Attributes
    ----------
    request : int
        Which of the suite's requests it answers, from 0.
    """

    request: int
    duration_s: float
    counted: Counted


def total_work(parts: Sequence[Work]) -> Work:
    """Add counts; one that any part lacks is unknown for the whole."""
    sums: dict[str, int] = {}
    for name in Work.__struct_fields__:
        counts = [getattr(part, name) for part in parts]
        if None not in counts:
            sums[name] = sum(counts)
    return Work(**sums)


def inference_conditions(answers: Sequence[Tallied], exchange: Exchange) -> Mapping[str, Any]:
    """Latencies, rate, the client's own cost, and digests: equal digests are equal work, and equal texts."""
    times_s = [answer.duration_s for answer in answers]
    output_tokens = sum(answer.counted.work.output_tokens or 0 for answer in answers)
    return {
        "request_s": {"p50": percentile(times_s, 0.5), "p95": percentile(times_s, 0.95)},
        "output_tokens_per_s": output_tokens / exchange.duration_s,
        "client_cpu_s": exchange.client_cpu_s,
        "finish": dict(sorted(Counter(answer.counted.finish for answer in answers).items())),
        "work_digest": _digest([_work_row(answer) for answer in answers]),
        "output_digest": _digest([(answer.request, answer.counted.text) for answer in answers]),
    }


def percentile(values: Sequence[float], fraction: float) -> float:
    """Give the smallest value that at least `fraction` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]


def _work_row(answer: Tallied) -> tuple[int, int | None, int | None, str]:
    work = answer.counted.work
    return answer.request, work.input_tokens, work.output_tokens, answer.counted.finish


def _digest(rows: Sequence[tuple[Any, ...]]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(rows))).hexdigest()
