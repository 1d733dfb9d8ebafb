"""Blocks of a command that measures nothing by itself: it is the benchmark, and one execution is one trial."""

import gc
import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from energygate.errors import MeasurementInvalid
from energygate.interleaving.by_runs import TOO_SMALL
from energygate.interleaving.prepared import Sides, Tell
from energygate.measure.deadline import FOREVER_S
from energygate.measure.interleave import Side
from energygate.measure.requirement import Requirement, TrialSettings
from energygate.measure.session import Session, workload_hash
from energygate.measure.trials import TrialSeries
from energygate.model import Benchmark, Run, Trial, Work
from energygate.settings import Settings
from energygate.units import format_quantity
from energygate.workloads.command import CommandWorkload
from energygate.workloads.suites import CommandSuite
from energygate.workloads.text import printable

_NAME_CHARS: Final = 120
_SHORTEST_S: Final = 1e-3  # less is not told from the start of a process
_HEADROOM: Final = 1.3  # as for other trials: the first run of a program is seldom its fastest


@dataclass(slots=True, kw_only=True)
class ByCommand:
    """Measures executions from outside.

    Attributes
    ----------
    repeats : int
        Executions in a trial, on both sides: more than one only where the meters cannot tell one from the next.
    why_repeated : str
        Why there is more than one, if there is.
    """

    session: Session
    name: str
    command: tuple[str, ...]
    workloads: Mapping[Side, CommandWorkload]
    settings: TrialSettings
    repeats: int
    why_repeated: str
    tell: Tell

    @property
    def template(self) -> Run:
        """The run of a session that measured this command, without its trials."""
        definition = {"v": 1, "kind": "command", "command": list(self.command), "work": {}}
        benchmark = Benchmark(name=self.name, workload=workload_hash(definition))
        return structs.replace(self.session.run(), benchmarks=(benchmark,))

    def announce(self) -> None:
        """Say that a trial is several executions, where it is."""
        if self.repeats > 1:
            self.tell(f"a trial is {self.repeats} executions: {self.why_repeated}")

    def measure(self, side: Side, block: int, names: Sequence[str]) -> Mapping[str, Trial]:
        """Give one trial of the command."""
        gc.freeze()  # a command's garbage is not ours: the collection before a trial need not search all that is here
        series = self.session.series(self.name, self.settings)
        series.iterations = self.repeats
        self._drive(series, self.workloads[side])
        (trial,) = series.trials
        self._learn(trial, series)
        return dict.fromkeys(names, structs.replace(trial, block=block))

    def _drive(self, series: TrialSeries, workload: CommandWorkload) -> None:
        for trial in series:
            counted: list[Work] = []
            workload.before()
            with trial:
                for _ in range(self.repeats - 1):
                    workload.run(1)
                    counted.append(workload.after().work)
                    workload.before()
                workload.run(1)
            if trial.fault is not None:
                continue
            try:
                counted.append(workload.after().work)
            except MeasurementInvalid as fault:
                trial.reject(fault)
                continue
            for work in counted:
                trial.add(**{name: n for name in work.__struct_fields__ if (n := getattr(work, name)) is not None})

    def _learn(self, trial: Trial, series: TrialSeries) -> None:
        """Repeat what proves too short more often from now on: its block is void, and each block is compared alone."""
        if (trial.invalid or "").partition(":")[0] not in TOO_SMALL:
            return
        need, energy_j = series.requirement, trial.total_j
        longer = need.duration_s / max(trial.duration_s, 1e-6)
        more = need.energy_j / energy_j if energy_j else 1.0
        were, self.repeats = self.repeats, math.ceil(_HEADROOM * max(longer, more, 1.0) * self.repeats)
        what = "1 execution was" if were == 1 else f"{were} executions were"
        lacked = "time" if longer >= more else "energy"
        self.tell(f"from now on a trial is {self.repeats} executions: {what} too little {lacked} to measure")


@contextmanager
def by_command(
    sides: Sides,
    session: Session,
    command: Sequence[str],
    *,
    durations_s: Sequence[float],
    tell: Tell,
) -> Iterator[ByCommand]:
    """Get ready to measure a command on both sides.

    Parameters
    ----------
    durations_s : sequence of float
        How long it took in the rehearsal.
    """
    settings = trial_settings(sides.settings)
    need = Requirement() if session.meters.is_replay else Requirement.of(session.meters.domains, settings)
    name = printable(shlex.join(command), limit=_NAME_CHARS)
    asked = f"{need.setting} is" if need.setting else need.asker
    with ExitStack() as opened:
        opened.callback(gc.unfreeze)
        workloads = {}
        for side, place in sides.places.items():
            suite = CommandSuite(name=side, command=tuple(place.words(command)), timeout=FOREVER_S)
            workloads[side] = CommandWorkload(
                suite,
                name=name,
                folder=place.cwd,
                environ=place.environment(os.environ, {}, measures=False),
                scratch=sides.scratch,
                left_s=lambda: sides.deadline.left_s,
            )
            opened.callback(workloads[side].close)
            workloads[side].open()
        yield ByCommand(
            session=session,
            name=name,
            command=tuple(command),
            workloads=workloads,
            settings=settings,
            repeats=repeats_for(need, min(durations_s)),
            why_repeated=f"one took {_took(min(durations_s))}, and {asked} {format_quantity(need.duration_s, 's')}",
            tell=tell,
        )


def trial_settings(settings: Settings) -> TrialSettings:
    """One trial; only as long as its meters need it to be, unless an option says otherwise."""
    wanted_s = settings.forced.min_time or 0.0
    return TrialSettings(
        count=1,
        warmup=0,
        max_invalid=0.0,
        min_time_s=wanted_s,
        min_time_gpu_s=wanted_s,
        cooldown_s=settings.trials.cooldown_s,
    )


def repeats_for(need: Requirement, duration_s: float) -> int:
    """How many executions a trial needs."""
    if duration_s >= need.duration_s:
        return 1
    return math.ceil(_HEADROOM * need.duration_s / max(duration_s, _SHORTEST_S))


def _took(duration_s: float) -> str:
    if duration_s < _SHORTEST_S:
        return f"no measurable time, less than {format_quantity(_SHORTEST_S, 's')}"
    return format_quantity(duration_s, "s")
