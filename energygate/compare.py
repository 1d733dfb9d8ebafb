"""Run + Baseline -> Comparisons. Pure; a comparison is evidence, not a decision (docs/statistics.md).

For each benchmark of the head it finds the window of stored sessions, takes the logs of every quantity of interest,
and locates all of them together.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from energygate.model import Baseline, Benchmark, Machine, Metric, Outcome, Run, Trial, TrialCounts, reasons_by_code
from energygate.stats.estimate import Estimate, to_ratio
from energygate.stats.location import Location, locations, stack
from energygate.stats.stored import Prior, between_sessions, limit, stored

FEWEST_TRIALS: Final = 5
_NAMED: Final = 3
_COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens")
_NOTHING: Final[tuple[object, ...]] = (None, [], {})

Quantity = Callable[[Trial], float | None]
Logs = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which stored sessions count.

    Attributes
    ----------
    sessions : int
        At most so many, newest first.
    max_invalid : float
        Share of invalid trials above which the head's benchmark is invalid.
    prior : Prior
        What is assumed of the spread between sessions.
    """

    sessions: int = 10
    max_invalid: float = 0.2
    prior: Prior = field(default_factory=Prior)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a benchmark can't be judged, and the outcome that says so."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric on both sides, in its own unit, with the estimate of its log ratio where there is one."""

    metric: Metric
    head: float
    base: float | None = None
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCheck:
    """One metric against an absolute limit.

    Attributes
    ----------
    mean : float
        Arithmetic mean of the trials: a tail that the typical trial does not show raises it.
    """

    metric: Metric
    limit: float
    head: float
    mean: float
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One benchmark of the head beside its stored sessions.

    Attributes
    ----------
    primary : Change or None
        The deciding metric; None where the head has no usable trial.
    per_token : Change or None
        Joules per output token, where tokens are counted on both sides.
    between : float
        Variance between the sessions' logs; 0 for one session.
    work : mapping
        Ratio of each count per request, head over base; 0 where the head does none of it any more.
    domains : mapping
        Ratio of each domain's joules per request (or iteration).
    left_out : str
        Which stored runs of it are not among its sessions, and why; empty where all are.
    """

    benchmark: Benchmark
    obstacle: Obstacle | None
    trials: TrialCounts
    primary: Change | None = None
    per_token: Change | None = None
    limits: tuple[LimitCheck, ...] = ()
    sessions: int = 0
    between: float = 0.0
    work: Mapping[str, float] = field(default_factory=dict)
    domains: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: str = ""


def compare(
    head: Run, baseline: Baseline, *, window: Window, limits: Mapping[str, Mapping[Metric, float]]
) -> tuple[Comparison, ...]:
    """Compare every benchmark of the head with its stored sessions.

    Parameters
    ----------
    limits : mapping of benchmark name to mapping of metric to limit
        Absolute limits to check, in the metric's unit.
    """
    evidence = [_gather(head, benchmark, baseline, window, limits) for benchmark in head.benchmarks]
    located = _locate(evidence)
    return tuple(_conclude(each, places, window) for each, places in zip(evidence, located, strict=True))


def hard_key_differences(head: Machine, other: Machine) -> tuple[str, ...]:
    """Name the hard keys that differ, with both values: `governor: performance -> powersave`."""
    return _differences(other.hard, head.hard)


def soft_key_differences(head: Machine, other: Machine) -> tuple[str, ...]:
    """Name the soft keys that differ, with both values."""
    return _differences(other.soft, head.soft)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> tuple[str, ...]:
    found: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.extend(_differences(old, new, f"{prefix}{key}."))
        elif old != new:
            found.extend(_difference(f"{prefix}{key}", old, new))
    return tuple(found)


def _difference(key: str, old: Any, new: Any) -> tuple[str, ...]:
    both = (old, new)
    if all(isinstance(each, list) and all(isinstance(item, Mapping) for item in each) for each in both):
        pairs = zip_longest(old, new)
        numbered = {f"{key}.{i}": pair for i, pair in enumerate(pairs)}
        return _differences({k: v for k, (v, _) in numbered.items()}, {k: v for k, (_, v) in numbered.items()})
    return (f"{key}: {_shown(old)} \N{RIGHTWARDS ARROW} {_shown(new)}",)


def _shown(value: Any) -> str:
    """A value in words: `absent`, `on`, `performance, powersave`, `kind counter, domains package-0`."""
    if value in _NOTHING:
        return "absent"
    match value:
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(_shown(item) for item in value)
        case Mapping():
            return ", ".join(f"{key} {_shown(item)}" for key, item in value.items() if item not in _NOTHING)
        case _:
            return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What was gathered for one benchmark: for each quantity the head's logs, then those of each session."""

    benchmark: Benchmark
    obstacle: Obstacle | None
    trials: TrialCounts
    sessions: int
    limits: Mapping[Metric, float]
    usable: tuple[Trial, ...]
    quantities: Mapping[str, tuple[Logs, ...]]
    totals: Mapping[str, float]
    notes: tuple[str, ...]
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one quantity lies on both sides."""

    head: Location
    sessions: Location | None

    @property
    def ratio(self) -> float | None:
        return None if self.sessions is None else float(to_ratio(self.head.value - np.mean(self.sessions.value)))


def _gather(
    head: Run,
    benchmark: Benchmark,
    baseline: Baseline,
    window: Window,
    limits: Mapping[str, Mapping[Metric, float]],
) -> _Evidence:
    usable = usable_trials(benchmark, benchmark.primary)
    unusable = len(benchmark.trials) - len(usable)
    sessions, obstacle = _sessions(head, benchmark, baseline, window.sessions)
    used = [usable_trials(session, benchmark.primary) for session in sessions]
    return _Evidence(
        benchmark=benchmark,
        obstacle=_fault_of_head(benchmark, usable, window.max_invalid) or obstacle or too_few(len(usable)),
        trials=TrialCounts(base=sum(map(len, used)), head=len(usable), invalid=unusable),
        sessions=len(sessions),
        limits=limits.get(benchmark.name, {}),
        usable=usable,
        quantities=_quantities(benchmark, usable, used, limits.get(benchmark.name, {})),
        totals=_total_ratios(usable, used),
        notes=_notes(benchmark, usable, sessions),
        left_out=_left_out(benchmark, baseline, window.sessions),
    )


def usable_trials(benchmark: Benchmark, metric: Metric) -> tuple[Trial, ...]:
    """The valid trials whose metric is positive and finite: only those have a log."""
    return tuple(trial for trial in benchmark.valid if _is_positive(trial.value(metric)))


def _is_positive(value: float | None) -> bool:
    return value is not None and 0 < value < math.inf


def _fault_of_trial(trial: Trial) -> str:
    """Say why a valid trial can't be used."""
    if trial.work.requests == 0:
        return "0 requests were counted."
    return f"{trial.total_j:g} J is not the energy of any work."


