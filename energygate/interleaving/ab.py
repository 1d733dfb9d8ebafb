"""`energygate ab`: a command at a revision and in the working tree, block by block, and the verdict."""

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from msgspec import structs

from energygate.baseline.schema import encode_run
from energygate.errors import ConfigError, MeterUnavailable
from energygate.files import require_writable, write_atomically
from energygate.interleaving.blocks import Plan, with_blocks
from energygate.interleaving.by_command import by_command
from energygate.interleaving.by_runs import ByRuns
from energygate.interleaving.prepared import Sides, Tell, open_sides
from energygate.interleaving.rehearsal import Rehearsal, rehearse
from energygate.interleaving.revision import Revision, revision
from energygate.judging import doubt_of, judge_interleaved
from energygate.measure.deadline import Deadline
from energygate.measure.interleave import Account, Measure, Side
from energygate.model import Benchmark, OwnRules, Run, Source
from energygate.pipeline import Finished, Job, Surroundings, attempt, in_terms, open_job, write_reports
from energygate.policy import Policy
from energygate.settings import Mode, Settings
from energygate.signals import interrupted_by_sigterm
from energygate.units import format_percent
from energygate.workloads.text import printable

_NO_BLOCK: Final = 0  # of a trial that has no other side
_NOTE_CHARS: Final = 1000


def interleave(
    settings: Settings, command: Sequence[str], base: str, *, here: Path, surroundings: Surroundings, tell: Tell
) -> Finished:
    """Measure a command on both sides in turn, judge, save and write the reports.

    Parameters
    ----------
    command : sequence of str
        Its words; no shell reads them.
    base : str
        The revision to compare with.
    here : Path
        Where the command runs, in the repository.

    Raises
    ------
    ConfigError, MeterUnavailable, WorkloadError
        Nothing could be measured; the reason is named.
    """
    _require_program(command[0], settings)
    found = revision(base, folder=here)
    _require_writable(settings)
    with ExitStack() as opened:
        opened.enter_context(interrupted_by_sigterm())
        alone = replace(settings, mode=Mode.MEASURE, save=None, reports=())
        job = opened.enter_context(open_job(alone, surroundings))
        for note in job.notes:
            tell(note)
        deadline = Deadline.begin(surroundings.clock, settings.policy.confirm.max_minutes)
        sides = opened.enter_context(open_sides(found, settings, here=here, deadline=deadline, tell=tell))
        for note in (*sides.notes, *job.session.watch.wait_until_quiet()):
            tell(note)
        first = rehearse(sides, lambda place, _: place.words(command), tell=tell)
        _require_decisive(first.template(Side.HEAD) if first.wrote_runs else job.session.run(), settings)
        measuring = _Measuring(job=job, sides=sides, surroundings=surroundings, tell=tell)
        measured = measuring.runs(first, command) if first.wrote_runs else measuring.command(first, command)
        # Kept before anything is cleaned up.
        return _finished(measured, settings, base=found, notes=(*sides.notes, *first.notes), now=surroundings.now())


def _require_program(word: str, settings: Settings) -> None:
    """Refuse a program that is not there before anything is made. Raises ConfigError.

    What a path names may differ between the sides, and a setup may make a program.
    """
    if "/" in word or settings.sides.preparation or shutil.which(word) is not None:
        return
    quoted = f"The whole command stands in one pair of quotes: remove them: -- {printable(word)}"
    raise ConfigError(
        f"There is no program {printable(repr(word))} on PATH.",
        why="No shell reads the command: its first word is the program.",
        fix=quoted if " " in word.strip() else "Correct its name, or give its path.",
    )


def _require_writable(settings: Settings) -> None:
    """Refuse what could not be written before anything is measured. Raises ConfigError."""
    if settings.save is not None:
        require_writable(settings.save)  # first: what has no name has no file beside it
        require_writable(base_file(settings.save))
    for target in settings.reports:
        require_writable(target.path)


def _require_decisive(first: Run, settings: Settings) -> None:
    """Refuse readings that may not decide before any block is measured with them. Raises MeterUnavailable.

    Only the first run tells: a command that measures by itself may have meters of its own.
    """
    doubt = doubt_of(first)
    if doubt is not None and not settings.policy.allow_estimates:
        raise MeterUnavailable(f"No block was measured: {doubt}")


