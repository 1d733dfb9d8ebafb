"""The head beside its stored sessions, and beside those of pinned commits."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from energygate.compare.anchors import check_anchor
from energygate.compare.answers import changed_answers, times_of_both
from energygate.compare.limits import limit_checks
from energygate.compare.notes import all_standing_apart, notes_of
from energygate.compare.obstacles import fault_of_benchmark, left_out, no_session, too_few
from energygate.compare.places import DOMAIN, WORK, Places, locate, quantities_of
from energygate.compare.values import AnchorCheck, Change, CompareRules, Comparison, Obstacle
from energygate.history.sessions import Session
from energygate.history.stored import Stored, find_stored
from energygate.model import Baseline, Benchmark, Metric, Run, Trial, TrialCounts
from energygate.samples import COUNTS, DECIDING, Samples, samples
from energygate.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What was computed for all benchmarks together; each has its position."""

    benchmarks: tuple[Benchmark, ...]
    usable: tuple[tuple[Trial, ...], ...]
    obstacles: tuple[Obstacle | None, ...]
    stored: Stored
    places: Places
    primary: Mapping[int, Estimate]
    per_token: Mapping[int, Estimate]
    between: Sequence[float]
    work: Sequence[Mapping[str, float]]
    domains: Sequence[Mapping[str, float]]
    apart: Sequence[tuple[str, ...]]


def compare(
    head: Run, baseline: Baseline, *, rules: CompareRules, limits: Mapping[str, Mapping[Metric, float]]
) -> tuple[Comparison, ...]:
    """Compare every benchmark of the head with its stored sessions.

    Parameters
    ----------
    limits : mapping of benchmark name to mapping of metric to limit
        Absolute limits to check, in the metric's unit.
    """
    found = _gather(head, baseline, rules, {metric for each in limits.values() for metric in each})
    return tuple(
        _conclude(position, found, baseline, rules, limits.get(benchmark.name, {}))
        for position, benchmark in enumerate(head.benchmarks)
    )


def _gather(head: Run, baseline: Baseline, rules: CompareRules, metrics: Iterable[Metric]) -> _Gathered:
    benchmarks, deciding = head.benchmarks, [benchmark.primary for benchmark in head.benchmarks]
    stored = find_stored(benchmarks, baseline, rules.window_rules(head.started_at.date()))
    heads = samples(benchmarks, deciding)
    sessions = _together([each.found for each in stored.windows])
    counts = [len(each.found) for each in stored.windows]
    places = locate(heads, sessions, counts, quantities_of(benchmarks, metrics))
    usable = tuple(heads.trials_of_each())
    obstacles = tuple(
        fault_of_benchmark(benchmark, trials, rules.max_invalid)
        or (None if count else no_session(head, benchmark, baseline))
        or too_few(len(trials))
        for benchmark, trials, count in zip(benchmarks, usable, counts, strict=True)
    )
    judged = np.array([obstacle is None for obstacle in obstacles], dtype=bool)
    return _Gathered(
        benchmarks=benchmarks,
        usable=usable,
        obstacles=obstacles,
        stored=stored,
        places=places,
        primary=places.estimates(DECIDING, rules.prior, judged=judged),
        per_token=places.estimates(Metric.J_PER_OUTPUT_TOKEN, rules.prior, judged=judged),
        between=places.between().tolist(),
        work=_work(heads, sessions, places),
        domains=places.ratios(DOMAIN),
        apart=all_standing_apart(
            heads.deciding_of_each(), [[trial.number for trial in trials] for trials in usable], called="trial"
        ),
    )


def _together(sessions: Sequence[tuple[Session, ...]]) -> Samples:
    """The trials of all these sessions, one after the other."""
    flat = [session for each in sessions for session in each]
    return flat[0].samples.take([session.position for session in flat]) if flat else samples([], [])


def _work(heads: Samples, sessions: Samples, places: Places) -> list[dict[str, float]]:
    """Ratio of each count per request; from totals where a log is not known: of work that is no longer done, say."""
    owner = np.repeat(np.arange(places.counts.size), places.counts)
    by_logs = places.ratios(WORK)
    for name in COUNTS:
        base = [
            np.bincount(owner, weights=sessions.total(of), minlength=places.counts.size) for of in (name, "requests")
        ]
        head = [heads.total(of) for of in (name, "requests")]
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # what was not counted gives no ratio, what was 0 an infinite
            ratios = (head[0] / head[1]) / (base[0] / base[1])
        for found, ratio in zip(by_logs, ratios.tolist(), strict=True):
            if not math.isnan(ratio):
                found.setdefault(name, ratio)
    return by_logs


def _conclude(
    position: int, found: _Gathered, baseline: Baseline, rules: CompareRules, limits: Mapping[Metric, float]
) -> Comparison:
    benchmark = found.benchmarks[position]
    sessions, usable = found.stored.windows[position], found.usable[position]
    anchors = list(_anchors(position, found, baseline, rules))
    newest = sessions.found[0].benchmark if sessions.found else None
    return Comparison(
        benchmark=benchmark,
        obstacle=found.obstacles[position],
        trials=TrialCounts(
            base=sum(int(session.place.n) for session in sessions.found),
            head=len(usable),
            invalid=len(benchmark.trials) - len(usable),
        ),
        primary=_change(position, DECIDING, benchmark.primary, found.places, found.primary),
        per_token=_change(
            position, Metric.J_PER_OUTPUT_TOKEN, Metric.J_PER_OUTPUT_TOKEN, found.places, found.per_token
        ),
        limits=tuple(limit_checks(limits, usable, found.places, position, rules.prior)),
        anchors=tuple(check for check in anchors if isinstance(check, AnchorCheck)),
        sessions=len(sessions.found),
        between=found.between[position],
        work=found.work[position],
        domains=found.domains[position],
        changed=tuple(changed_answers(newest.valid, usable)) if newest else (),
        times=times_of_both((trial for session in sessions.found for trial in session.benchmark.valid), usable),
        window=sessions,
        notes=(
            *notes_of(benchmark, usable, newest),
            *found.apart[position],
            *sessions.notes,
            *(note for note in anchors if isinstance(note, str)),
        ),
        left_out=left_out(benchmark, baseline, sessions, found.stored.rules),
        warnings=found.stored.warnings,
    )


def _change(
    position: int, quantity: str, metric: Metric, places: Places, estimates: Mapping[int, Estimate]
) -> Change | None:
    head = places.head_of(position, quantity)
    if head is None:
        return None
    base = places.base_of(position, quantity)
    return Change(metric=metric, head=math.exp(head.value), base=base, estimate=estimates.get(position))


def _anchors(position: int, found: _Gathered, baseline: Baseline, rules: CompareRules) -> Iterator[AnchorCheck | str]:
    benchmark, usable = found.benchmarks[position], found.usable[position]
    fault = fault_of_benchmark(benchmark, usable, rules.max_invalid) or too_few(len(usable))
    for name, commit in rules.anchors.items():
        checked = check_anchor(
            name,
            commit,
            benchmark,
            baseline,
            head=None if fault else found.places.head_of(position, DECIDING),
            window=found.stored.windows[position].found,
            stored=found.stored.every[position],
            prior=rules.prior,
        )
        yield replace(checked, obstacle=fault) if fault and isinstance(checked, AnchorCheck) else checked
