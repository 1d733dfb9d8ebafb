"""The second stage: what looks worse than its stored runs is measured again, beside its base."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from energygate.interleaving.ab import another_id, seed_of
from energygate.interleaving.blocks import Plan, undecided, with_blocks
from energygate.interleaving.by_runs import ByRuns
from energygate.interleaving.prepared import Command, Sides, Tell, open_sides
from energygate.interleaving.rehearsal import Rehearsal, rehearse
from energygate.interleaving.revision import Revision
from energygate.measure.deadline import Deadline
from energygate.measure.interleave import Account, Side
from energygate.model import Run, Source
from energygate.pipeline import Confirmed, Job, Surroundings
from energygate.policy import Policy
from energygate.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Measures benchmarks again in fresh processes of both sides. See `energygate.pipeline.Confirming`.

    Attributes
    ----------
    command : Command
        What measures them on a side.
    here : Path
        Where it runs, in the repository.
    """

    base: Revision
    command: Command
    settings: Settings
    job: Job
    here: Path
    surroundings: Surroundings
    tell: Tell

    @property
    def commit(self) -> str:
        """The base's commit."""
        return self.base.commit

    @property
    def shown(self) -> str:
        """The base as the user calls it."""
        return self.base.shown

    @property
    def top(self) -> Path:
        """The top of the user's working tree."""
        return self.base.git.folder

    def __call__(self, names: Sequence[str], policy: Policy) -> Confirmed:
        """Measure these; what cannot be measured again, or not long enough, is left to the stored runs."""
        many = "1 benchmark" if len(names) == 1 else f"{len(names)} benchmarks"
        self.tell(f"{many} measured again, in turn with {self.base.shown}")
        deadline = Deadline.begin(self.surroundings.clock, policy.confirm.max_minutes)
        asked = tuple(each for each in self.job.session.benchmarks if each.name in names)
        with ExitStack() as opened:
            sides = opened.enter_context(
                open_sides(self.base, self.settings, here=self.here, deadline=deadline, tell=self.tell)
            )
            for note in sides.notes:
                self.tell(note)
            first = rehearse(sides, self.command, asked=asked, tell=self.tell)
            return self._measured(sides, first, names, policy)

    def _measured(self, sides: Sides, first: Rehearsal, names: Sequence[str], policy: Policy) -> Confirmed:
        plan = Plan(
            policy=policy,
            seed=seed_of(self.settings, self.surroundings),
            deadline=sides.deadline,
            tell=self.tell,
        )
        accounts = plan.open(name for name in names if name in first.measurable)
        by_runs = ByRuns(
            sides=sides,
            command=self.command,
            iterations=first.iterations,
            clock=self.surroundings.clock,
        )
        if accounts:
            plan.run(accounts, by_runs.measure)
        return self._confirmed(first, accounts, names, plan, (*sides.notes, *first.notes))

    def _confirmed(
        self,
        first: Rehearsal,
        accounts: dict[str, Account],
        names: Sequence[str],
        plan: Plan,
        notes: tuple[str, ...],
    ) -> Confirmed:
        late = {name: why for name, account in accounts.items() if (why := undecided(account))}
        late |= {name: why for name in names if (why := first.out_of_time(name))}
        failed = [name for name in names if name in first.failures and name not in late]
        decided = [account for name, account in accounts.items() if name not in late]
        pair = None
        if decided or failed:
            base, head = (self._run(side, first, decided, failed, plan) for side in Side)
            pair = (base, head)
        out = {*accounts, *failed, *late}
        alone = {name: self._lacking(first, name) for name in names if name not in out}
        return Confirmed(pair=pair, unconfirmed=late, alone=alone, warnings=notes)

    def _lacking(self, first: Rehearsal, name: str) -> str:
        """Why a benchmark has nothing to be measured beside."""
        if first.benchmark(Side.HEAD, name) is not None:
            return f"{self.base.shown} does not have it"
        return (
            "the copy of the working tree that is measured again does not have it. What git ignores is not copied: "
            "build it there with --setup (confirm.setup)"
        )

    def _run(self, side: Side, first: Rehearsal, decided: Sequence[Account], failed: Sequence[str], plan: Plan) -> Run:
        session = self.job.session
        base = Source(commit=self.base.commit, repository=session.source.repository)
        template = structs.replace(
            first.template(side) if first.wrote_runs else session.run(),
            source=base if side is Side.BASE else session.source,
            run_id=another_id(session.run_id, self.surroundings),
        )
        broken = tuple(first.failed(side, name) for name in failed)
        run = with_blocks(template, decided, side, notes=(plan.note,))
        return structs.replace(run, benchmarks=(*run.benchmarks, *broken))
