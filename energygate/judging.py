"""Runs -> GateReport: compare, decide, and put the whole verdict together. Pure (docs/statistics.md)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from msgspec import structs

from energygate.compare import (
    Comparison,
    are_paired,
    compare,
    compare_interleaved,
    soft_key_differences,
)
from energygate.errors import ConfigError
from energygate.evidence import stored_evidence, turns_evidence, with_turns
from energygate.gate import Stage, compare_rules, decide, decided_alone, exit_code, merge, overall, queue
from energygate.history.sessions import Session
from energygate.history.stored import find_stored
from energygate.history.window import Sessions, baseline_warnings
from energygate.model import (
    Baseline,
    BaselineRuns,
    Benchmark,
    Evidence,
    GateReport,
    Head,
    Label,
    PolicyView,
    Row,
    Run,
    count_outcomes,
)
from energygate.net import idle_warning, with_net
from energygate.policy import Policy

_MOST_SHOWN: Final = 20
_COMPARED: Final = frozenset({"stored", "interleaved"})


def judge(
    head: Run,
    baseline: Baseline,
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    warnings: Sequence[str] = (),
) -> GateReport:
    """Compare a run with its baseline and decide. `warnings` are put after its own."""
    comparisons = _compared(head, baseline, policy)
    rows = decide(comparisons, policy, missing=missing, estimated=doubt_of(head))
    report = _against_stored(rows, comparisons, head=head, baseline=baseline, policy=policy, warnings=warnings)
    return structs.replace(report, evidence=_stored_evidence(head, baseline, policy, comparisons, missing))


def screen(head: Run, baseline: Baseline, policy: Policy) -> tuple[str, ...]:
    """Name what is worth measuring again, base and head in turns, where there is a base for it."""
    return queue(_compared(head, baseline, policy), policy, estimated=doubt_of(head))


def judge_two_stages(
    head: Run,
    baseline: Baseline,
    policy: Policy,
    *,
    confirmed: tuple[Run, Run] | None,
    unconfirmed: Mapping[str, str] | None = None,
    alone: Mapping[str, str] | None = None,
    missing: Sequence[Benchmark] = (),
    warnings: Sequence[str] = (),
) -> GateReport:
    """Decide after some benchmarks were measured again: those by their blocks alone, the others by stored sessions.

    Parameters
    ----------
    head : Run
        As it was compared with stored sessions.
    confirmed : (base, head), or None
        The runs of the second stage, whose trials say to which block they belong; None where nothing was queued.
    unconfirmed : mapping of benchmark name to str, optional
        Why a queued benchmark was not decided: time was used up, say.
    alone : mapping of benchmark name to str, optional
        Why there is nothing to measure a benchmark beside: its stored sessions decide, as they do without a base.
    """
    comparisons = _compared(head, baseline, policy)
    rows = decide(comparisons, policy, missing=missing, estimated=doubt_of(head), stage=Stage.SCREEN)
    if alone:
        rows = decided_alone(rows, decide(comparisons, policy, estimated=doubt_of(head)), alone)
    if confirmed is not None:
        pairs = compare_interleaved(*confirmed, rules=compare_rules(policy), limits={})
        rows = merge(rows, decide(pairs, policy, estimated=doubt_of(confirmed[1])), unconfirmed=unconfirmed)
    else:
        rows = merge(rows, (), unconfirmed=unconfirmed)
    report = _against_stored(rows, comparisons, head=head, baseline=baseline, policy=policy, warnings=warnings)
    evidence = _stored_evidence(head, baseline, policy, comparisons, missing)
    if confirmed is None:
        return structs.replace(report, evidence=evidence)
    return structs.replace(report, base=_named(confirmed[0]), evidence=with_turns(evidence, *confirmed))


def judge_interleaved(
    base: Run,
    head: Run,
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    warnings: Sequence[str] = (),
) -> GateReport:
    """Compare a head with the base that was measured in turns with it, and decide."""
    comparisons = compare_interleaved(base, head, rules=compare_rules(policy), limits=policy.limits)
    rows = _labelled(decide(comparisons, policy, missing=missing, estimated=doubt_of(head)), head.label)
    said = (*_warnings(head, []), *warnings)
    report = _report(rows, head, policy, baseline=_runs([base], "interleaved"), warnings=said)
    return structs.replace(report, evidence=turns_evidence(base, head, missing, policy))


def _compared(head: Run, baseline: Baseline, policy: Policy) -> tuple[Comparison, ...]:
    return compare(head, baseline, rules=compare_rules(policy), limits=policy.limits)


def _stored_evidence(
    head: Run, baseline: Baseline, policy: Policy, comparisons: Sequence[Comparison], missing: Sequence[Benchmark]
) -> tuple[Evidence, ...]:
    """Give every trial of both sides; what is missing was compared with nothing, so its sessions are found here."""
    rules = compare_rules(policy).window_rules(head.started_at.date())
    windows = [each.window for each in comparisons if each.window is not None]
    of_missing = find_stored(missing, baseline, rules).windows if missing else ()
    return (
        *stored_evidence(head, windows, policy, rules),
        *stored_evidence(head, of_missing, policy, rules),
    )


def _against_stored(
    rows: Sequence[Row],
    comparisons: Sequence[Comparison],
    *,
    head: Run,
    baseline: Baseline,
    policy: Policy,
    warnings: Sequence[str],
) -> GateReport:
    found = [each.window for each in comparisons if each.window is not None]
    counted = {run.run_id for window in found for run in _session_runs(window)}
    used = [run for run in baseline.runs if run.run_id in counted]
    shown = with_net(_labelled(rows, head.label), head, {each.benchmark.name: _session_runs(each) for each in found})
    shown = _with_history(shown, found)
    above = (warning for each in comparisons for warning in each.warnings)
    said = (*above, *baseline_warnings(found, head.started_at.date()), *_warnings(head, used), *warnings)
    looked_at = structs.replace(_runs(used, "stored"), store=baseline.store)
    return _report(shown, head, policy, baseline=looked_at, warnings=said)


def _report(
    rows: tuple[Row, ...], head: Run, policy: Policy, *, baseline: BaselineRuns, warnings: Sequence[str]
) -> GateReport:
    code = exit_code(rows, policy.fail_on)
    return GateReport(
        verdict=overall(rows, code),
        exit_code=code,
        counts=count_outcomes(rows),
        tool=head.tool,
        head=_named(head),
        baseline=baseline,
        machine=head.machine,
        meters=head.meters,
        policy=PolicyView(
            budget=policy.budget,
            min_effect=policy.min_effect,
            false_alarms=policy.false_alarms,
            adjust=policy.adjust,
            fail_on=tuple(policy.fail_on),
        ),
        comparisons=rows,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _named(run: Run) -> Head:
    source = run.source
    return Head(run_id=run.run_id, commit=source.commit, repository=source.repository, branch=source.branch)


def _runs(used: Sequence[Run], how: Literal["stored", "interleaved"]) -> BaselineRuns:
    return BaselineRuns(
        runs=tuple(run.run_id for run in used),
        commits=tuple(run.source.commit for run in used if run.source.commit is not None),
        how=how,
        machine=used[0].machine if used else None,
    )


def _session_runs(window: Sessions) -> list[Run]:
    return [session.run for session in window.found]


def _with_history(rows: Sequence[Row], found: Sequence[Sessions]) -> tuple[Row, ...]:
    """Give each benchmark's deciding row the values of its stored sessions, oldest first."""
    known = {
        (each.benchmark.name, each.benchmark.primary): tuple(session.value for session in _shown_sessions(each))
        for each in found
    }
    return tuple(
        structs.replace(row, history=known.get((row.benchmark, row.metric), ())) if row.how in _COMPARED else row
        for row in rows
    )