@dataclass(slots=True, kw_only=True)
class _Measured:
    """What there is of both sides so far.

    Attributes
    ----------
    others : mapping of side to benchmarks
        Those that were not measured in blocks: what failed says why, and what one side lacks the other has alone.
    repeats : int
        Executions in a trial, where the command itself is measured.
    """

    templates: Mapping[Side, Run]
    policy: Policy
    seed: int
    note: str
    others: Mapping[Side, tuple[Benchmark, ...]] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    repeats: int = 1

    def run(self, side: Side) -> Run:
        """The run of one side."""
        run = with_blocks(self.templates[side], self.accounts.values(), side, notes=(self.note,))
        return structs.replace(run, benchmarks=(*run.benchmarks, *self.others.get(side, ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measuring:
    """Measures whatever the rehearsal found."""

    job: Job
    sides: Sides
    surroundings: Surroundings
    tell: Tell

    def runs(self, first: Rehearsal, command: Sequence[str]) -> _Measured:
        """Measure the benchmarks of a command that writes Runs."""
        plan, policy = self._plan({name: _own_rules(first, name) for name in first.names})
        measured = _Measured(
            templates={side: self._of(side, first.template(side)) for side in Side},
            policy=policy,
            seed=plan.seed,
            note=plan.note,
            others={side: _not_in_blocks(first, side) for side in Side},
            accounts=plan.open(first.measurable),
        )
        by_runs = ByRuns(
            sides=self.sides,
            command=lambda place, _: place.words(command),
            iterations=first.iterations,
            clock=self.surroundings.clock,
        )
        self._run(plan, measured, by_runs.measure)
        return measured

    def command(self, first: Rehearsal, command: Sequence[str]) -> _Measured:
        """Measure the command itself."""
        executions = {side: done for side, done in first.executions.items() if done is not None}
        durations_s = [done.duration_s for done in executions.values()]
        with by_command(
            self.sides,
            self.job.session,
            command,
            durations_s=durations_s,
            tell=self.tell,
        ) as measurer:
            plan, policy = self._plan({measurer.name: OwnRules()})
            measured = _Measured(
                templates={side: self._of(side, measurer.template) for side in Side},
                policy=policy,
                seed=plan.seed,
                note=plan.note,
            )
            faults = {side: done.fault for side, done in executions.items() if done.fault is not None}
            told = any(done.timed_out or done.same_code for done in executions.values())  # that says what to do
            if len(faults) == len(Side) and not told:
                faults = {
                    side: f"{self._alike(command)} {fault[0].upper()}{fault[1:]}" for side, fault in faults.items()
                }
            if faults:
                (benchmark,) = measurer.template.benchmarks
                measured.others = {side: (structs.replace(benchmark, invalid=faults.get(side)),) for side in Side}
                return measured
            measurer.announce()
            measured.accounts = plan.open((measurer.name,))
            self._run(plan, measured, measurer.measure)
            measured.repeats = measurer.repeats
            return measured

    def _alike(self, command: Sequence[str]) -> str:
        """What to look at where the command fails on both sides: itself, or a file that neither of them has."""
        place = self.sides.places[Side.HEAD]
        lacking = [word for word in command if (place.here / word).is_file() and not (place.cwd / word).exists()]
        if lacking:
            return f"git ignores {printable(lacking[0])}, so neither side has it."
        return "it fails, and on the other side too: is the command right?"

    def _plan(self, own: Mapping[str, OwnRules]) -> tuple[Plan, Policy]:
        """Plan the blocks of these benchmarks, judged also by what each says itself."""
        settings = self.sides.settings
        policy = replace(settings.policy, rules={name: settings.rules_for(name, rules) for name, rules in own.items()})
        plan = Plan(
            policy=policy,
            seed=seed_of(settings, self.surroundings),
            deadline=self.sides.deadline,
            tell=self.tell,
        )
        return plan, policy

    def _of(self, side: Side, template: Run) -> Run:
        """Give the template of one side: its commit, an id of its own, and what both sides are part of."""
        session, base = self.job.session, self.sides.base
        source, run_id = session.source, session.run_id
        if side is Side.BASE:
            source = Source(commit=base.commit, repository=session.source.repository)
            run_id = another_id(session.run_id, self.surroundings)
        return structs.replace(template, source=source, run_id=run_id, interleaving=session.run_id)

    def _run(self, plan: Plan, measured: _Measured, measure: Measure) -> None:
        """Measure; whatever ends it, what is complete is kept where `save` says."""
        try:
            if measured.accounts:
                plan.run(measured.accounts, measure)
        except BaseException:
            _save(measured, self.sides.settings)
            raise


def _own_rules(first: Rehearsal, name: str) -> OwnRules:
    """What a benchmark says itself of how it is judged: as in the working tree, if it is there."""
    found = (first.benchmark(side, name) for side in (Side.HEAD, Side.BASE))
    return next((benchmark.rules for benchmark in found if benchmark is not None), OwnRules())


def _not_in_blocks(first: Rehearsal, side: Side) -> tuple[Benchmark, ...]:
    """Give what one side has that cannot be measured in turn: what failed, and what the other does not have."""
    found = [first.failed(side, name) for name in first.failures]
    alone = first.absent(Side.BASE if side is Side.HEAD else Side.HEAD)
    for benchmark in (first.benchmark(side, name) for name in alone):
        if benchmark is not None:
            trials = tuple(structs.replace(trial, block=_NO_BLOCK) for trial in benchmark.trials)
            found.append(structs.replace(benchmark, trials=trials))
    return tuple(found)


def seed_of(settings: Settings, surroundings: Surroundings) -> int:
    """What the order of the blocks is drawn from: as given, or a new one."""
    return int(surroundings.token(), 16) if settings.sides.seed is None else settings.sides.seed


def another_id(run_id: str, surroundings: Surroundings) -> str:
    """Give the id of another run of the same moment."""
    return f"{run_id.rpartition('-')[0]}-{surroundings.token()}"


def _finished(
    measured: _Measured, settings: Settings, *, base: Revision, notes: tuple[str, ...], now: dt.datetime
) -> Finished:
    other, head = measured.run(Side.BASE), measured.run(Side.HEAD)
    missing = [benchmark for benchmark in other.benchmarks if head.benchmark(benchmark.name) is None]
    unused = settings.unused_patterns([benchmark.name for benchmark in (*head.benchmarks, *missing)])
    shown = (printable(note, limit=_NOTE_CHARS) for note in notes)
    report = judge_interleaved(other, head, measured.policy, missing=missing, warnings=(*shown, *unused))
    report = in_terms(report, settings, now=now)
    unwritten = (*attempt(lambda: _save(measured, settings)), *write_reports(report, settings.reports))
    return Finished(run=head, report=report, unwritten=unwritten, compared=_compared(measured, base))


def _compared(measured: _Measured, base: Revision) -> str:
    """Say what was measured in turn, and how: `base main (abc), head working tree; 10 blocks; seed 7; budget 5 %`."""
    head = measured.run(Side.HEAD)
    changed = " with uncommitted changes" if head.source.dirty else ""
    counts = sorted({len(account.counted) for account in measured.accounts.values()}) or [0]
    blocks = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    said = [
        f"base {printable(base.shown)}, head working tree{changed}",
        f"{blocks} block{'' if blocks == '1' else 's'}",
        f"seed {measured.seed}",
        f"budget {format_percent(measured.policy.budget)}",
    ]
    if measured.repeats > 1:
        said.append(f"a trial is {measured.repeats} executions")
    return "; ".join(said)


def base_file(save: Path) -> Path:
    """Where the run of the base is saved: beside that of the working tree, `run.base.json` beside `run.json`."""
    return save.with_name(f"{save.stem}.base{save.suffix}")


def _save(measured: _Measured, settings: Settings) -> None:
    """Save both sides: only together do they give the verdict again."""
    if settings.save is not None:
        for side, path in ((Side.BASE, base_file(settings.save)), (Side.HEAD, settings.save)):
            write_atomically(path, encode_run(measured.run(side)))
