"""From accounts of blocks to the two runs that are judged, and what decides how many blocks there are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from msgspec import structs

from energygate.compare import paired_logs
from energygate.interleaving.prepared import Tell
from energygate.measure.deadline import MINUTE_S, Deadline
from energygate.measure.interleave import Account, Interleaving, Measure, Pair, Progressed, Side, Stop
from energygate.model import Benchmark, Run, Trial
from energygate.policy import Policy
from energygate.stats.paired import paired
from energygate.stats.planning import family_level, precise_enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How blocks are measured, and who hears of it."""

    policy: Policy
    seed: int
    deadline: Deadline
    tell: Tell

    def open(self, names: Iterable[str]) -> dict[str, Account]:
        """Open the accounts of these benchmarks."""
        confirm, max_invalid = self.policy.confirm, self.policy.max_invalid
        return {name: Account(name=name, confirm=confirm, max_invalid=max_invalid) for name in names}

    def run(self, accounts: Mapping[str, Account], measure: Measure) -> None:
        """Measure until every account has stopped; all of them are one family."""
        Interleaving(
            confirm=self.policy.confirm,
            max_invalid=self.policy.max_invalid,
            random=Random(self.seed),  # noqa: S311  an order that can be drawn again
            deadline=self.deadline,
            precise=lambda name, pairs: is_precise(name, pairs, self.policy, queued=len(accounts)),
            tell=lambda progressed: self.tell(progress_line(progressed)),
        ).run(accounts, self._told(measure))

    @property
    def note(self) -> str:
        """How the order came about, as both runs say it."""
        return f"interleaved: blocks in random order, five of every ten with either side first, seed {self.seed}"

    def _told(self, measure: Measure) -> Measure:
        """Say at once what is invalid."""

        def measure_and_tell(side: Side, block: int, names: Sequence[str]) -> Mapping[str, Trial]:
            found = measure(side, block, names)
            for name, trial in found.items():
                if trial.invalid is not None:
                    self.tell(f"block {block}, {side}: {name}: {trial.invalid}")
            return found

        return measure_and_tell


def is_precise(name: str, pairs: Sequence[Pair], policy: Policy, *, queued: int) -> bool:
    """Whether an increase of the benchmark's budget would be found; what was found has no say in it.

    Parameters
    ----------
    queued : int
        How many benchmarks share the level of the family.
    """
    sides = (Benchmark(name=name, workload="", trials=trials) for trials in zip(*pairs, strict=True))
    base, head = paired_logs(*sides)
    if len(base) < 2:
        return False
    estimate = paired(base, head)
    level = family_level(policy.false_alarms, queued=queued)
    budget = policy.rules_for(name).budget
    return bool(precise_enough(estimate.se, estimate.df, level=level, budget=budget, power=policy.power))


def with_blocks(template: Run, accounts: Iterable[Account], side: Side, *, notes: tuple[str, ...]) -> Run:
    """Give the run of one side.

    Parameters
    ----------
    template : Run
        Whose benchmarks of these names say what was measured; their trials are left out.
    """
    found = [(account, template.benchmark(account.name)) for account in accounts]
    return structs.replace(
        template,
        benchmarks=tuple(_filled(benchmark, account, side) for account, benchmark in found if benchmark is not None),
        notes=tuple(dict.fromkeys((*template.notes, *notes))),
    )


def _filled(benchmark: Benchmark, account: Account, side: Side) -> Benchmark:
    return structs.replace(
        benchmark,
        trials=account.trials(side),
        invalid=account.invalid(side),
        noisy=account.noisy or undecided(account),
        notes=(account.sentence,) if side is Side.HEAD else (),
    )


def undecided(account: Account) -> str | None:
    """Why what was measured of a benchmark decides nothing, or None: the fewest blocks are fixed beforehand."""
    least, counted = account.confirm.min_blocks, len(account.counted)
    if account.stopped is not Stop.TIME or counted >= least:
        return None
    return f"confirm.max_minutes were used up after {counted} of at least {least} blocks. Allow more time."


def progress_line(progressed: Progressed) -> str:
    """Say how far it is: `block 3 of 10 to 30, about 2 to 8 min left`."""
    of = f"{progressed.least}" if progressed.least == progressed.most else f"{progressed.least} to {progressed.most}"
    if not progressed.active:
        return f"block {progressed.block}, the last"
    many = f", {progressed.active} benchmarks" if progressed.active > 1 else ""
    return f"block {progressed.block} of {of}{many}, about {_span(*progressed.left_s)} left"


def _span(least_s: float, most_s: float) -> str:
    unit, name = (MINUTE_S, "min") if most_s >= 2 * MINUTE_S else (1.0, "s")
    least, most = (max(1, round(seconds / unit)) for seconds in (least_s, most_s))
    return f"{least} {name}" if least == most else f"{least} to {most} {name}"