def _fault_of_head(benchmark: Benchmark, usable: Sequence[Trial], max_invalid: float) -> Obstacle | None:
    if benchmark.invalid is not None:
        return Obstacle(outcome=Outcome.INVALID, reason=benchmark.invalid)
    unusable = [trial for trial in benchmark.trials if trial not in usable]
    replaced = math.ceil(max_invalid * len(usable))  # measuring replaces so many, of whichever count
    if usable and (len(unusable) <= replaced or len(unusable) / len(benchmark.trials) <= max_invalid):
        return None
    if not unusable:
        return Obstacle(outcome=Outcome.INVALID, reason="it measured no trial.")
    reasons = reasons_by_code(benchmark.trials)
    commonest = reasons[0][0] if reasons else _fault_of_trial(unusable[0])
    reason = f"{len(unusable)} of {len(benchmark.trials)} trials are invalid. {commonest}"
    return Obstacle(outcome=Outcome.INVALID, reason=reason)


def too_few(trials: int) -> Obstacle | None:
    """Say that so few valid trials give no interval, or None where they are enough."""
    if trials >= FEWEST_TRIALS:
        return None
    return Obstacle(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{trials} of {FEWEST_TRIALS} valid trials: too few for an interval. Raise trials.count.",
    )


def _sessions(
    head: Run, benchmark: Benchmark, baseline: Baseline, most: int
) -> tuple[tuple[Benchmark, ...], Obstacle | None]:
    """Find the stored sessions of a benchmark, newest first, or say why there are none."""
    if counting := session_runs(benchmark, baseline, most):
        return tuple(found for _, found in counting), None
    accepted = _until_accepted(baseline.runs, benchmark.name)
    stored_runs = [(run, found) for run in accepted if (found := run.benchmark(benchmark.name)) is not None]
    same_work = [(run, found) for run, found in stored_runs if found.workload == benchmark.workload]
    if same_work:
        return (), Obstacle(outcome=Outcome.NO_BASELINE, reason=_why_no_session(same_work, benchmark.primary))
    if stored_runs:
        reason = "the workload was changed since the stored runs, so they did other work. Record new ones."
        return (), Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    return (), _elsewhere(head, benchmark, baseline)


