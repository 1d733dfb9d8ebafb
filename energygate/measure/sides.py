"""Running a command on one side: where, with which environment, and what came of it."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from energygate.errors import WorkloadError
from energygate.git import LOCAL_VARIABLES
from energygate.measure.deadline import FOREVER_S
from energygate.measure.interleave import Side
from energygate.measure.moving import Moving
from energygate.measure.witness import SITES
from energygate.signals import interrupts_held_back
from energygate.workloads.proc import MARK
from energygate.workloads.process import Output, Process, child_environment, described, dying_with_us, log_tail
from energygate.workloads.text import printable

_GRACE_S: Final = 5.0
_SHOWN_CHARS: Final = 600
DRIVER: Final = "driver"
# `python -m` looks where it stands before it looks where PYTHONPATH says, and so before the driver.
_AS_MODULE: Final = "import os, sys; sys.path.insert(1, os.getcwd())"
_NO_TIME: Final = "all the time of confirm.max_minutes was used up"
_OWN_FOR_PYTEST: Final = frozenset({"PYTEST_CURRENT_TEST", "PYTEST_VERSION"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One side, and how what belongs to the user's tree is called there.

    Attributes
    ----------
    tree : Path
        The top of the user's working tree.
    root : Path
        The top of this side.
    here : Path
        Where the user stands, in `tree`.
    venv : Path or None
        The side's own virtual environment.
    aliases : tuple of str
        What else the user's tree is called: through a link, say.
    """

    side: Side
    tree: Path
    root: Path
    here: Path
    venv: Path | None = None
    aliases: tuple[str, ...] = ()

    @property
    def cwd(self) -> Path:
        """Where commands run: as far down as the user stands."""
        return self.root / self.here.relative_to(self.tree)

    @property
    def python(self) -> str:
        """The interpreter of this side."""
        return str(self.venv / "bin" / "python") if self.venv else sys.executable

    def driven(self, code: str, *arguments: str) -> list[str]:
        """Give the command that runs Python code by this very energygate, where the side may hold an older one."""
        return self.words([self.python, "-P", "-c", f"{_AS_MODULE}; {code}", *arguments])

    def moved(self, path: str) -> str:
        """Give the path on this side of what lies in the user's tree; other paths stay, and virtual environments."""
        return self._moving.path(path)

    def words(self, command: Sequence[str]) -> list[str]:
        """Give a command as it reads on this side.

        Raises
        ------
        ConfigError
            It names the user's tree in a way that is not understood.
        """
        first, *others = command
        return [self._program(first), *(self._word(word) for word in others)]

    def _program(self, word: str) -> str:
        """A program of a virtual environment that lies in the tree, and that no side has, is the user's own."""
        own = self.here / word
        if "/" in word and not Path(word).is_absolute() and own.exists() and self._moving.in_environment(own):
            return str(own)
        return self._word(word)

    def _word(self, word: str) -> str:
        moving = self._moving
        moving.require_moved(word, os.environ)
        option, equals, value = word.partition("=")
        return f"{option}{equals}{moving.text(value)}" if word.startswith("-") and equals else moving.text(word)

    @property
    def _moving(self) -> Moving:
        return Moving(tree=self.tree, root=self.root, aliases=self.aliases)

    def environment(
        self, environ: Mapping[str, str], added: Mapping[str, str], *, measures: bool = True
    ) -> dict[str, str]:
        """Give the variables of a process on this side: its code comes first.

        Before it comes the energygate that drives, unless the process measures nothing by itself: what is looked for
        on Python's path costs time, and a start is a part of each trial.
        """
        kept = {
            name: value
            for name, value in environ.items()
            if (name == MARK or not name.startswith("ENERGYGATE_"))
            and name not in LOCAL_VARIABLES
            and name not in _OWN_FOR_PYTEST
        }
        moving = self._moving
        moved = {name: moving.paths(value) for name, value in kept.items()}
        driver = [self.root.parent / DRIVER] if measures else []
        own = [*driver, *([source] if (source := self.root / "src").is_dir() else []), self.root]
        path = [*([str(self.venv / "bin")] if self.venv else []), *_listed(moved.get("PATH", os.defpath))]
        virtual = {"VIRTUAL_ENV": str(self.venv)} if self.venv else {}
        paths = {
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join([*map(str, own), *_listed(moved.get("PYTHONPATH", ""))]),
            "PWD": str(self.cwd),
        }
        return child_environment(moved, {**paths, **virtual, **added})


