"""What the gate says where the truth is known: nothing changed, or an increase was planted by arithmetic. Pure.

Scaling the head adds the log of the factor to the estimate and leaves its error as it is, so no second measurement is
needed. An increase is planted in one benchmark at a time: in all of them it would be a common shift.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from msgspec import structs

from energygate.compare import Comparison, compare, compare_interleaved
from energygate.gate import compare_rules, decide
from energygate.history.self_test import FEWEST_SESSIONS, Planted
from energygate.history.window import Sessions
from energygate.model import Baseline, Outcome, Run
from energygate.policy import Policy
from energygate.stats.estimate import Estimate

FACTORS: Final = (1.0, 1.03, 1.05, 1.10)
_MOST_PLANTED: Final = 25  # benchmarks of a session; one in hundreds says what its neighbour says

Tally = dict[float, Counter[Outcome]]


def plant_in_sessions(found: Sequence[Sessions], policy: Policy) -> tuple[Planted, ...]:
    """Let each stored session be the head, compared with the others, as it is and with planted increases.

    Parameters
    ----------
    found : sequence of Sessions
        Of one machine; those with too few sessions are left out.
    policy : Policy
        With the rules of every benchmark.
    """
    enough = [each for each in found if len(each.found) >= FEWEST_SESSIONS]
    runs = {session.run.run_id: session.run for each in enough for session in each.found}
    newest_first = [_only(runs[run_id], enough) for run_id in sorted(runs, reverse=True)]
    bare, tally = _bare(policy), _empty()
    for head in newest_first:
        others = Baseline(runs=tuple(run for run in newest_first if run is not head))
        comparisons = compare(head, others, rules=compare_rules(bare), limits={})
        _count(comparisons, bare, tally)
    return _planted(tally)


def plant_in_blocks(base: Run, head: Run, policy: Policy) -> tuple[Planted, ...]:
    """Compare interleaved trials as they are and with planted increases; nothing changed between the two runs.

    Parameters
    ----------
    policy : Policy
        With the rules of every benchmark.
    """
    bare, tally = _bare(policy), _empty()
    _count(compare_interleaved(base, head, rules=compare_rules(bare), limits={}), bare, tally)
    return _planted(tally)


def block_p_values(base: Run, head: Run, policy: Policy) -> tuple[float, ...]:
    """Give the p-value of each benchmark that has one, from its pairs."""
    found = compare_interleaved(base, head, rules=compare_rules(policy), limits={})
    return tuple(float(each.primary.estimate.p_value) for each in found if each.primary and each.primary.estimate)


def _empty() -> Tally:
    return {factor: Counter() for factor in FACTORS}


def _planted(tally: Tally) -> tuple[Planted, ...]:
    """Give the counts as values, worst outcome first."""
    return tuple(
        Planted(factor=factor, outcomes={outcome: counts[outcome] for outcome in Outcome if counts[outcome]})
        for factor, counts in tally.items()
    )


def _only(run: Run, found: Iterable[Sessions]) -> Run:
    """A run without the benchmarks for which it is no session, and without what it accepts."""
    sessions = [session for each in found for session in each.found if session.run is run]
    return structs.replace(run, benchmarks=tuple(session.benchmark for session in sessions), accepts=())


def _bare(policy: Policy) -> Policy:
    """The policy without what is absolute, and without a canary: it is not planted in."""
    rules = {name: replace(rule, limits={}) for name, rule in policy.rules.items()}
    return replace(policy, rules=rules, anchors=(), canary=None)


def _count(comparisons: Sequence[Comparison], policy: Policy, tally: Tally) -> None:
    """Decide as it is, and once for each benchmark and increase; count what the changed benchmark comes to."""
    judged = [position for position, each in enumerate(comparisons) if each.primary and each.primary.estimate]
    names = {comparisons[position].benchmark.name for position in judged}
    unchanged = _outcomes(comparisons, policy)
    tally[1.0].update(outcome for name, outcome in unchanged.items() if name in names)
    step = math.ceil(len(judged) / _MOST_PLANTED) or 1
    for position in judged[::step]:
        for factor in FACTORS[1:]:
            changed = [*comparisons]
            changed[position] = _scaled(comparisons[position], factor)
            tally[factor][_outcomes(changed, policy)[comparisons[position].benchmark.name]] += 1


def _outcomes(comparisons: Sequence[Comparison], policy: Policy) -> dict[str, Outcome]:
    return {row.benchmark: row.outcome for row in decide(comparisons, policy)}


def _scaled(each: Comparison, factor: float) -> Comparison:
    change = each.primary
    if change is None or change.estimate is None:
        raise ValueError(f"{each.benchmark.name}: an increase is planted where something was compared")
    estimate = change.estimate
    moved = Estimate(log_ratio=estimate.log_ratio + math.log(factor), se=estimate.se, df=estimate.df)
    return replace(each, primary=replace(change, head=change.head * factor, estimate=moved))
