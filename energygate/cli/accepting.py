"""`energygate baseline accept` and `energygate baseline prune`: what is stored, kept and accepted for good reasons."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from energygate.baseline.accepting import (
    accepted_already,
    accepted_change,
    awaiting_runs,
    measured_acceptance,
    pointing_acceptance,
    require_benchmark,
)
from energygate.baseline.base import Store
from energygate.baseline.pruning import Keep, thinned, unneeded
from energygate.baseline.revision import git_user
from energygate.baseline.store import open_store
from energygate.cli.completing import benchmark_names
from energygate.cli.helping import Documented
from energygate.cli.options import BASELINES, CONFIG, as_json_option, given_run, own_option, settings_of, window_rules
from energygate.cli.writing import tell, warn, write_json, write_out
from energygate.errors import ConfigError
from energygate.history.timeline import WindowRules
from energygate.history.window import said_of
from energygate.model import Acceptance, Run
from energygate.pipeline import Surroundings, refuse_to_record
from energygate.settings import Settings
from energygate.workloads.text import printable

Shown = tuple[Run, Acceptance]
_COMMIT_IT: Final = "commit it with the change that it accepts"
_HOLDS_NOW: Final = "it holds from now on, for every branch"


@click.command(cls=Documented, name="accept")
@click.argument("benchmarks", nargs=-1, required=True, metavar="BENCHMARK...", shell_complete=benchmark_names)
@own_option("--reason", required=True, metavar="TEXT", help="Why the new level is right; reports show it.")
@own_option("--run", "which", metavar="FILE|RUN_ID", help="The run on the new level: a file, or a stored run.")
@own_option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The last day on which it holds.")
@own_option("--by", metavar="NAME", help="Who accepts it (default: git's user.name).")
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@click.option("--allow-estimates", is_flag=True, default=None, help="An estimated run may be stored.")
@as_json_option
def accept(benchmarks: tuple[str, ...], *, which: str | None, as_json: bool, **given: Any) -> None:
    """Accept a new level of each BENCHMARK.

    Later runs are compared with it.

    --run names the file that the failing gate saved, or a stored run where the new level begins. Without it, the
    increase that the stored runs show and that nobody accepted is accepted.
    """
    settings = settings_of({name: given.pop(name) for name in ("config", "baselines", "allow_estimates")})
    store, surroundings = open_store(settings.baselines, folder=settings.folder), Surroundings()
    said = _acceptances(dict.fromkeys(benchmarks), settings, at=surroundings.now().replace(microsecond=0), **given)
    stored = [each.run for each in store.everything()]
    rules = window_rules(settings, on=said[0].at.date())
    shown = _awaiting(said, stored, rules) if which is None else [(_named_run(which, store), each) for each in said]
    for run, each in shown:
        require_benchmark(run, each.benchmark)
    done = _Accepted()
    for run, each in shown:
        if earlier := accepted_already(run, each, stored):
            done.already.append(f"{printable(each.benchmark)}: already accepted {said_of(earlier)}; nothing is stored")
    shown = [(run, each) for run, each in shown if accepted_already(run, each, stored) is None]
    for run, _ in shown:
        refuse_to_record(run, allow_estimates=settings.allow_estimates)
    for here in _by_machine(shown):
        run_id = f"{said[0].at:%Y%m%dT%H%M%SZ}-{surroundings.token()}"
        accepting = _accepting(here, frozenset(run.run_id for run in stored), run_id)
        sentences = [accepted_change(run, each, stored, rules) for run, each in here]
        path = store.add(accepting)
        done.accepted.extend(f"accepted {sentence}" for sentence in sentences)
        done.accepted.append(f"stored as {path}: {_COMMIT_IT if store.folder else _HOLDS_NOW}")
        done.files.append(str(path))
    done.write(as_json=as_json)


@dataclass(slots=True)
class _Accepted:
    """What was accepted so far, and where that is stored."""

    already: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def write(self, *, as_json: bool) -> None:
        """Write it as a result."""
        said = [*self.already, *self.accepted]
        if as_json:
            write_json({"schema": "energygate.accepted/1", "stored": self.files, "said": said})
        else:
            write_out("".join(f"{sentence}\n" for sentence in said))


def _acceptances(
    names: Iterable[str],
    settings: Settings,
    *,
    at: dt.datetime,
    reason: str,
    by: str | None,
    until: dt.datetime | None,
) -> list[Acceptance]:
    if not reason.strip():
        raise ConfigError("--reason: empty.", why="Reports show it to everybody who asks why this costs more.")
    if until is not None and until.date() < at.date():
        raise ConfigError(f"--until {until:%Y-%m-%d}: that day is over.", fix="Give a day to come, or none.")
    who = by or git_user(settings.folder)
    if who is None:
        raise ConfigError("git does not know your name.", why="Reports show who accepted.", fix="Give --by NAME.")
    last = None if until is None else until.date()
    return [Acceptance(benchmark=name, by=who, reason=reason.strip(), at=at, until=last) for name in names]


def _awaiting(said: Sequence[Acceptance], stored: Sequence[Run], rules: WindowRules) -> list[Shown]:
    shown = [(run, each) for each in said for run in awaiting_runs(each.benchmark, stored, rules)]
    names = {each.benchmark for _, each in shown}
    if nothing := [each.benchmark for each in said if each.benchmark not in names]:
        earlier = max((a for run in stored for a in run.accepts if a.benchmark == nothing[0]), key=_at, default=None)
        so_far = "" if earlier is None else f"; the newest was already accepted {said_of(earlier)}"
        raise ConfigError(
            f"{printable(nothing[0])}: the stored runs show no increase that waits to be accepted{so_far}.",
            fix="Name the run that shows it with --run FILE: the failing gate saves it with --energy-save=FILE.",
        )
    return shown


def _at(acceptance: Acceptance) -> dt.datetime:
    return acceptance.at


def _named_run(which: str, store: Store) -> Run:
    path = Path(which)
    if path.suffix == ".json" or path.is_file():
        return given_run(path)
    return store.find(which).run


def _by_machine(shown: Sequence[Shown]) -> list[list[Shown]]:
    machines = sorted({run.machine.fingerprint for run, _ in shown})
    return [[each for each in shown if each[0].machine.fingerprint == machine] for machine in machines]


def _accepting(shown: Sequence[Shown], stored: frozenset[str], run_id: str) -> Run:
    """The run to store: what was measured with the words in it, or a pointer to what is stored already."""
    run = shown[0][0]
    if run.run_id in stored:
        return pointing_acceptance(shown, run_id=run_id)
    return measured_acceptance(run, [acceptance for _, acceptance in shown])


@click.command(cls=Documented, name="prune")
@own_option("--keep", type=click.IntRange(min=1), default=50, show_default=True, help="Newest runs of each benchmark.")
@own_option("--older-than", type=click.IntRange(min=0), metavar="DAYS", help="Remove only what is older.")
@own_option("--yes", is_flag=True, help="Remove them; without it they are listed.")
@click.option("--config", metavar="FILE", help=CONFIG)
@click.option("--baselines", metavar="URI", help=BASELINES)
@as_json_option
def prune(*, keep: int, older_than: int | None, yes: bool, as_json: bool, **options: Any) -> None:
    """List the stored runs that nothing needs, or remove them.

    On each machine the newest runs of each benchmark stay, the runs of anchors, and acceptances that still decide.
    """
    settings = settings_of(options)
    store = open_store(settings.baselines, folder=settings.folder)
    stored = store.everything()
    rule = Keep(
        newest=keep,
        since=None if older_than is None else Surroundings().now() - dt.timedelta(days=older_than),
        commits=tuple(anchor.commit for anchor in settings.policy.anchors),
        before_acceptance=settings.policy.window,
    )
    going = unneeded(stored, rule)
    if yes and going:
        store.remove(*going)
    paths, thin = [str(each.path) for each in going], thinned(stored, going, settings.policy.min_sessions)
    if as_json:
        found = {"stored": len(stored), "unneeded": paths, "removed": yes, "warnings": list(thin)}
        write_json({"schema": "energygate.prune/1", **found})
    else:
        write_out("".join(f"{'removed' if yes else 'would remove'} {path}\n" for path in paths))
    warn(thin)
    done = f"; removed {len(going)}" if yes else "; --yes removes them"
    tell(f"{len(going)} of {len(stored)} stored runs are not needed{done if going else ''}")
