"""What each verdict rests on, for a reader who wants to see every trial: Runs and windows -> Evidence. Pure.

Nothing is decided here. Sessions and changes of level are those that the comparison found: they are not found again.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import structs

from energygate.history.timeline import WindowRules
from energygate.history.trend import Entry, entries_of
from energygate.history.window import Sessions
from energygate.model import Benchmark, Evidence, Level, Metric, Point, Run, Side, Trial
from energygate.policy import Policy

# How NVML's reasons are called here; its other ones (idle, fixed clocks) slow nothing down that would be faster else.
_SLOWED: Final[Mapping[str, str]] = {
    "hw_slowdown": "hardware",
    "hw_thermal_slowdown": "thermal",
    "sw_thermal_slowdown": "thermal, by its driver",
    "hw_power_brake_slowdown": "power brake",
    "sw_power_cap": "power limit",
}
_THERMAL: Final = "thermal"
_TEMPERATURES: Final = ("temp_start_c", "temp_end_c")


def stored_evidence(head: Run, windows: Sequence[Sessions], policy: Policy, rules: WindowRules) -> tuple[Evidence, ...]:
    """Give the evidence of benchmarks beside their stored sessions, in the order of `windows`.

    Parameters
    ----------
    windows : sequence of Sessions
        Found together; one of a benchmark that the head has not measured gives evidence without a head.
    rules : WindowRules
        By which they were found.
    """
    measured = {benchmark.name: benchmark for benchmark in head.benchmarks}
    found = [_evidence(window.benchmark, policy) for window in windows]
    return tuple(
        structs.replace(each, head=_side(head, measured.get(each.benchmark), each.metric), history=history)
        for each, history in zip(found, _histories(windows, rules), strict=True)
    )


def turns_evidence(base: Run, head: Run, missing: Sequence[Benchmark], policy: Policy) -> tuple[Evidence, ...]:
    """Give the evidence of benchmarks that were only measured in turns; those that the base lacks have a head alone."""
    alone = [
        structs.replace(_evidence(benchmark, policy), head=_side(head, benchmark, benchmark.primary))
        for benchmark in head.benchmarks
    ]
    paired = with_turns(alone, base, head)
    return (
        *(each if each.turns is None else structs.replace(each, head=None) for each in paired),
        *(_evidence(benchmark, policy) for benchmark in missing),
    )


def with_turns(found: Sequence[Evidence], base: Run, head: Run) -> tuple[Evidence, ...]:
    """Add the trials of benchmarks that were measured in turns."""
    bases, heads = ({each.name: each for each in run.benchmarks} for run in (base, head))
    return tuple(
        structs.replace(each, turns=(before, after))
        if (before := _side(base, bases.get(each.benchmark), each.metric))
        and (after := _side(head, heads.get(each.benchmark), each.metric))
        else each
        for each in found
    )


def _evidence(benchmark: Benchmark, policy: Policy) -> Evidence:
    rules = policy.rules_for(benchmark.name)
    return Evidence(
        benchmark=benchmark.name,
        metric=benchmark.primary,
        labels=benchmark.labels,
        budget=rules.budget,
        min_effect=rules.min_effect,
    )


def _side(run: Run, benchmark: Benchmark | None, metric: Metric) -> Side | None:
    if benchmark is None:
        return None
    points = tuple([_point(trial, metric) for trial in benchmark.trials])
    return Side(run_id=run.run_id, commit=run.source.commit, at=run.started_at, points=points)


def _point(trial: Trial, metric: Metric) -> Point:
    return Point(
        started_s=trial.started_s,
        duration_s=trial.duration_s,
        energy_j=trial.energy_j,
        value=trial.value(metric),
        work=trial.work,
        iterations=trial.iterations,
        block=trial.block,
        temperature_c=dict(_temperatures(trial.conditions)) if trial.conditions else {},
        throttled=tuple(_throttled(trial.conditions)) if trial.conditions else (),
        invalid=trial.invalid,
    )


def _temperatures(conditions: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Give the higher temperature of both ends, by what has a sensor: `cpu`, or a GPU's domain."""
    for name, found in _parts(conditions):
        ends = [found.get(key) for key in _TEMPERATURES]
        known = [float(each) for each in ends if isinstance(each, int | float) and math.isfinite(each)]
        if known:
            yield name, max(known)


def _throttled(conditions: Mapping[str, Any]) -> Iterator[str]:
    """Say what was slowed down, and by what: `gpu-0: thermal`."""
    for name, found in _parts(conditions):
        if found.get("throttled"):
            yield f"{name}: {_THERMAL}"  # what Linux counts of processors are thermal events
        reasons = found.get("reasons")
        if isinstance(reasons, list):
            yield from (f"{name}: {words}" for reason, words in _SLOWED.items() if reason in reasons)


def _parts(conditions: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give what was watched, by name. A run file may hold anything there, and other conditions have other keys."""
    return ((name, found) for name, found in conditions.items() if isinstance(found, dict))


def _histories(windows: Sequence[Sessions], rules: WindowRules) -> Iterator[tuple[Level, ...]]:
    sessions = [session for window in windows for session in window.found]
    values = sessions[0].samples.values_of_each() if sessions else []
    for window, entries in zip(windows, entries_of(windows, rules), strict=True):
        counting = {session.run.run_id: values[session.position] for session in window.found}
        yield tuple([_level(entry, counting.get(entry.run_id, ())) for entry in entries])


def _level(entry: Entry, values: tuple[float, ...]) -> Level:
    return Level(
        run_id=entry.run_id,
        commit=entry.commit,
        at=entry.at,
        value=entry.value,
        values=values,
        is_shifted=entry.is_shifted,
        change=None if entry.change is None else entry.change.ratio,
        is_certain=entry.change is not None and entry.change.is_certain,
        accepted=entry.accepted,
    )
