"""Keeping the user's own tree out of both sides: code that is imported from there is the same on either."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from energygate.errors import ConfigError
from energygate.measure import witness
from energygate.measure.worktrees import copying
from energygate.workloads.text import printable

_HOOK: Final = "sitecustomize.py"
_HEARD: Final = "heard"
_PYTHON: Final = re.compile(r"(?<![\w.-])(?:python|pypy)[\d.]*(?![\w./-])")  # also in a line for a shell
_SHOWN_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Says which modules of the tree the Python processes of a first run import, whatever starts them.

    Later runs go without: the answer is known, and what is measured should not hold a look at it.

    Attributes
    ----------
    driver : Path
        The folder that a side's Python looks in first.
    tree : Path
        The top of the user's working tree.
    """

    driver: Path
    tree: Path

    def __enter__(self) -> Self:
        """Stand beside the processes that are started from now on."""
        (self.driver / _HEARD).unlink(missing_ok=True)
        with copying():
            (self.driver / "tree").write_bytes(os.fsencode(self.tree))
            shutil.copyfile(witness.__file__, self.driver / _HOOK)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        (self.driver / _HOOK).unlink()

    def hear(self) -> str | None:
        """Say what was imported from the tree since it was last asked, or None."""
        try:
            said = self._found.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return None
        self._found.unlink()
        name, _, file = said.splitlines()[0].partition("\t")
        return str(same_code(name, file, tree=str(self.tree)))

    def unheard(self, command: Sequence[str]) -> str | None:
        """Say that a command which is a Python kept its modules to itself in a first run, or None."""
        if (self.driver / _HEARD).exists() or not any(_PYTHON.search(word) for word in command):
            return None
        return (
            "no Python of the first run reported what it imports (-I, -E, -S or a PYTHONPATH of its own prevent that): "
            "check that each side runs its own code"
        )

    @property
    def _found(self) -> Path:
        return self.driver / "found"


def same_code(name: str, file: str, *, tree: str) -> ConfigError:
    """The refusal of a module of the tree, or of a copy that was installed from there."""
    inside = witness.is_below(os.path.realpath(file), os.path.realpath(tree))
    where = "is the working tree itself" if inside else "was installed from the working tree"
    return ConfigError(
        f"{printable(name)} was imported from {printable(file, limit=_SHOWN_CHARS)}, which {where}.",
        why="Both sides would run the same code, and no change could be seen.",
        fix="Let it be installed on each side: --venv with --setup 'pip install -e .' (confirm.venv, confirm.setup).",
    )
