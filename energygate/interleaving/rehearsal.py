"""The first run of each side: it warms up, and tells what there is to measure and how often to repeat it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from msgspec import structs

from energygate.interleaving.prepared import Command, Sides, Tell, unexplained_fault
from energygate.measure.interleave import Side
from energygate.measure.sides import Execution
from energygate.model import Benchmark, Run


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What came of it.

    Attributes
    ----------
    executions : mapping of side to Execution or None
        None where the side has nothing to run.
    runs : mapping of side to Run or None
        None where the command wrote none.
    asked : tuple of Benchmark
        What was asked for, as it was measured before; nothing where the command measures what there is.
    notes : tuple of str
        What is not known of what ran.
    """

    executions: Mapping[Side, Execution | None]
    runs: Mapping[Side, Run | None]
    asked: tuple[Benchmark, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def wrote_runs(self) -> bool:
        """Whether the command measures by itself: then its benchmarks are judged, and not the command."""
        return any(run is not None for run in self.runs.values())

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every benchmark that was asked for, or that either side has, the head's first."""
        both = (self.runs[Side.HEAD], self.runs[Side.BASE])
        found = [each for run in both if run is not None for each in run.benchmarks]
        return tuple(dict.fromkeys(each.name for each in (*self.asked, *found)))

    @cached_property
    def failures(self) -> dict[str, tuple[Side, str]]:
        """Which side can't measure these benchmarks although it should have them, and why."""
        found = ((name, self._failure(name)) for name in self.names)
        return {name: failure for name, failure in found if failure is not None}

    def out_of_time(self, name: str) -> str | None:
        """Why a benchmark was not measured, if that is because a side was cut off; else None."""
        side, why = self.failures.get(name, (Side.HEAD, None))
        done = self.executions[side]
        return why if done is not None and done.timed_out else None

    def absent(self, side: Side) -> tuple[str, ...]:
        """The benchmarks that a side does not have, although it ran well."""
        return tuple(name for name in self.names if name not in self.failures and self.benchmark(side, name) is None)

    @property
    def measurable(self) -> tuple[str, ...]:
        """The benchmarks that both sides have."""
        out = {*self.failures, *self.absent(Side.BASE), *self.absent(Side.HEAD)}
        return tuple(name for name in self.names if name not in out)

    @property
    def iterations(self) -> dict[str, int]:
        """How often each repeats its work inside a trial, on both sides: so that the shorter of them is long enough."""
        found: dict[str, int] = {}
        for run in self.runs.values():
            for each in () if run is None else run.benchmarks:
                last = each.trials[-1].iterations if each.trials else 1
                found[each.name] = max(found.get(each.name, 1), last)
        return found

    def benchmark(self, side: Side, name: str) -> Benchmark | None:
        """What one side measured of a benchmark."""
        run = self.runs[side]
        return None if run is None else run.benchmark(name)

    def template(self, side: Side) -> Run:
        """A run of that machine and those meters; where the side wrote none, the other's."""
        run = self.runs[side] or self.runs[Side.HEAD] or self.runs[Side.BASE]
        assert run is not None  # noqa: S101  `wrote_runs` is asked first
        return run

    def failed(self, side: Side, name: str) -> Benchmark:
        """Give a benchmark that failed as the run of one side holds it: the side to blame says why."""
        to_blame, why = self.failures[name]
        measured = (each for either in (side, *Side) if (each := self.benchmark(either, name)) is not None)
        found = next(chain(measured, (each for each in self.asked if each.name == name)))
        return structs.replace(found, trials=(), invalid=why if side is to_blame else None)

    def _failure(self, name: str) -> tuple[Side, str] | None:
        for side, execution in self.executions.items():
            found = self.benchmark(side, name)
            if found is not None and found.invalid is not None:
                return side, found.invalid
            if execution is not None and (fault := self._fault(execution, self.runs[side])):
                return side, fault if found is not None else f"it was not measured: {fault}"
        return None

    def _fault(self, done: Execution, run: Run | None) -> str | None:
        if self.asked and run is None and done.fault is None:
            return "the command ended well, but without its measurement"
        return unexplained_fault(done, run)


def rehearse(sides: Sides, command: Command, *, tell: Tell, asked: tuple[Benchmark, ...] | None = None) -> Rehearsal:
    """Run the command once on each side; nothing of it counts, and what imports the user's own tree is found out.

    Parameters
    ----------
    asked : tuple of Benchmark, optional
        What to measure; whatever the command measures where it is not given.
    """
    names = None if asked is None else tuple(each.name for each in asked)
    executions: dict[Side, Execution | None] = {}
    unheard: list[str | None] = []
    runs: dict[Side, Run | None] = {}
    for side in Side:
        words = command(sides.places[side], names)
        executions[side], runs[side] = None, None
        if words is not None:
            tell(f"{side}: a first run, which does not count")
            with sides.witness:
                done, runs[side] = sides.execute(side, words, sides.assignment(names=names))
                unheard.append(sides.witness.unheard(words) if done.fault is None else None)
            executions[side] = done
            if fault := unexplained_fault(done, runs[side]):
                tell(f"{side}: {fault}")
    notes = tuple(dict.fromkeys(note for note in unheard if note is not None))
    for note in notes:
        tell(note)
    return Rehearsal(executions=executions, runs=runs, asked=asked or (), notes=notes)