def _listed(paths: str) -> list[str]:
    return [path for path in paths.split(os.pathsep) if path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of running a command once.

    Attributes
    ----------
    fault : str or None
        How it failed, with its last lines; None where it exited with status 0.
    saved : bytes or None
        The Run that it wrote, if it did.
    timed_out : bool
        Whether it was ended because no time was left.
    same_code : bool
        Whether it ran the user's own tree.
    """

    duration_s: float
    fault: str | None
    saved: bytes | None = None
    timed_out: bool = False
    same_code: bool = False


def execute(
    command: Sequence[str], place: Place, environ: Mapping[str, str], *, scratch: Path, save: Path, timeout_s: float
) -> Execution:
    """Run a command on one side, to its end; whatever it started ends with it.

    Parameters
    ----------
    environ : mapping
        The whole environment of the process.
    scratch : Path
        A folder for its output.
    save : Path
        Where it would write a Run.
    """
    log = scratch / "output"
    log.unlink(missing_ok=True)
    save.unlink(missing_ok=True)
    if timeout_s <= 0:
        return Execution(duration_s=0.0, fault=f"{_NO_TIME} before the command began. Allow more.", timed_out=True)
    with ExitStack() as running:
        with interrupts_held_back():  # what is starting would be nobody's
            try:
                output = Output(stdout=log, stderr=log)
                process = Process.start(command, cwd=place.cwd, env=environ, output=output, wrap=dying_with_us())
            except OSError as error:
                return Execution(duration_s=0.0, fault=f"cannot start {printable(command[0])}: {error.strerror}")
            running.callback(process.stop, _GRACE_S)
        started_s = process.clock.now_s()
        status = process.wait(timeout_s)
        duration_s = process.clock.now_s() - started_s
    return Execution(
        duration_s=duration_s,
        fault=_fault(status, log),
        saved=save.read_bytes() if save.is_file() else None,
        timed_out=status is None,
    )


def _fault(status: int | None, log: Path) -> str | None:
    if status is None:
        return f"{_NO_TIME} while the command still ran, so it was killed. Allow more."
    if status == 0:
        return None
    said = log_tail(log)
    last = said if len(said) <= _SHOWN_CHARS else f"…{said[-_SHOWN_CHARS:]}"  # what went wrong is said last
    return f"the command {described(status)}. Its last lines: {last}"


def offer_driver(folder: Path) -> None:
    """Make this very energygate importable from a folder beside both sides, and nothing else of where it lies."""
    (folder / DRIVER).mkdir()
    (folder / DRIVER / "energygate").symlink_to(Path(__file__).resolve().parent.parent, target_is_directory=True)


def make_environment(place: Place, venv: Path, *, scratch: Path, timeout_s: float = FOREVER_S) -> None:
    """Make a virtual environment of this interpreter; what is installed here is found after what is installed there.

    Raises
    ------
    WorkloadError
        It cannot be made.
    """
    ran = _run([sys.executable, "-m", "venv", str(venv)], place, scratch, timeout_s)
    if ran.fault is not None:
        raise WorkloadError(
            f"{place.side}: no virtual environment can be made: {ran.fault}.",
            why="Each side was to have its own (confirm.venv).",
            fix="Install what the last lines name (Debian: python3-venv), or do without: confirm.venv: false.",
        )
    here = [path for path in sys.path if SITES & set(Path(path).parts)]
    (site,) = venv.glob("lib/python*/site-packages")
    lines = [str(venv.parent / DRIVER), *here]
    (site / "zz-energygate.pth").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def set_up(place: Place, command: Sequence[str], *, scratch: Path, timeout_s: float = FOREVER_S) -> None:
    """Run the setup command once, at the top of a side.

    Raises
    ------
    ConfigError, WorkloadError
        It names the user's tree in a way that is not understood, or it fails.
    """
    at_top = replace(place, here=place.tree)
    ran = _run(at_top.words(command), at_top, scratch, timeout_s)
    if ran.fault is not None:
        raise WorkloadError(
            f"{place.side}: setup: {ran.fault}.",
            why="What is not built cannot be measured.",
            fix="Correct confirm.setup (--setup), or mend what it builds.",
        )


def _run(command: Sequence[str], place: Place, scratch: Path, timeout_s: float) -> Execution:
    environ = place.environment(os.environ, {})
    return execute(command, place, environ, scratch=scratch, save=scratch / "none", timeout_s=timeout_s)
