"""The command with which `pytest --energy` measures some of its benchmarks again, on either side."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from energygate.interleaving.prepared import Command
from energygate.measure.sides import Place

# What decides which tests run, ends the session early, asks questions, or writes to a file of the user's.
_ALONE: Final = frozenset(
    {
        "-x",
        "--cov",
        "--energy",
        "--energy-allow-estimates",
        "--energy-only",
        "--exitfirst",
        "--failed-first",
        "--ff",
        "--last-failed",
        "--lf",
        "--new-first",
        "--nf",
        "--pdb",
        "--stepwise",
        "--stepwise-skip",
        "--sw",
        "--sw-skip",
        "--trace",
    }
)
_WITH_VALUE: Final = frozenset(
    {
        "-k",
        "-m",
        "--basetemp",
        "--cov-config",
        "--cov-report",
        "--deselect",
        "--html",
        "--junit-xml",
        "--junitxml",
        "--log-file",
        "--maxfail",
        "--report-log",
        "--rootdir",
    }
)
_PYTEST: Final = "import runpy; runpy.run_module('pytest', run_name='__main__', alter_sys=True)"


def command(arguments: Sequence[str], *, positional: Sequence[str], rootdir: Path, here: Path) -> Command:
    """Give what measures benchmarks on a side: the files that hold them, and what else the user asked of pytest.

    Parameters
    ----------
    arguments : sequence of str
        Of the user's own command line.
    positional : sequence of str
        Those of them that name what to run.
    rootdir : Path
        What node ids are relative to.
    here : Path
        Where pytest was started.
    """
    kept = tuple(_kept(arguments, frozenset(positional)))

    def words(place: Place, names: Sequence[str] | None) -> Sequence[str] | None:
        files = dict.fromkeys(name.partition("::")[0] for name in names or ())
        paths = [os.path.relpath(rootdir / file, here) for file in files]
        there = [path for path in paths if (place.cwd / path).exists()]
        if not there:
            return None
        return place.driven(_PYTEST, *kept, "--energy", f"--rootdir={place.moved(str(rootdir))}", *there)

    return words


def _kept(arguments: Sequence[str], positional: frozenset[str]) -> Iterator[str]:
    left = iter(arguments)
    for argument in left:
        name, equals, _ = argument.partition("=")
        if argument in positional or name in _ALONE:
            continue
        if name in _WITH_VALUE or name.startswith("--energy-"):
            if not equals:
                next(left, None)
            continue
        yield argument