def session_runs(benchmark: Benchmark, baseline: Baseline, most: int) -> tuple[tuple[Run, Benchmark], ...]:
    """Find the stored runs of the same work that count as sessions, newest first and at most so many."""
    accepted = _until_accepted(baseline.runs, benchmark.name)
    found_in = ((run, found) for run in accepted if (found := run.benchmark(benchmark.name)) is not None)
    same_work = ((run, found) for run, found in found_in if found.workload == benchmark.workload)
    return tuple(each for each in same_work if _is_session(*each, benchmark.primary))[:most]


def _left_out(benchmark: Benchmark, baseline: Baseline, most: int) -> str:
    """Name the stored runs that are not among its sessions, and say why; nothing where it has as many as may count."""
    counting = {run.run_id for run, _ in session_runs(benchmark, baseline, most)}
    if len(counting) == most:
        return ""
    accepted = _until_accepted(baseline.runs, benchmark.name)
    stored_runs = ((run, found) for run in accepted if (found := run.benchmark(benchmark.name)) is not None)
    reasons = [
        f"{run.run_id} ({_why_not(run, found, benchmark)})" for run, found in stored_runs if run.run_id not in counting
    ]
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return f"{', '.join(reasons[:_NAMED])}{more}"


def _why_not(run: Run, found: Benchmark, benchmark: Benchmark) -> str:
    if found.workload != benchmark.workload:
        return "other work"
    if run.source.dirty:
        return "uncommitted changes"
    if found.noisy is not None:
        return "noisy"
    return "invalid" if found.invalid is not None else f"fewer than {FEWEST_TRIALS} valid trials"


def _why_no_session(stored_runs: Sequence[tuple[Run, Benchmark]], metric: Metric) -> str:
    """Say why none of the stored runs of the same work counts."""
    if all(run.source.dirty for run, _ in stored_runs):
        return "every stored run of it has uncommitted changes, and so describes no commit. Record clean ones."
    if all(found.noisy is not None for _, found in stored_runs):
        return f"it was noisy in every stored run. In the newest, {stored_runs[0][1].noisy} Record quiet ones."
    counted = " that count requests" if metric is Metric.J_PER_REQUEST else ""
    quiet = " and on a quiet machine" if any(found.noisy is not None for _, found in stored_runs) else ""
    needed = f"{FEWEST_TRIALS} valid trials of it{counted}, at a clean commit{quiet}"
    return f"none of the {len(stored_runs)} stored runs has {needed}. Record new ones."


def _until_accepted(newest_first: Sequence[Run], name: str) -> Iterator[Run]:
    """Give the runs down to the newest that accepts an increase of that benchmark, inclusive."""
    for run in newest_first:
        yield run
        if any(accepted.benchmark == name for accepted in run.accepts):
            return


def _is_session(run: Run, found: Benchmark, metric: Metric) -> bool:
    """Whether a stored run counts; a dirty tree describes no commit, and a noisy machine measured others too."""
    faultless = not run.source.dirty and found.invalid is None and found.noisy is None
    return faultless and len(usable_trials(found, metric)) >= FEWEST_TRIALS


def _elsewhere(head: Run, benchmark: Benchmark, baseline: Baseline) -> Obstacle:
    for run in baseline.others:
        if run.benchmark(benchmark.name) is not None:
            differences = "; ".join(hard_key_differences(head.machine, run.machine))
            reason = f"it was recorded on a different machine or set-up ({differences}). Record it on this one."
            return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    return Obstacle(outcome=Outcome.NO_BASELINE, reason="no stored run has it yet. Record one on the main branch.")


def _notes(benchmark: Benchmark, usable: Sequence[Trial], sessions: Sequence[Benchmark]) -> tuple[str, ...]:
    unusable = [trial for trial in benchmark.valid if trial not in usable]
    notes = [*benchmark.notes]
    notes += [f"trial {trial.index} does not count: {_fault_of_trial(trial)}" for trial in unusable]
    if sessions and usable:
        notes += _differences(sessions[0].labels, benchmark.labels)
    return tuple(notes)


def _quantities(
    benchmark: Benchmark,
    usable: Sequence[Trial],
    sessions: Sequence[Sequence[Trial]],
    limits: Mapping[Metric, float],
) -> dict[str, tuple[Logs, ...]]:
    metrics = {benchmark.primary, Metric.J_PER_OUTPUT_TOKEN, *limits}
    wanted: dict[str, Quantity] = {metric: _metric(metric) for metric in sorted(metrics)}
    wanted |= {f"work:{name}": _per_request(name) for name in _COUNTS}
    wanted |= {f"domain:{name}": _domain(name) for name in sorted({d for t in usable for d in t.energy_j})}
    found: dict[str, tuple[Logs, ...]] = {}
    for key, quantity in wanted.items():
        head = _logs(usable, quantity)
        base = [logs for session in sessions if (logs := _logs(session, quantity)) is not None]
        if head is not None:
            found[key] = (head, *base) if len(base) == len(sessions) else (head,)
    return found


