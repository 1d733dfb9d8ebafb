"""Builders of values for tests: each gives a whole, plausible value, and a test says only what matters to it."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from energygate.model import (
    Acceptance,
    Baseline,
    BaselineRuns,
    Benchmark,
    GateReport,
    Head,
    Idle,
    Location,
    Machine,
    MeterInfo,
    Metric,
    Outcome,
    PolicyView,
    Row,
    Run,
    Source,
    Trial,
    Work,
    count_outcomes,
)
from energygate.policy import FAILABLE, Policy
from energygate.workloads.base import WorkDone

NAME = "bench.py::test_encode"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FINGERPRINT = "0123456789ab"
FIRST_DAY = dt.datetime(2026, 11, 1, 3, 15, tzinfo=dt.UTC)
STEADY_J = (100.1, 99.8, 100.6, 100.2, 99.9)
"""Five trials that differ as trials do."""


def a_trial(
    *,
    index: int = 0,
    energy_j: float | Mapping[str, float] = 100.0,
    started_s: float | None = None,
    duration_s: float = 3.2,
    iterations: int = 1,
    invalid: str | None = None,
    block: int | None = None,
    conditions: Mapping[str, Any] | None = None,
    **counts: int,
) -> Trial:
    """Give one trial.

    Parameters
    ----------
    energy_j : float or mapping of domain to float
        A bare number is that of `package-0`.
    started_s : float, optional
        Right after the trial before, if left out.
    counts : int
        Work done: `requests`, `input_tokens`, `output_tokens`, …; what is not given is unknown.
    """
    domains = dict(energy_j) if isinstance(energy_j, Mapping) else {"package-0": energy_j}
    return Trial(
        index=index,
        started_s=index * (duration_s + 0.1) if started_s is None else started_s,
        duration_s=duration_s,
        energy_j=domains,
        work=Work(**counts),
        iterations=iterations,
        block=block,
        conditions=dict(conditions or {}),
        invalid=invalid,
    )


def a_trial_of(done: WorkDone) -> Trial:
    """Give a trial that did that."""
    return structs.replace(a_trial(conditions=done.conditions), work=done.work)


def server_pid(load: Any) -> int | None:
    """Give the process of the server that an inference workload has started; nobody but a test asks."""
    return load._server.pid  # noqa: SLF001


def some_blocks(energies_j: Iterable[float | Mapping[str, float]], **more: Any) -> tuple[Trial, ...]:
    """Give one side of an interleaved benchmark: a trial of each block, from 1; `more` goes to each of them."""
    return tuple(
        a_trial(index=index, energy_j=energy_j, block=index + 1, **more) for index, energy_j in enumerate(energies_j)
    )


def some_trials(energies_j: Iterable[float | Mapping[str, float]] = STEADY_J, **more: Any) -> tuple[Trial, ...]:
    """Give one trial for each energy; `more` goes to each of them."""
    return tuple(a_trial(index=index, energy_j=energy_j, **more) for index, energy_j in enumerate(energies_j))


def a_benchmark(
    *,
    name: str = NAME,
    trials: Iterable[Trial] | None = None,
    workload: str = "a" * 64,
    labels: Mapping[str, str] | None = None,
    invalid: str | None = None,
    noisy: str | None = None,
    location: Location | None = None,
    notes: tuple[str, ...] = (),
) -> Benchmark:
    """Give one benchmark; five steady trials without counted work where none are given."""
    return Benchmark(
        name=name,
        workload=workload,
        labels=dict(labels or {}),
        trials=some_trials() if trials is None else tuple(trials),
        invalid=invalid,
        noisy=noisy,
        location=location,
        notes=notes,
    )


def a_machine(
    *,
    fingerprint: str = FINGERPRINT,
    hard: Mapping[str, Any] | None = None,
    soft: Mapping[str, Any] | None = None,
) -> Machine:
    """Give one machine; give another fingerprint with other `hard` keys."""
    return Machine(
        fingerprint=fingerprint,
        label="epyc-7763-2s",
        hard={"governor": "performance"} if hard is None else dict(hard),
        soft={"kernel": "6.8.0"} if soft is None else dict(soft),
    )


def a_meter(*, name: str = "rapl", kind: str = "counter", domains: tuple[str, ...] = ("package-0",)) -> MeterInfo:
    """Give what a run says of one meter."""
    return MeterInfo(name=name, kind=kind, domains=domains, update_interval_s=0.001, resolution_j=6.1e-05)


def a_run(
    *benchmarks: Benchmark,
    day: int = 1,
    commit: str | None = COMMIT,
    dirty: bool = False,
    machine: Machine | None = None,
    meters: tuple[MeterInfo, ...] | None = None,
    idle: Idle | None = None,
    accepts: tuple[Acceptance, ...] = (),
    notes: tuple[str, ...] = (),
) -> Run:
    """Give one run of some benchmarks; another `day` gives another session, with its own time and id."""
    started_at = FIRST_DAY + dt.timedelta(days=day - 1)
    return Run(
        run_id=f"{started_at:%Y%m%dT%H%M%SZ}-{day:010x}",
        started_at=started_at,
        source=Source(commit=commit, branch="main", dirty=dirty, repository="owner/name"),
        tool={"energygate": "0.1.0", "python": "3.11.7"},
        machine=a_machine() if machine is None else machine,
        meters=(a_meter(),) if meters is None else meters,
        benchmarks=benchmarks,
        idle=idle,
        accepts=accepts,
        notes=notes,
    )


def a_baseline(*sessions: Benchmark | Iterable[Benchmark], others: Iterable[Run] = ()) -> Baseline:
    """Give stored runs, newest first: one for each session, which is a benchmark or several measured together."""
    measured = [(each,) if isinstance(each, Benchmark) else tuple(each) for each in sessions]
    newest_first = (a_run(*each, day=len(measured) - age) for age, each in enumerate(measured))
    return Baseline(runs=tuple(newest_first), others=tuple(others))


def an_acceptance(*, benchmark: str = NAME, by: str = "alice", reason: str = "a better model") -> Acceptance:
    """Give one accepted increase."""
    return Acceptance(benchmark=benchmark, by=by, reason=reason, at=FIRST_DAY)


def a_row(*, outcome: Outcome = Outcome.PASS, benchmark: str = NAME, **more: Any) -> Row:
    """Give one row of a report: +1 % against four sessions, unless `more` says otherwise."""
    return Row(
        **{
            "benchmark": benchmark,
            "metric": Metric.ENERGY_J,
            "outcome": outcome,
            "reason": "+1.0 %, within the budget of 5 %.",
            "base": 100.0,
            "head": 101.0,
            "ratio": 1.01,
            "ratio_low": 0.99,
            "ratio_high": 1.03,
            "p_value": 0.2,
            "p_adjusted": 0.2,
            "sessions": 4,
        }
        | more
    )


def a_report(
    *rows: Row,
    exit_code: int = 0,
    verdict: str = "passed",
    warnings: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> GateReport:
    """Give one whole verdict over some rows."""
    policy = Policy()
    return GateReport(
        verdict=verdict,
        exit_code=exit_code,
        counts=count_outcomes(rows),
        tool={"energygate": "0.1.0", "python": "3.11.7"},
        head=Head(run_id="20261122T031500Z-1a2b3c4d5e", commit=COMMIT),
        baseline=BaselineRuns(runs=("20261101T031500Z-0000000001",), commits=(COMMIT,)),
        machine=a_machine(),
        meters=(a_meter(),),
        policy=PolicyView(
            budget=policy.budget,
            min_effect=policy.min_effect,
            false_alarms=policy.false_alarms,
            adjust=policy.adjust,
            fail_on=tuple(outcome for outcome in FAILABLE if outcome in policy.fail_on),
        ),
        comparisons=rows,
        warnings=warnings,
        notes=notes,
    )
