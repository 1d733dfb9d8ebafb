"""What a process that measures one side is told by the one that interleaves: one trial of each benchmark, no verdict.

It travels in one variable, because it wins over whatever the command's own options, its configuration and its markers
say: both sides are measured alike, also where the base was configured otherwise.
"""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from energygate.errors import ConfigError
from energygate.measure.own_code import same_code
from energygate.measure.witness import own_modules

VARIABLE: Final = "ENERGYGATE_ASSIGNMENT"


class Assignment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to measure, and where to save it. Whoever assigns holds the lock of the machine.

    Attributes
    ----------
    tree : str
        The user's own tree. Nothing that is measured may be imported from there: both sides would run the same code.
    config : str or None
        The configuration file that says with which meters, and how, both sides are measured.
    names : tuple of str or None
        The benchmarks to measure; None for whatever there is.
    iterations : mapping of benchmark name to int
        How often each repeats its work inside a trial; what is not named finds out.
    played : int
        How many windows of each benchmark a replay has played before.
    driver : int or None
        Process id of whoever assigns: it waits meanwhile, and its processes are no strangers to the workload.
    """

    save: str
    tree: str
    config: str | None = None
    names: tuple[str, ...] | None = None
    iterations: dict[str, Annotated[int, Meta(ge=1)]] = {}
    played: Annotated[int, Meta(ge=0)] = 0
    driver: Annotated[int, Meta(ge=1)] | None = None

    @property
    def calibrates(self) -> bool:
        """Whether it finds out how often to repeat the work."""
        return not self.iterations

    def wants(self, name: str) -> bool:
        """Whether that benchmark is to be measured."""
        return self.names is None or name in self.names

    def encoded(self) -> str:
        """The variable's value."""
        return msgspec.json.encode(self).decode()


def assignment_in(environ: Mapping[str, str]) -> Assignment | None:
    """Give what this process was assigned, or None where nobody did. Raises ConfigError."""
    text = environ.get(VARIABLE)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Assignment)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{VARIABLE}: {error}.", why="energygate sets it for the processes that it starts.", fix="Unset it."
        ) from error


def require_own_code(assignment: Assignment, modules: Mapping[str, Any] = sys.modules) -> None:
    """Refuse modules of the user's own tree. Raises ConfigError.

    What is installed in an environment that lies in the tree is no code under test.
    """
    for name, file in own_modules(modules, os.path.realpath(assignment.tree)):
        raise same_code(name, file, tree=assignment.tree)