def _metric(metric: Metric) -> Quantity:
    return lambda trial: trial.value(metric)


def _total_ratios(usable: Sequence[Trial], sessions: Sequence[Sequence[Trial]]) -> dict[str, float]:
    """Give the ratio of each count per request from totals: unlike a log, it knows work that is no longer done."""
    found: dict[str, float] = {}
    for name in _COUNTS:
        head = _total_per_request(usable, name)
        base = _total_per_request([trial for session in sessions for trial in session], name)
        if head is not None and base:
            found[name] = head / base
    return found


def _total_per_request(trials: Sequence[Trial], name: str) -> float | None:
    done, requests = ([getattr(trial.work, count) for trial in trials] for count in (name, "requests"))
    return None if None in done or None in requests or not any(requests) else sum(done) / sum(requests)


def _per_request(name: str) -> Quantity:
    def count(trial: Trial) -> float | None:
        done = getattr(trial.work, name)
        return done / trial.work.requests if done is not None and trial.work.requests else None

    return count


def _domain(name: str) -> Quantity:
    def joules(trial: Trial) -> float | None:
        energy_j = trial.energy_j.get(name)
        return None if energy_j is None else energy_j / (trial.work.requests or trial.iterations)

    return joules


def _logs(trials: Sequence[Trial], quantity: Quantity) -> Logs | None:
    """Logs of a quantity over all trials, or None where one trial lacks it."""
    values = [value for trial in trials if (value := quantity(trial)) is not None and 0 < value < math.inf]
    return np.log(values) if values and len(values) == len(trials) else None


def _locate(evidence: Sequence[_Evidence]) -> list[dict[str, _Place]]:
    """Locate every quantity of every benchmark, computing samples of one size together."""
    flat = [logs for each in evidence for sides in each.quantities.values() for logs in sides]
    found = iter(locations(flat))
    return [
        {
            key: _Place(head=next(found), sessions=stack([next(found) for _ in sides[1:]]) if sides[1:] else None)
            for key, sides in each.quantities.items()
        }
        for each in evidence
    ]


def _conclude(evidence: _Evidence, places: Mapping[str, _Place], window: Window) -> Comparison:
    primary = places.get(evidence.benchmark.primary)
    judged = evidence.obstacle is None
    per_token = places.get(Metric.J_PER_OUTPUT_TOKEN)
    sessions = primary.sessions if primary is not None else None
    return Comparison(
        benchmark=evidence.benchmark,
        obstacle=evidence.obstacle,
        trials=evidence.trials,
        primary=_change(evidence.benchmark.primary, primary, window.prior, judged=judged) if primary else None,
        per_token=_change(Metric.J_PER_OUTPUT_TOKEN, per_token, window.prior, judged=judged) if per_token else None,
        limits=tuple(_limits(evidence, places, window.prior)),
        sessions=evidence.sessions,
        between=0.0 if sessions is None else float(between_sessions(sessions)),
        work={**evidence.totals, **_ratios(places, "work:")},
        domains=_ratios(places, "domain:"),
        notes=evidence.notes,
        left_out=evidence.left_out,
    )


def _change(metric: Metric, place: _Place, prior: Prior, *, judged: bool) -> Change:
    head = math.exp(place.head.value)
    if place.sessions is None:
        return Change(metric=metric, head=head)
    estimate = stored(place.head, place.sessions, prior=prior) if judged else None
    return Change(metric=metric, head=head, base=math.exp(np.mean(place.sessions.value)), estimate=estimate)


def _limits(evidence: _Evidence, places: Mapping[str, _Place], prior: Prior) -> Iterator[LimitCheck]:
    if len(evidence.usable) < FEWEST_TRIALS:
        return
    for metric, bound in evidence.limits.items():
        place = places.get(metric)
        if place is not None:
            yield LimitCheck(
                metric=metric,
                limit=bound,
                head=math.exp(place.head.value),
                mean=_mean([trial.value(metric) or 0.0 for trial in evidence.usable]),
                estimate=limit(place.head, math.log(bound), place.sessions, prior=prior),
            )


def _mean(values: Sequence[float]) -> float:
    # Divided before it is summed: the sum of large energies may overflow, their mean does not.
    return math.fsum(value / len(values) for value in values)


def _ratios(places: Mapping[str, _Place], prefix: str) -> dict[str, float]:
    pairs = ((key, place.ratio) for key, place in places.items() if key.startswith(prefix))
    return {key.removeprefix(prefix): ratio for key, ratio in pairs if ratio is not None and ratio < math.inf}
