"""Adding up the answers of one trial: counts, and how it went."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from energygate.workloads.inference.answers import Counted
from energygate.workloads.inference.exchange import Exchange
from energygate.workloads.tokens import total_work


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """One counted answer of a trial.

    Attributes
    ----------
    request : int
        Which of the suite's requests it answers, from 0.
    first_s : float or None
        From sending to the first token; unknown of an unstreamed answer.
    """

    request: int
    duration_s: float
    counted: Counted
    first_s: float | None = None


def inference_conditions(answers: Sequence[Tallied], exchange: Exchange, *, concurrency: int) -> Mapping[str, Any]:
    """Latencies, rate, the client's own cost, and digests: equal digests are equal work, and equal texts.

    Parameters
    ----------
    concurrency : int
        How many requests were in flight at once. Above 1 their phases overlap, and a sum would be no time.
    """
    conditions: dict[str, Any] = {
        "request_s": _spread([answer.duration_s for answer in answers]),
        "client_cpu_s": exchange.client_cpu_s,
        "finish": dict(sorted(Counter(answer.counted.finish for answer in answers).items())),
        "work_digest": _digest([_work_row(answer) for answer in answers]),
        "output_digest": _digest([(answer.request, answer.counted.text) for answer in answers]),
    }
    if (output_tokens := total_work([answer.counted.work for answer in answers]).output_tokens) is not None:
        conditions["output_tokens_per_s"] = output_tokens / exchange.duration_s
    first_s = [answer.first_s for answer in answers if answer.first_s is not None]
    if len(first_s) == len(answers):
        conditions["ttft_s"] = _spread(first_s)
    timings = [answer.counted.timings for answer in answers if answer.counted.timings is not None]
    if concurrency == 1 and len(timings) == len(answers):
        conditions["phases"] = {
            "prefill_s": math.fsum(each.prefill_s for each in timings),
            "decode_s": math.fsum(each.decode_s for each in timings),
        }
    return conditions


def _spread(values: Sequence[float]) -> Mapping[str, float]:
    return {"p50": percentile(values, 0.5), "p95": percentile(values, 0.95)}


def percentile(values: Sequence[float], fraction: float) -> float:
    """Give the smallest value that at least `fraction` of the values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(fraction * len(values)) - 1)]


def _work_row(answer: Tallied) -> tuple[int, int | None, int | None, str]:
    work = answer.counted.work
    return answer.request, work.input_tokens, work.output_tokens, answer.counted.finish


def _digest(rows: Sequence[tuple[Any, ...]]) -> str:
    """Digest what one pass did, however many passes there were, and in whatever order it came."""
    counts = Counter(rows)
    passes = math.gcd(*counts.values())
    once = sorted(row for row, times in counts.items() for _ in range(times // passes))
    return hashlib.sha256(msgspec.json.encode(once)).hexdigest()
