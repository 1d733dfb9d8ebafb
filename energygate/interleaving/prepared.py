"""Two sides made ready to be measured in turn, and a process on one of them told what to measure."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from energygate.baseline.schema import decode_run
from energygate.config import DEFAULT_FILE
from energygate.errors import ConfigError
from energygate.git import Git
from energygate.interleaving.revision import Revision
from energygate.measure.assignment import VARIABLE, Assignment
from energygate.measure.deadline import Deadline
from energygate.measure.interleave import Side
from energygate.measure.moving import aliases_of
from energygate.measure.own_code import Witness
from energygate.measure.sides import DRIVER, Execution, Place, execute, make_environment, offer_driver, set_up
from energygate.measure.snapshot import empty_submodules, said_of_empty
from energygate.measure.worktrees import copying, worktrees
from energygate.model import Run
from energygate.settings import Settings

Tell = Callable[[str], None]
Command = Callable[[Place, Sequence[str] | None], Sequence[str] | None]
"""Gives the words to run on a side for some benchmarks, or for all; None where the side has nothing to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides, made ready.

    Attributes
    ----------
    scratch : Path
        A private folder for what processes write.
    notes : tuple of str
        What of the repository they do not hold.
    deadline : Deadline
        When everything has to end.
    witness : Witness
        Who says whether a first run imports code of the user's own tree.
    """

    base: Revision
    places: Mapping[Side, Place]
    scratch: Path
    settings: Settings
    deadline: Deadline
    witness: Witness
    notes: tuple[str, ...] = ()

    def environment(self, side: Side, assignment: Assignment) -> dict[str, str]:
        """Give the variables of a process that measures on this side, or is measured there."""
        place, settings = self.places[side], self.settings
        config = None if settings.config is None else place.moved(str(settings.config))
        min_time_s = settings.forced.min_time
        told = {
            "ENERGYGATE_MODE": "measure",
            "ENERGYGATE_SAVE": assignment.save,
            "ENERGYGATE_TRIALS": "1",
            "ENERGYGATE_WARMUP": "0",
            "ENERGYGATE_METERS": ",".join(settings.meters),
            "ENERGYGATE_SYSFS": str(settings.sysfs.resolve()),
            VARIABLE: assignment.encoded(),
        }
        if min_time_s is not None:
            told["ENERGYGATE_MIN_TIME"] = f"{min_time_s:g}"
        if config is not None and Path(config).name != DEFAULT_FILE and Path(config).exists():
            told["ENERGYGATE_CONFIG"] = config
        return place.environment(os.environ, told)

    def assignment(
        self, *, names: Sequence[str] | None = None, iterations: Mapping[str, int] | None = None, played: int = 0
    ) -> Assignment:
        """Say what to measure."""
        settings = self.settings
        return Assignment(
            save=str(self.scratch / "run.json"),
            tree=str(self.places[Side.HEAD].tree),
            config=None if settings.config is None else str(settings.config),
            names=None if names is None else tuple(names),
            iterations=dict(iterations or {}),
            played=played,
            driver=os.getpid(),
        )

    def execute(self, side: Side, words: Sequence[str], assignment: Assignment) -> tuple[Execution, Run | None]:
        """Run a command on one side, to its end; give what came of it, and the Run that it wrote, if it did.

        What ran the user's own tree counts for nothing.

        Raises
        ------
        BaselineError
            What it wrote is no Run.
        """
        save = Path(assignment.save)
        done = execute(
            words,
            self.places[side],
            self.environment(side, assignment),
            scratch=self.scratch,
            save=save,
            timeout_s=self.deadline.left_s,
        )
        if same := self.witness.hear():
            return replace(done, fault=same, saved=None, same_code=True), None
        run = None if done.saved is None else decode_run(done.saved, origin=f"{side}: {save}")
        return done, run


@contextmanager
def open_sides(base: Revision, settings: Settings, *, here: Path, deadline: Deadline, tell: Tell) -> Iterator[Sides]:
    """Make both sides ready, and remove them however the block ends.

    Parameters
    ----------
    here : Path
        Where the user stands; commands run there on either side.

    Raises
    ------
    ConfigError, WorkloadError
        A side cannot be made, or its setup fails.
    """
    tree = base.git.folder.resolve()
    with worktrees(base.git, base.commit) as made:
        scratch = made.folder / "scratch"
        with copying():
            offer_driver(made.folder)
            scratch.mkdir()
        own, aliases = settings.sides.venv, aliases_of(tree, os.environ)
        places = {
            side: Place(
                side=side,
                tree=tree,
                root=made.root(side),
                here=here.resolve(),
                venv=made.folder / f"{side}-env" if own else None,
                aliases=aliases,
            )
            for side in Side
        }
        for place in places.values():
            with copying():
                place.cwd.mkdir(parents=True, exist_ok=True)  # the base may have no such folder
            _prepare(place, settings, scratch=scratch, deadline=deadline, tell=tell)
        yield Sides(
            base=base,
            places=places,
            scratch=scratch,
            settings=settings,
            deadline=deadline,
            witness=Witness(driver=made.folder / DRIVER, tree=tree),
            notes=(*made.notes, *said_of_empty(*(empty_submodules(Git(folder=made.root(side))) for side in Side))),
        )


def _require_installable(place: Place) -> None:
    if not any((place.root / name).exists() for name in ("pyproject.toml", "setup.py")):
        raise ConfigError(
            f"{place.side}: there is no pyproject.toml and no setup.py at its top, so nothing can be installed there.",
            why="An environment of its own (confirm.venv) gets `pip install -e .` where no setup is given.",
            fix="Give --setup (confirm.setup): --setup 'pip install -r requirements.txt', for example.",
        )


def unexplained_fault(done: Execution, run: Run | None) -> str | None:
    """How a process failed, unless that is because of a benchmark which says so itself."""
    explained = run is not None and any(each.invalid is not None or not each.valid for each in run.benchmarks)
    return None if explained else done.fault


def _prepare(place: Place, settings: Settings, *, scratch: Path, deadline: Deadline, tell: Tell) -> None:
    if place.venv is not None and not settings.sides.setup:
        _require_installable(place)
    if place.venv is not None:
        tell(f"{place.side}: making a virtual environment")
        make_environment(place, place.venv, scratch=scratch, timeout_s=deadline.left_s)
    if command := settings.sides.preparation:
        tell(f"{place.side}: {' '.join(command)}")
        set_up(place, command, scratch=scratch, timeout_s=deadline.left_s)
