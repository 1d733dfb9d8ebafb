"""How long judging takes: arrays of logs, and whole runs, to verdicts.

CPU time of one thread, best of several rounds, without the imports: what is measured is the computation, not what
else the machine does. Run files are in memory already.
"""

import gc
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
from claims import Claim, settle
from msgspec import structs

from energygate.compare import CompareRules, compare
from energygate.gate import decide, stored_outcomes
from energygate.judging import judge
from energygate.model import Baseline, Benchmark, Machine, MeterInfo, Run, Source, Trial, Work
from energygate.policy import Policy
from energygate.report.json import encode_report
from energygate.stats.location import location
from energygate.stats.stored import Prior, between_sessions, stored

ROUNDS = 7
SESSIONS = 10
TRIALS = 30
MOST_MIB = 300
MIB = 2**10  # of the kibibytes that the kernel counts in
POLICY = Policy()


def main() -> int:
    """Measure, print, and settle the claims."""
    from_arrays_ms = {m: best_ms(partial(verdicts, logs_of(m))) for m in (200, 10_000)}
    head, baseline = runs_of(200)
    from_runs_ms = best_ms(lambda: decide(compare(head, baseline, rules=CompareRules(), limits={}), POLICY))
    report_ms = best_ms(lambda: judge(head, baseline, POLICY))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    print(f"benchmarks, each with {SESSIONS} sessions of {TRIALS} trials and a head of {TRIALS}: CPU ms")
    for m, spent_ms in from_arrays_ms.items():
        print(f"  {m:6} from arrays of logs to outcomes   {spent_ms:8.1f}")
    print(f"  {200:6} from runs to rows                  {from_runs_ms:8.1f}")
    print(f"  {200:6} from runs to a whole report        {report_ms:8.1f}")
    print_sizes()
    print(f"peak memory of the process {peak_mib:.0f} MiB, with the runs of 200 and the arrays of 10,000 in it")
    return settle(
        [
            claim("200 benchmarks from arrays", from_arrays_ms[200], 50),
            claim("10,000 benchmarks from arrays", from_arrays_ms[10_000], 500),
            claim("200 benchmarks from runs", from_runs_ms, 150),
            claim("200 benchmarks from runs to a report with every trial", report_ms, 150),
            Claim(f"peak memory {peak_mib:.0f} MiB (at most 300)", peak_mib <= MOST_MIB),
        ]
    )


def print_sizes() -> None:
    """Say how large the report file becomes, and how much of it is evidence."""
    print("report file, kB: with evidence, without")
    for benchmarks in (1, 20, 500):
        head, baseline = runs_of(benchmarks, trials=10)
        report = judge(head, baseline, POLICY)
        sizes = [len(encode_report(each)) / 1e3 for each in (report, structs.replace(report, evidence=()))]
        print(f"  {benchmarks:6} benchmarks, 10 trials, {SESSIONS} sessions   {sizes[0]:8.1f} {sizes[1]:8.1f}")


def claim(what: str, spent_ms: float, most_ms: float) -> Claim:
    """That something took no longer than it may."""
    return Claim(f"{what} in {spent_ms:.1f} CPU ms (at most {most_ms:g})", spent_ms <= most_ms)


def best_ms(work: Callable[[], object]) -> float:
    """CPU milliseconds of the fastest round, after one that does not count."""
    work()
    spent_s = []
    for _ in range(ROUNDS):
        gc.collect()
        started_s = time.process_time()
        work()
        spent_s.append(time.process_time() - started_s)
    return 1e3 * min(spent_s)


def logs_of(benchmarks: int, trials: int = TRIALS) -> np.ndarray:
    """Logs of all trials, shape (benchmarks, sessions and the head, trials)."""
    rng = np.random.default_rng(1)
    logs = rng.normal(np.log(100), 0.01, (benchmarks, SESSIONS + 1, trials))
    return logs + rng.normal(0, 0.01, (benchmarks, SESSIONS + 1, 1))


def verdicts(logs: np.ndarray) -> np.ndarray:
    """What the gate says of arrays."""
    sessions = location(logs[:, :-1])
    estimate = stored(location(logs[:, -1]), sessions, prior=Prior())
    found = stored_outcomes(estimate, sessions=SESSIONS, between=between_sessions(sessions), policy=POLICY)
    return found.outcome


def runs_of(benchmarks: int, trials: int = TRIALS) -> tuple[Run, Baseline]:
    """The same as runs, with requests and tokens counted."""
    energies_j = np.exp(logs_of(benchmarks, trials)).tolist()
    runs = [run_of([sessions[day] for sessions in energies_j], day) for day in range(SESSIONS + 1)]
    return runs[-1], Baseline(runs=tuple(reversed(runs[:-1])))


def run_of(energies_j: list[list[float]], day: int) -> Run:
    """One run of all benchmarks."""
    started_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=day)
    return Run(
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{day:010x}",
        started_at=started_at,
        source=Source(commit="0123456789abcdef0123456789abcdef01234567"),
        tool={},
        machine=Machine(fingerprint="0123456789ab", label="machine", hard={}),
        meters=(MeterInfo(name="rapl", kind="counter", domains=("package-0",), update_interval_s=0, resolution_j=0),),
        benchmarks=tuple(benchmark_of(i, each) for i, each in enumerate(energies_j)),
    )


def benchmark_of(number: int, energies_j: list[float]) -> Benchmark:
    """One benchmark with its trials."""
    trials = tuple(
        Trial(
            index=i,
            started_s=float(i),
            duration_s=1.0,
            energy_j={"package-0": energy_j},
            work=Work(requests=10, input_tokens=500, output_tokens=640),
        )
        for i, energy_j in enumerate(energies_j)
    )
    return Benchmark(name=f"bench.py::test_{number}", workload="a" * 64, trials=trials)


if __name__ == "__main__":
    raise SystemExit(main())
