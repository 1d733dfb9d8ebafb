"""Each verdict in one sentence, with its numbers and what to do about it."""

import math
from typing import NamedTuple

import numpy as np

from energygate.compare import Comparison
from energygate.gate.evidence import Evidence, Shift
from energygate.gate.outcomes import Stage
from energygate.model import AcceptedLevel, Outcome
from energygate.policy import Policy
from energygate.stats.estimate import to_ratio
from energygate.stats.planning import blocks_needed
from energygate.units import accepted_size, format_change, format_p, format_percent


class Verdict(NamedTuple):
    """An outcome, why, and what belongs beside it."""

    outcome: Outcome
    reason: str
    notes: tuple[str, ...] = ()


def stored_verdict(each: Comparison, found: Evidence, policy: Policy, stage: Stage) -> Verdict:
    """Put into words what stored sessions say."""
    change = format_change(float(found.estimate.ratio))
    if each.accepted is not None:
        return _accepted(each.accepted, change, found)
    if found.shift is not None:
        return Verdict(Outcome.INCONCLUSIVE, f"{change}; {shift_words(found.shift)}")
    if found.outcome in {Outcome.IMPROVED, Outcome.PASS, Outcome.REGRESSED}:
        return _proven(change, f"against {_sessions(each)}", found, policy.confidence)
    doubt = _doubt_in_sessions(each, found, policy)
    if found.outcome is Outcome.SUSPECT:
        why = doubt or _why_unproven(found, policy)
        if stage is Stage.SCREEN:
            why = f"likely against {_sessions(each)}, and to be proven by measuring in turns with the base."
        return Verdict(Outcome.SUSPECT, f"{change}: {why}")
    could = "" if found.detectable is None else f"{_sessions(each)} could detect {format_change(found.detectable)}. "
    reason = f"{doubt[0].upper()}{doubt[1:]}" if doubt else f"{could}Record more sessions, or make trials longer."
    return Verdict(Outcome.INCONCLUSIVE, f"{change}: neither within {_budget(found)} nor above it. {reason}")


def paired_verdict(each: Comparison, found: Evidence, policy: Policy) -> Verdict:
    """Put into words what blocks say."""
    change = format_change(float(found.estimate.ratio))
    if found.outcome is not Outcome.INCONCLUSIVE:
        return _proven(change, f"against the base in {each.blocks} blocks", found, policy.confidence)
    return Verdict(
        Outcome.INCONCLUSIVE,
        f"{change}: neither within {_budget(found)} nor above it. {_blocks_needed(each, found, policy)}",
    )


def shift_words(shift: Shift) -> str:
    """Why nothing that this session says of the code can be believed."""
    moved = format_change(float(to_ratio(np.asarray(shift.log_ratio))))
    if shift.canary is None:
        reason = f"this session differs by {moved} throughout: the machine, or something that all benchmarks share."
    else:
        reason = (
            f"the canary {shift.canary}, which no change of the code touches, differs by {moved}: the machine changed."
        )
    return f"{reason} Not judged: measure again, base and head."


def despite_noise(verdict: Verdict, noisy: str | None) -> Verdict:
    """What a verdict comes to where the numbers hold what others used: it proves nothing, and says so beside them."""
    if noisy is None or noisy in {verdict.reason, *verdict.notes}:
        return verdict
    if verdict.outcome not in {Outcome.PASS, Outcome.IMPROVED, Outcome.REGRESSED, Outcome.OVER_LIMIT}:
        return verdict._replace(notes=(*verdict.notes, noisy))
    return verdict._replace(outcome=Outcome.INCONCLUSIVE, reason=noisy)


def _accepted(level: AcceptedLevel, change: str, found: Evidence) -> Verdict:
    """Put into words what the accepted run alone says: of another branch than the one that it is of, nothing."""
    size = accepted_size(level.ratio)
    if level.is_here and found.outcome in {Outcome.PASS, Outcome.IMPROVED}:
        within = f"{change} against the run that shows it, within {_budget(found)}."
        return Verdict(Outcome.PASS, f"{size} accepted here by {level.by}; {within}")
    how = f"accepted here by {level.by}" if level.is_here else f"accepted by {level.by} before the merge"
    later = "Compare after the merge, with the sessions that are recorded then."
    return Verdict(Outcome.INCONCLUSIVE, f"{size} {how}; {change} against the run that shows it. {later}")


def _proven(change: str, against: str, found: Evidence, confidence: float) -> Verdict:
    match found.outcome:
        case Outcome.IMPROVED:
            return Verdict(Outcome.IMPROVED, f"{change} {against}.")
        case Outcome.PASS:
            inside = f"an increase of {change} is established, inside the budget"
            return Verdict(Outcome.PASS, f"{change}, within {_budget(found)}.", (inside,) if found.is_worse else ())
        case _:
            return Verdict(Outcome.REGRESSED, f"{change} {against}: {_increase(found, confidence)}.")


def _increase(found: Evidence, confidence: float) -> str:
    """Where an increase that is proven lies: above the budget only if the whole interval shown beside it does."""
    low, _ = found.estimate.interval(confidence)
    if float(low) > 1 + found.rules.budget:
        return f"above {_budget(found)}"
    return f"an increase is proven; not shown to be within {_budget(found)}"


def _doubt_in_sessions(each: Comparison, found: Evidence, policy: Policy) -> str | None:
    """Why the stored sessions can prove no increase, however large, or None where they can."""
    if each.sessions < policy.min_sessions:
        left_out = f"; left out: {each.left_out}" if each.left_out else ""
        return f"{_sessions(each)} cannot prove an increase, {policy.min_sessions} may{left_out}. Record more sessions."
    if found.spread > 2 * policy.session_sd:
        spread = format_percent(found.spread)
        return (
            f"stored sessions differ by {spread} among themselves, more than twice gate.session_sd "
            f"({format_percent(policy.session_sd)}): they cannot prove an increase. Quieten the machine, or, if that "
            f"spread is normal here, set gate.session_sd: {spread.replace(' ', '')}."
        )
    return None


def _why_unproven(found: Evidence, policy: Policy) -> str:
    p_value = found.p_adjusted
    if p_value is None or p_value > policy.false_alarms:
        shown = "none" if p_value is None else format_p(p_value)
        return f"not proven (adjusted p {shown}, needed {policy.false_alarms:g}). Measure again."
    return f"proven, but below gate.min_effect ({format_percent(found.rules.min_effect)})."


def _blocks_needed(each: Comparison, found: Evidence, policy: Policy) -> str:
    """What these blocks could have found, and how many it would take; "about", for the noise is an estimate itself."""
    rules, detectable = found.rules, found.detectable or math.inf
    needed = blocks_needed(
        float(found.estimate.se),
        blocks=each.blocks,
        effect=rules.budget,
        level=found.level,
        min_effect=rules.min_effect,
        power=policy.power,
        least=policy.confirm.min_blocks,
    )
    could = f"{each.blocks} blocks could detect about {format_change(detectable)}"
    aim = format_change(1 + rules.budget)
    if needed is None:
        return (
            f"{could}; no number of blocks that is worth it would find {aim}. Quieten the machine, or raise the budget."
        )
    if needed > each.blocks:
        return f"{could}; about {needed} blocks would be needed to find {aim}. Raise confirm.max_blocks."
    return f"{could}; it lies too close to the budget to tell. Raise confirm.min_blocks, or choose another budget."


def _sessions(each: Comparison) -> str:
    return f"{each.sessions} stored session{'s' if each.sessions > 1 else ''}"


def _budget(found: Evidence) -> str:
    return f"the budget of {format_percent(found.rules.budget)}"
