"""A report like that of an LLM suite on a server with a GPU, simulated: for pictures, tests and `html_report.py`.

    python benchmarks/example_report.py [BENCHMARKS] > report.json

Nothing in it was measured. The numbers are drawn from one seed, so they are the same each time.
"""

import datetime as dt
import math
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energygate.model import (
    Acceptance,
    BaselineRuns,
    Evidence,
    GateReport,
    Head,
    Level,
    Location,
    Machine,
    MeterInfo,
    Metric,
    Outcome,
    Point,
    PolicyView,
    Row,
    Side,
    Times,
    TrialCounts,
    Work,
    count_outcomes,
)
from energygate.report.json import encode_report
from energygate.units import format_change

FEW = 12
HEAD = "8c41f0d27be9a3516f0e7d4c2b9a8f7e6d5c4b3a"
BASE = "2f9be6c10d84e7a35b1c9f8e7d6c5b4a39281706"
STARTED = dt.datetime(2026, 11, 20, 3, 15, tzinfo=dt.UTC)
MODELS = ("smollm2-1.7b", "qwen3-8b", "llama3.1-8b", "gemma3-4b")
MIXES = ("chat", "summarise", "rag", "code")
BUDGET, MIN_EFFECT = 0.05, 0.02
SESSIONS, COMPARED, TRIALS, BLOCKS = 14, 9, 10, 20
SHARES = {"package-0": 0.23, "dram-0": 0.05, "gpu-0": 0.72}
REQUESTS, OUTPUT_TOKENS, INPUT_TOKENS = 32, 4096, 16384
T_90 = 1.729  # Student's t at 95 %, 19 degrees of freedom
INVALID = "throttled: gpu-0 was slowed down by its power brake for 41 % of the trial."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What happens to a benchmark: by how much it changed, how it was judged, how noisy it is."""

    outcome: Outcome
    ratio: float
    how: str = "stored"
    noise: float = 0.008


PASSES = Kind(outcome=Outcome.PASS, ratio=1.004)
KINDS = {
    0: Kind(outcome=Outcome.REGRESSED, ratio=1.094, how="interleaved", noise=0.02),
    1: Kind(outcome=Outcome.INCONCLUSIVE, ratio=1.031, how="interleaved", noise=0.05),
    2: Kind(outcome=Outcome.IMPROVED, ratio=0.927),
}


def example_report(benchmarks: int = FEW) -> GateReport:
    """Give a report of so many benchmarks: the first regressed, the second inconclusive, the third improved."""
    chance = random.Random(7)  # noqa: S311  the same numbers each time
    made = [_benchmark(place, chance) for place in range(benchmarks)]
    order = list(Outcome)
    rows = tuple(sorted((row for found, _ in made for row in found), key=lambda row: order.index(row.outcome)))
    return GateReport(
        verdict="failed",
        exit_code=1,
        counts=count_outcomes(rows),
        tool={"energygate": "0.1.0", "python": "3.12.7"},
        head=Head(run_id="20261120T031500Z-8c41f0d27b", commit=HEAD),
        base=Head(run_id="20261120T034100Z-2f9be6c10d", commit=BASE),
        baseline=BaselineRuns(runs=tuple(_run_id(day) for day in range(1, SESSIONS + 1)), commits=(_commit(SESSIONS),)),
        machine=_machine(),
        meters=_meters(),
        policy=PolicyView(
            budget=BUDGET,
            min_effect=MIN_EFFECT,
            false_alarms=0.05,
            adjust="bh",
            fail_on=("regressed", "over_limit", "invalid"),
        ),
        comparisons=rows,
        warnings=("the machine differs from the stored runs: kernel 6.8.0-48 instead of 6.8.0-47 (noted, not fatal)",),
        notes=("2 of the suspects were measured again in turns with the base, in 20 blocks",),
        evidence=tuple(evidence for _, evidence in made),
    )


def _benchmark(place: int, chance: random.Random) -> tuple[tuple[Row, ...], Evidence]:
    kind = KINDS.get(place, PASSES)
    name = f"{MIXES[place // 4 % 4]}.energy.yml::{MODELS[place % 4]}" + (f"-{place // 16}" if place >= 16 else "")
    level = 180.0 * (1 + place % 7) ** 0.5
    ratio = kind.ratio * math.exp(chance.gauss(0, 0.003))
    history = tuple(_history(place, name, level, kind, chance))
    head = _side(HEAD, [level * ratio] * TRIALS, kind, chance)
    turns = _turns(level, ratio, kind, chance) if kind.how == "interleaved" else None
    evidence = Evidence(
        benchmark=name,
        metric=Metric.J_PER_REQUEST,
        labels={"model": MODELS[place % 4], "concurrency": "8", "prompt mix": MIXES[place // 4 % 4]},
        budget=BUDGET,
        min_effect=MIN_EFFECT,
        head=head,
        turns=turns,
        history=history,
    )
    return tuple(_rows(evidence, kind, place)), evidence


def _turns(level: float, ratio: float, kind: Kind, chance: random.Random) -> tuple[Side, Side]:
    drift = [math.exp(0.01 * math.sin(block / 3)) for block in range(BLOCKS)]
    base = _side(BASE, [level * each for each in drift], kind, chance, slot=0)
    head = _side(HEAD, [level * ratio * each for each in drift], kind, chance, slot=1)
    return base, head


def _side(commit: str, levels: Sequence[float], kind: Kind, chance: random.Random, *, slot: int | None = None) -> Side:
    points = [_point(index, level, kind, chance, slot) for index, level in enumerate(levels)]
    if slot is not None and kind.outcome is Outcome.REGRESSED:
        points[7:7] = [_throttled(points[7])] if slot else []
    return Side(run_id=f"{STARTED:%Y%m%dT%H%M%SZ}-{commit[:10]}", commit=commit, at=STARTED, points=tuple(points))


def _point(index: int, level: float, kind: Kind, chance: random.Random, slot: int | None) -> Point:
    value = level * math.exp(chance.gauss(0, kind.noise))
    place = index if slot is None else 2 * index + (slot if index % 2 else 1 - slot)
    duration_s = 21.0 * math.exp(chance.gauss(0, 0.004))
    return Point(
        started_s=round(place * 22.4 + 3, 3),
        duration_s=round(duration_s, 4),
        energy_j={name: round(share * value * REQUESTS, 2) for name, share in SHARES.items()},
        value=value,
        work=Work(requests=REQUESTS, input_tokens=INPUT_TOKENS, output_tokens=OUTPUT_TOKENS),
        block=None if slot is None else index + 1,
        temperature_c={
            "gpu-0": round(71 - 16 * math.exp(-(place + 1) / 4) + chance.gauss(0, 0.4), 1),
            "package-0": round(62 - 9 * math.exp(-(place + 1) / 4) + chance.gauss(0, 0.5), 1),
        },
    )


def _throttled(point: Point) -> Point:
    return Point(
        started_s=point.started_s - 8,
        duration_s=point.duration_s * 1.21,
        energy_j=point.energy_j,
        value=(point.value or 0.0) * 1.052,
        work=point.work,
        block=point.block,
        temperature_c=point.temperature_c,
        throttled=("gpu-0: power brake",),
        invalid=INVALID,
    )


def _history(place: int, name: str, level: float, kind: Kind, chance: random.Random) -> Iterator[Level]:
    """Give stored sessions: in every fourth benchmark one accepted step; one session on a changed machine."""
    step = place % 4 == 0
    for day in range(1, SESSIONS + 1):
        shifted, before = day == 9, step and day < 5
        between = math.exp(chance.gauss(0, kind.noise / 2))
        value = level * between / (1.08 if before else 1) * (1.17 if shifted else 1)
        at = STARTED - dt.timedelta(days=(SESSIONS + 1 - day) * 3)
        changed = step and day == 5
        accepted = Acceptance(benchmark=name, by="alice", reason="longer context by default (#418)", at=at)
        yield Level(
            run_id=_run_id(day),
            commit=_commit(day),
            at=at,
            value=value,
            values=tuple(value * math.exp(chance.gauss(0, kind.noise)) for _ in range(TRIALS))
            if not shifted and not before
            else (),
            is_shifted=shifted,
            change=1.08 if changed else None,
            is_certain=changed,
            accepted=(accepted,) if changed else (),
        )


def _rows(evidence: Evidence, kind: Kind, place: int) -> Iterator[Row]:
    base, head, half = _compared(evidence)
    ratio = head / base
    row = Row(
        benchmark=evidence.benchmark,
        metric=Metric.J_PER_REQUEST,
        outcome=kind.outcome,
        reason=_reason(kind, ratio),
        base=base,
        head=head,
        ratio=ratio,
        ratio_low=ratio * math.exp(-half),
        ratio_high=ratio * math.exp(half),
        p_value=0.0002 if kind.outcome is Outcome.REGRESSED else 0.21,
        p_adjusted=0.0024 if kind.outcome is Outcome.REGRESSED else 0.34,
        trials=TrialCounts(base=TRIALS * COMPARED, head=BLOCKS if evidence.turns else TRIALS, invalid=int(place == 0)),
        sessions=0 if evidence.turns else COMPARED,
        blocks=BLOCKS if evidence.turns else 0,
        how="interleaved" if evidence.turns else "stored",
        detectable=1.031 if evidence.turns else None,
        domains={name: 1 + (ratio - 1) * weight for name, weight in zip(SHARES, (0.7, 0.2, 1.15), strict=True)},
        work={"output_tokens": 1.0},
        times={
            "ttft_s": Times(head=0.214 * ratio, base=0.214),
            "request_s": Times(head=4.81 * ratio, base=4.81),
            "output_tokens_per_s": Times(head=192.0 / ratio, base=192.0),
        },
        location=Location(file=evidence.benchmark.partition("::")[0], line=12 + place),
        history=tuple(level.value for level in evidence.history if level.values),
    )
    yield row
    tokens = OUTPUT_TOKENS / REQUESTS
    yield Row(
        benchmark=row.benchmark,
        metric=Metric.J_PER_OUTPUT_TOKEN,
        outcome=row.outcome,
        reason=row.reason,
        base=base / tokens,
        head=head / tokens,
        ratio=row.ratio,
        ratio_low=row.ratio_low,
        ratio_high=row.ratio_high,
        trials=row.trials,
        sessions=row.sessions,
        blocks=row.blocks,
        how=row.how,
    )


def _compared(evidence: Evidence) -> tuple[float, float, float]:
    """Give typical base and head, and half the width of the interval of the log-ratio."""
    if evidence.turns is not None:
        base, head = ([point.value or 0.0 for point in side.points if point.invalid is None] for side in evidence.turns)
        logs = [math.log(after / before) for before, after in zip(base, head, strict=True)]
        middle = statistics.median(base)
        return middle, middle * math.exp(statistics.mean(logs)), T_90 * statistics.stdev(logs) / math.sqrt(len(logs))
    stored = [level.value for level in evidence.history if level.values]
    points = () if evidence.head is None else evidence.head.points
    return statistics.median(stored), statistics.median(point.value or 0.0 for point in points), 0.021


def _reason(kind: Kind, ratio: float) -> str:
    """Word it as the gate does."""
    change = format_change(ratio)
    match kind.outcome:
        case Outcome.REGRESSED:
            return f"{change} against the base in {BLOCKS} blocks: above the budget of 5 %."
        case Outcome.INCONCLUSIVE:
            could = f"{BLOCKS} blocks could detect about +3.1 %; it lies too close to the budget to tell"
            cure = "Raise confirm.min_blocks, or choose another budget"
            return f"{change}: neither within the budget of 5 % nor above it. {could}. {cure}."
        case Outcome.IMPROVED:
            return f"{change} against {COMPARED} stored sessions."
        case _:
            return f"{change}, within the budget of 5 %."


def _run_id(day: int) -> str:
    at = STARTED - dt.timedelta(days=(SESSIONS + 1 - day) * 3)
    return f"{at:%Y%m%dT%H%M%SZ}-{day:010x}"


def _commit(day: int) -> str:
    return f"{random.Random(day).getrandbits(160):040x}"  # noqa: S311  the same each time


def _machine() -> Machine:
    return Machine(
        fingerprint="5b1c9f8e7d6c",
        label="epyc-7763-2s-h100",
        hard={
            "cpu": "AMD EPYC 7763",
            "sockets": 2,
            "governor": "performance",
            "turbo": False,
            "gpus": ["NVIDIA H100 PCIe"],
        },
        soft={"kernel": "6.8.0-48-generic", "driver": "570.86.15", "microcode": "0xa0011d5"},
    )


def _meters() -> tuple[MeterInfo, ...]:
    return (
        MeterInfo(
            name="rapl",
            kind="counter",
            domains=("package-0", "dram-0"),
            update_interval_s=0.001,
            resolution_j=6.1e-05,
        ),
        MeterInfo(name="nvml", kind="counter", domains=("gpu-0",), update_interval_s=0.1, resolution_j=0.001),
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(encode_report(example_report(int(sys.argv[1]) if len(sys.argv) > 1 else FEW)))