def _shown_sessions(window: Sessions) -> Sequence[Session]:
    """Give the sessions of a window, oldest first; before a level that was only accepted so far, those before it."""
    if window.accepted is None:
        return window.found[:_MOST_SHOWN][::-1]
    sessions = window.timeline.sessions
    until = next(i for i, each in enumerate(sessions, start=1) if each.run.run_id == window.found[0].run.run_id)
    return sessions[max(0, until - _MOST_SHOWN) : until]


def judge_given(
    bases: Sequence[Run],
    head: Run,
    policy: Policy,
    *,
    missing: Sequence[Benchmark] = (),
    warnings: Sequence[str] = (),
) -> GateReport:
    """Compare runs given by hand: one base that was measured in turns with the head is paired with it, block by block.

    Raises
    ------
    ConfigError
        If a run is given twice.
    """
    baseline = split_by_machine(bases, head)
    if in_turns(bases, head):
        return judge_interleaved(bases[0], head, policy, missing=missing, warnings=warnings)
    return judge(head, baseline, policy, missing=missing, warnings=warnings)


def in_turns(bases: Sequence[Run], head: Run) -> bool:
    """Whether runs given by hand are one base and the head that was measured in turns with it."""
    return len(bases) == 1 and are_paired(bases[0], head)


def split_by_machine(runs: Sequence[Run], head: Run) -> Baseline:
    """Make a baseline of runs given by hand: those of the head's machine, newest first, and the others.

    Raises
    ------
    ConfigError
        If a run is given twice: it is one session, however often it is named, and no baseline for itself.
    """
    ids = [run.run_id for run in (*runs, head)]
    if twice := next((run_id for run_id in ids if ids.count(run_id) > 1), None):
        raise ConfigError(
            f"Run {twice} is given twice.",
            why="One run is one session, and no baseline for itself.",
            fix="Give each run once, and the head last.",
        )
    newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
    same = tuple(run for run in newest_first if run.machine.fingerprint == head.machine.fingerprint)
    return Baseline(runs=same, others=tuple(run for run in newest_first if run not in same))


def _labelled(rows: Sequence[Row], label: Label) -> tuple[Row, ...]:
    return tuple(structs.replace(row, label=label) if row.estimated else row for row in rows)


def doubt_of(run: Run) -> str | None:
    """Why the readings decide nothing unless policy lets them, or None where they were measured."""
    if not run.estimated:
        return None
    by_kind = {
        called: ", ".join(meter.name for meter in run.meters if meter.kind == kind)
        for kind, called in (("estimate", "an estimate by model"), ("integrated", "integrated power"))
    }
    doubtful = " and ".join(f"{called} ({names})" for called, names in by_kind.items() if names)
    return (
        f"the readings are {doubtful}, not a measurement, and may not decide. "
        "Use a hardware counter (`energygate doctor` says what is missing and how to mend it), "
        "or let estimates decide: --energy-allow-estimates, allow_estimates: true."
    )


def _warnings(head: Run, used: Sequence[Run]) -> Iterator[str]:
    if used and (differences := soft_key_differences(head.machine, used[0].machine)):
        yield f"since the newest stored run: {'; '.join(differences)}"
    if head.source.dirty:
        yield f"the working tree has uncommitted changes{head.source.which}: this report describes no commit"
    if head.idle_unknown is not None:
        yield head.idle_unknown
    if head.idle is not None and (warning := idle_warning(head.idle)):
        yield warning
