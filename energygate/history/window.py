"""The window of a benchmark: the newest sessions since its level last changed, or since somebody accepted one.

An acceptance that has expired turns round: the sessions from it on no longer count, and those before it do again.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from energygate.history.sessions import Session
from energygate.history.timeline import Accepted, Timeline, WindowRules, timelines
from energygate.model import Acceptance, AcceptedLevel, Baseline, Benchmark, Run, StoreName
from energygate.stats.changepoint import ChangePoint
from energygate.stats.estimate import to_ratio
from energygate.units import format_change, format_quantity
from energygate.workloads.text import printable

STALE_DAYS: Final = 30
_LONGEST: Final = 200
_MOST_NAMES: Final = 3
_MOST_BEFORE: Final = 10
_HASH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The sessions of one benchmark that count, newest first, and what has to be said of them.

    Attributes
    ----------
    timeline : Timeline
        All sessions, also those that are older than its window.
    notes : tuple of str
        What belongs beside the benchmark: an accepted increase, where the window was cut.
    warnings : tuple of str
        What stands above every report until somebody acts.
    older : str
        Why sessions before the oldest of them don't count; empty where nothing cuts the window.
    accepted : AcceptedLevel or None
        A level that was accepted before any session of the main branch shows it: the only session is the run that was
        accepted, and there is nothing to measure again. Either the base revision lacks that run, so the change under
        test brings it; or it lies in a store that all branches share.
    """

    benchmark: Benchmark
    timeline: Timeline
    found: tuple[Session, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    older: str = ""
    accepted: AcceptedLevel | None = None

    @property
    def runs(self) -> tuple[tuple[Run, Benchmark], ...]:
        """Each run with its benchmark."""
        return tuple((session.run, session.benchmark) for session in self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Which positions of a timeline count, and by which cut."""

    start: int
    stop: int
    cut: Accepted | ChangePoint | None = None
    expired: Accepted | None = None


def windows(
    benchmarks: Sequence[Benchmark],
    baseline: Baseline,
    rules: WindowRules,
    *,
    stored: Sequence[Sequence[Session]] | None = None,
) -> tuple[Sessions, ...]:
    """Find the sessions that each benchmark is compared with, in the order of `benchmarks`.

    Parameters
    ----------
    stored : sequence of sequences of Session, optional
        What `sessions_of` finds, where that is known already.
    """
    found = timelines(benchmarks, baseline, rules, stored=stored)
    return tuple(_window(timeline, baseline, rules) for timeline in found)


def baseline_warnings(found: Sequence[Sessions], on: dt.date) -> tuple[str, ...]:
    """Give what stands above a report: increases that nobody accepted, expired acceptances, stale baselines."""
    return (*(warning for each in found for warning in each.warnings), *_stale(found, on))


def _window(timeline: Timeline, baseline: Baseline, rules: WindowRules) -> Sessions:
    stretch = _stretch(timeline)
    new = _newly_accepted(stretch, timeline, baseline)
    oldest = max(stretch.start, stretch.stop - rules.sessions)
    counting = timeline.sessions[oldest : stretch.stop][::-1]
    return Sessions(
        benchmark=timeline.benchmark,
        timeline=timeline,
        found=counting if new is None else (timeline.sessions[new.start],),
        notes=tuple(_notes(timeline, stretch, oldest)),
        warnings=tuple(_warnings(timeline, stretch, baseline.store, new if baseline.at_base is None else None)),
        older=_older(stretch.cut),
        accepted=None if new is None else _level_of(new, timeline, baseline),
    )


def _stretch(timeline: Timeline) -> _Stretch:
    """Go back from the newest session to the first cut that holds, past acceptances that have expired."""
    stop, expired = len(timeline.sessions), None
    cuts: list[tuple[int, Accepted | ChangePoint]] = [(point.index, point) for point in timeline.points]
    cuts += [(each.start, each) for each in timeline.accepted]
    # At one position the change of level comes first: it says whether there was an increase that an expiry could undo.
    for position, cut in sorted(cuts, key=lambda each: (each[0], isinstance(each[1], ChangePoint)), reverse=True):
        lapsed = _lapsed(cut, timeline)
        if lapsed is None or position == 0:
            return _Stretch(start=position, stop=stop, cut=cut, expired=expired or lapsed)
        stop, expired = min(stop, position), expired or lapsed
    return _Stretch(start=0, stop=stop, expired=expired)


def _lapsed(cut: Accepted | ChangePoint, timeline: Timeline) -> Accepted | None:
    """Give the expired acceptance that a cut is, or that was all which accepted it; None where the cut holds."""
    if isinstance(cut, Accepted):
        return cut if cut.is_expired else None
    accepting = timeline.acceptances_of(cut) if cut.log_ratio > 0 else ()
    return accepting[-1] if accepting and all(each.is_expired for each in accepting) else None


def _older(cut: Accepted | ChangePoint | None) -> str:
    if cut is None:
        return ""
    if isinstance(cut, Accepted):
        return "before a level that is accepted"
    return f"before the level {'rose' if cut.log_ratio > 0 else 'fell'}"


def _newly_accepted(stretch: _Stretch, timeline: Timeline, baseline: Baseline) -> Accepted | None:
    """Give the acceptance that decides and whose level no session of the main branch shows yet."""
    stored = (each for each in timeline.accepted if each.start < len(timeline.sessions))
    new = [
        each
        for each in stored
        if not each.is_expired and each.start >= stretch.start and _is_new(each, timeline, baseline)
    ]
    return new[-1] if new else None


def _is_new(each: Accepted, timeline: Timeline, baseline: Baseline) -> bool:
    """Whether an acceptance is ahead of the main branch: the base revision lacks it, or no later session shows it.

    git is not asked whether a head has the accepted commit: GitHub measures a merge commit that no branch ever has, and
    a squash drops the others too, so after the merge the answer would still be no. What is recorded then shows it.
    """
    if baseline.at_base is not None:
        return (each.acceptance.since or each.run_id) not in baseline.at_base
    is_shared = baseline.store is not None and baseline.store.is_shared
    return is_shared and each.acceptance.since is None and not _is_shown(each, timeline)


def _is_shown(each: Accepted, timeline: Timeline) -> bool:
    """Whether any session after the accepted one is nearer to it than to those before."""
    later = [session.level for session in timeline.sessions[each.start + 1 :]]
    if not each.start:
        return bool(later)
    level, before = timeline.sessions[each.start].level, _level_before(each, timeline)
    return any(abs(found - level) < abs(found - before) for found in later)


def _level_before(each: Accepted, timeline: Timeline) -> float:
    return timeline.level(max(0, each.start - _MOST_BEFORE), each.start)


def _level_of(new: Accepted, timeline: Timeline, baseline: Baseline) -> AcceptedLevel:
    level = timeline.sessions[new.start].level
    return AcceptedLevel(
        by=printable(new.acceptance.by, limit=_LONGEST),
        ratio=_ratio(level - _level_before(new, timeline)) if new.start else None,
        is_here=baseline.at_base is not None,
    )


def _ratio(log: float) -> float:
    return float(to_ratio(np.asarray(log)))


def _notes(timeline: Timeline, stretch: _Stretch, oldest: int) -> Iterator[str]:
    """Say what was accepted, for as long as it decides or until its last day, and what else cut the window."""
    cut = stretch.cut
    of_cut = timeline.acceptances_of(cut) if isinstance(cut, ChangePoint) and cut.index >= oldest else ()
    holding = [each for each in timeline.accepted if not each.is_expired]
    for each in holding:
        lasts = each.acceptance.until is not None and each is holding[-1]
        if lasts or each.start >= oldest or each in of_cut:
            yield f"a new level is accepted {said_of(each.acceptance)}"
    if isinstance(cut, ChangePoint) and cut.log_ratio < 0 and cut.index >= oldest:
        first, change = timeline.sessions[cut.index], format_change(cut.ratio)
        yield f"older sessions don't count: {change} since {_where(first)}"


def _warnings(timeline: Timeline, stretch: _Stretch, store: StoreName | None, ahead: Accepted | None) -> Iterator[str]:
    """Say what somebody has to look after. `ahead`: an acceptance in a store that all branches share."""
    name, option = timeline.benchmark.name, "" if store is None else store.option
    if ahead is not None and store is not None:
        yield _holds_for_all(ahead, timeline, store)
    if stretch.expired is not None:
        acceptance = stretch.expired.acceptance
        yield (
            f"{name}: ACCEPTANCE EXPIRED on {acceptance.until}: {said_of(acceptance)}. {_what_counts(stretch)} "
            f"Bring the energy down, or accept it anew with `energygate baseline accept{option}`."
        )
    for point in timeline.unaccepted:
        if _lapsed(point, timeline) is None:
            change = format_change(point.ratio)
            yield (
                f"{name}: stored sessions are {change} since {_where(timeline.sessions[point.index])}, and nobody "
                f"accepted it. Find the cause, or accept it with `energygate baseline accept{option}`."
            )


def _holds_for_all(ahead: Accepted, timeline: Timeline, store: StoreName) -> str:
    """Say that an acceptance holds for branches that do not have what it is of, and what that costs them."""
    session = timeline.sessions[ahead.start]
    commit, unit = session.run.source.commit, timeline.benchmark.primary.unit
    before = [_level_before(ahead, timeline)] if ahead.start else []
    sizes = " \N{RIGHTWARDS ARROW} ".join(format_quantity(_ratio(level), unit) for level in (*before, session.level))
    change = f" ({format_change(_ratio(session.level - before[0]))})" if before else ""
    return (
        f"{timeline.benchmark.name}: ACCEPTED BEFORE THE MERGE: {sizes}{change} at "
        f"{'no commit' if commit is None else commit[:_HASH]}, {said_of(ahead.acceptance)}. All branches share "
        f"{store.name}, so those without that change are compared with its level too: nothing of this benchmark is "
        "judged until a session of the main branch shows it."
    )


def _what_counts(stretch: _Stretch) -> str:
    if stretch.expired is not None and stretch.expired.start < stretch.stop:
        return "No session before it is stored, so those since still count."
    count = stretch.stop - stretch.start
    return f"The {count} session{'s' if count > 1 else ''} before it count again, those since do not."


def said_of(acceptance: Acceptance) -> str:
    """Who accepted what and why: `by alice on 2026-11-03, until 2026-12-31: a better model`."""
    until = f", until {acceptance.until}" if acceptance.until is not None else ""
    by, reason = (printable(text, limit=_LONGEST) for text in (acceptance.by, acceptance.reason))
    return f"by {by} on {acceptance.at:%Y-%m-%d}{until}: {reason}"


def _where(session: Session) -> str:
    commit = session.run.source.commit
    return f"{session.run.started_at:%Y-%m-%d} ({'no commit' if commit is None else commit[:_HASH]})"


def _stale(found: Sequence[Sessions], on: dt.date) -> Iterator[str]:
    ages = {each.benchmark.name: (on - each.found[0].run.started_at.date()).days for each in found if each.found}
    stale = [name for name, days in ages.items() if days > STALE_DAYS]
    if stale:
        more = f" and {len(stale) - _MOST_NAMES} more" if len(stale) > _MOST_NAMES else ""
        youngest = min(ages[name] for name in stale)
        yield (
            f"stale baseline: the newest stored session of {', '.join(stale[:_MOST_NAMES])}{more} is {youngest} days "
            f"old, more than {STALE_DAYS}: the machine may have changed since. Record a new one on the main branch."
        )


def awaiting(timeline: Timeline) -> Session | None:
    """Give the first session on a level that somebody has to accept or to undo, if there is one."""
    stretch = _stretch(timeline)
    if stretch.expired is not None:
        return timeline.sessions[stretch.expired.start]
    return timeline.sessions[timeline.unaccepted[-1].index] if timeline.unaccepted else None
