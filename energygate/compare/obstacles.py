"""Why a benchmark can't be judged, with the outcome that says so and the fix."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from energygate.compare.machines import hard_key_differences
from energygate.compare.pairs import Pairs
from energygate.compare.values import Obstacle
from energygate.history.sessions import FEWEST_TRIALS, counts_the_same, is_brought, usable_trials
from energygate.history.timeline import WindowRules
from energygate.history.window import Sessions
from energygate.model import DEFAULT_BASELINES, Baseline, Benchmark, Metric, Outcome, Run, Trial, reasons_by_code
from energygate.workloads.text import printable

DEFINITION: Final = "prompts, max_tokens, sampling, concurrency; or its command or arguments"
_NAMED: Final = 3
_DOMAINS_CHARS: Final = 200


def fault_of_trial(trial: Trial) -> str:
    """Say why a valid trial can't be used."""
    if trial.work.requests == 0:
        return "0 requests were counted."
    return f"{trial.total_j:g} J is not the energy of any work."


def fault_of_benchmark(benchmark: Benchmark, usable: Sequence[Trial], max_invalid: float) -> Obstacle | None:
    """Say why a benchmark has nothing valid to compare, or None where it has."""
    if benchmark.invalid is not None:
        return Obstacle(outcome=Outcome.INVALID, reason=benchmark.invalid)
    total = len(benchmark.trials)
    unusable = total - len(usable)
    replaced = math.ceil(max_invalid * len(usable))  # measuring replaces so many, of whichever count
    if usable and (unusable <= replaced or unusable / total <= max_invalid):
        return None
    if not unusable:
        return Obstacle(outcome=Outcome.INVALID, reason="it measured no trial.")
    reasons = reasons_by_code(benchmark.trials)
    commonest = reasons[0][0] if reasons else fault_of_trial(unusable_trials(benchmark, usable)[0])
    return Obstacle(outcome=Outcome.INVALID, reason=f"{unusable} of {total} trials are invalid. {commonest}")


def fault_of_pairs(base: Benchmark, head: Benchmark, pairs: Pairs, max_invalid: float) -> Obstacle | None:
    """Say why the blocks of a benchmark are nothing valid to compare, or None where they are."""
    for side, benchmark in (("base", base), ("head", head)):
        if benchmark.invalid is not None:
            return Obstacle(outcome=Outcome.INVALID, reason=f"{side}: {benchmark.invalid}")
    counting, total = len(pairs.blocks), len(pairs.blocks) + pairs.void
    replaced = math.ceil(max_invalid * counting)  # measuring repeats so many
    if counting and (pairs.void <= replaced or pairs.void / total <= max_invalid):
        return None
    if not total:
        return Obstacle(outcome=Outcome.INVALID, reason="it measured no block.")
    reason = f"{pairs.void} of {total} blocks are void. {_commonest_of(base, head)}"
    return Obstacle(outcome=Outcome.INVALID, reason=reason.rstrip())


def _commonest_of(base: Benchmark, head: Benchmark) -> str:
    reasons = reasons_by_code((*base.trials, *head.trials))
    if reasons:
        return reasons[0][0]
    metric = head.primary
    unusable = [trial for side in (base, head) for trial in unusable_trials(side, usable_trials(side, metric))]
    return fault_of_trial(unusable[0]) if unusable else "A block needs one trial of either side."


def unusable_trials(benchmark: Benchmark, usable: Sequence[Trial]) -> tuple[Trial, ...]:
    """The valid trials that have no log."""
    valid, counting = benchmark.valid, {id(trial) for trial in usable}
    return () if len(valid) == len(usable) else tuple(trial for trial in valid if id(trial) not in counting)


def too_few(trials: int) -> Obstacle | None:
    """Say that so few valid trials give no interval, or None where they are enough."""
    if trials >= FEWEST_TRIALS:
        return None
    return Obstacle(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{trials} of {FEWEST_TRIALS} valid trials: too few for an interval. Raise trials.count.",
    )


def too_few_blocks(blocks: int) -> Obstacle | None:
    """Say that so few valid blocks give no interval, or None where they are enough."""
    if blocks >= FEWEST_TRIALS:
        return None
    return Obstacle(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{blocks} of {FEWEST_TRIALS} valid blocks: too few for an interval. Allow more time.",
    )


def no_session(head: Run, benchmark: Benchmark, baseline: Baseline) -> Obstacle:
    """Say why a benchmark has no stored session."""
    since = _since_accepted(baseline.runs, benchmark.name)
    stored = [(run, found) for run in since if (found := run.benchmark(benchmark.name)) is not None]
    if not stored:
        return _elsewhere(head, benchmark, baseline)
    return nothing_fit(benchmark, stored, baseline.at_base)


def _since_accepted(newest_first: Sequence[Run], name: str) -> Iterator[Run]:
    """Give the runs down to the newest that accepts a level of that benchmark, inclusive."""
    for run in newest_first:
        yield run
        if any(accepted.benchmark == name for accepted in run.accepts):
            return


def nothing_fit(
    benchmark: Benchmark, stored: Sequence[tuple[Run, Benchmark]], at_base: frozenset[str] | None
) -> Obstacle:
    """Say why none of the stored runs of a benchmark counts."""
    if all(is_brought(run, at_base) for run, _ in stored):
        reason = (
            "the change under test brings every stored run of it, and no change is its own standard. Record one on the "
            "main branch."
        )
        return Obstacle(outcome=Outcome.NO_BASELINE, reason=reason)
    same_work = [(run, found) for run, found in stored if found.workload == benchmark.workload]
    if same_work and not any(counts_the_same(found, benchmark) for _, found in same_work):
        reason = f"{other_domains(same_work[0][1], benchmark, called='the stored runs and this one')} Record new ones."
        return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    if same_work:
        return Obstacle(outcome=Outcome.NO_BASELINE, reason=_why_none_counts(same_work, benchmark.primary))
    reason = (
        f"its definition ({DEFINITION}) was changed since the stored runs, so they did other work. Record new ones."
    )
    return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)


def other_domains(base: Benchmark, head: Benchmark, *, called: str) -> str:
    """Say which energy domains two benchmarks count that are not the same."""
    metric = head.primary
    said = " \N{RIGHTWARDS ARROW} ".join(_domains(usable_trials(each, metric)) for each in (base, head))
    return f"{called} count different energy domains ({said}), and their joules cannot be compared."


def _domains(trials: Sequence[Trial]) -> str:
    sets = sorted({tuple(sorted(trial.energy_j)) for trial in trials})
    said = " or ".join(", ".join(names) or "none" for names in sets)
    return printable(said, limit=_DOMAINS_CHARS)


def _why_none_counts(stored: Sequence[tuple[Run, Benchmark]], metric: Metric) -> str:
    if all(run.source.dirty for run, _ in stored):
        return "every stored run of it has uncommitted changes, and so describes no commit. Record clean ones."
    if all(found.noisy is not None for _, found in stored):
        return f"it was noisy in every stored run. In the newest, {stored[0][1].noisy} Record quiet ones."
    counted = " that count requests" if metric is Metric.J_PER_REQUEST else ""
    quiet = " and on a quiet machine" if any(found.noisy is not None for _, found in stored) else ""
    needed = f"{FEWEST_TRIALS} valid trials of it{counted}, at a clean commit{quiet}"
    return f"none of the {len(stored)} stored runs has {needed}. Record new ones."


def left_out(benchmark: Benchmark, baseline: Baseline, window: Sessions, rules: WindowRules) -> str:
    """Name the stored runs that are not among its sessions, and say why; nothing where it has as many as may count."""
    counting = [session.run.run_id for session in window.found]
    if len(counting) >= rules.sessions:
        return ""
    stored = ((run, found) for run in baseline.runs if (found := run.benchmark(benchmark.name)) is not None)
    reasons = [
        f"{run.run_id} ({_why_not(run, found, benchmark, baseline.at_base) or _why_outside(run, window, rules)})"
        for run, found in stored
        if run.run_id not in counting
    ]
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return f"{', '.join(reasons[:_NAMED])}{more}"


def _why_not(run: Run, found: Benchmark, benchmark: Benchmark, at_base: frozenset[str] | None) -> str | None:
    if is_brought(run, at_base):
        return "this change brings it"
    if not (found.workload == benchmark.workload and counts_the_same(found, benchmark)):
        return "other work" if found.workload != benchmark.workload else "other energy domains"
    if run.source.dirty:
        return "uncommitted changes"
    if found.noisy is not None:
        return "noisy"
    if found.invalid is not None:
        return "invalid"
    few = len(usable_trials(found, benchmark.primary)) < FEWEST_TRIALS
    return f"fewer than {FEWEST_TRIALS} valid trials" if few else None


def _why_outside(run: Run, window: Sessions, rules: WindowRules) -> str:
    """Why a run that could be a session is none of this window."""
    if run.run_id in rules.left_out:
        return "the machine differs"
    if run.accepts:
        return "measured on a branch, to accept another benchmark"
    if window.accepted is not None:
        return f"a new level is accepted{' here' if window.accepted.is_here else ''}"
    is_older = not window.found or run.started_at < window.found[-1].run.started_at
    return (window.older if is_older else "") or "since a level whose acceptance expired"


def _elsewhere(head: Run, benchmark: Benchmark, baseline: Baseline) -> Obstacle:
    for run in baseline.others:
        if run.benchmark(benchmark.name) is not None:
            differences = "; ".join(hard_key_differences(head.machine, run.machine))
            reason = f"it was recorded on a different machine or set-up ({differences}). Record it on this one."
            return Obstacle(outcome=Outcome.INCOMPARABLE, reason=reason)
    reason, store = "no stored run has it yet. Record one on the main branch.", baseline.store
    if store is not None and store.name != DEFAULT_BASELINES:
        reason = f"no stored run in {store.name} has it yet. Record one on the main branch."
    return Obstacle(outcome=Outcome.NO_BASELINE, reason=reason)
