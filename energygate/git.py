"""Asking git, in a way that changes nothing by the way: no hooks, no locks for a look, no questions at a terminal.

It is asked about a folder, and answers about the repository that holds it, whatever variables a hook has set.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from energygate.errors import ConfigError
from energygate.signals import interrupts_held_back
from energygate.workloads.text import printable

# `git rev-parse --local-env-vars`: inside a hook they point at another index, or another repository.
LOCAL_VARIABLES: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
_AS_IT_IS: Final = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "submodule.recurse=false"),
    *("-c", "core.safecrlf=false"),  # the user's guard of commits: a copy for measuring is none
)
_ID: Final = re.compile("[0-9a-f]{40,64}")
_QUIET: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its id says, whatever a ref puts in its place
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """git in one folder.

    Attributes
    ----------
    variables : mapping
        What stands above its environment: another repository than the one that holds the folder.
    """

    folder: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, *arguments: str, **variables: str) -> str:
        """Give what git says, without the last line end. Raises ConfigError."""
        done = self._there(arguments, variables)
        if done.returncode != 0:
            command = next(word for word in arguments if not word.startswith("-"))
            raise ConfigError(
                f"git {command} failed in {self.folder}: {printable(done.stderr) or 'it said nothing'}.",
                why="Without it nothing is known of the commits to compare.",
                fix="Mend what git names.",
            )
        return done.stdout.removesuffix("\n")

    def answer(self, *arguments: str) -> str | None:
        """Give what git says, or None where it has no answer."""
        done = self._there(arguments, {})
        return done.stdout.removesuffix("\n") if done.returncode == 0 else None

    def ask(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Give what became of it. Raises FileNotFoundError where there is no git."""
        done = self.ask_bytes(*arguments, given=None, **variables)
        out, err = (_text(said) for said in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def ask_bytes(
        self, *arguments: str, given: bytes | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Give what became of it, in bytes as a file holds them; `given` is its input."""
        kept = {name: value for name, value in self.environ.items() if name not in LOCAL_VARIABLES}
        with ExitStack() as running:
            with interrupts_held_back():  # what is starting would be nobody's
                process = running.enter_context(
                    subprocess.Popen(  # noqa: S603  arguments are ours, and no shell reads them
                        ["git", "-C", str(self.folder), *_AS_IT_IS, *arguments],  # noqa: S607  whichever git the user has
                        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE,
                        env={**kept, **_QUIET, **self.variables, **variables},
                        start_new_session=True,
                    )
                )
                running.push(partial(_end_if_interrupted, process.pid))
            out, err = process.communicate(given)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def _there(self, arguments: tuple[str, ...], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        try:
            return self.ask(*arguments, **variables)
        except FileNotFoundError as error:
            raise ConfigError(
                "git is not installed.", why="The base is taken from the repository.", fix="Install git."
            ) from error


def _text(said: bytes) -> str:
    """Give bytes as text; a path may be any bytes."""
    return said.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def _end_if_interrupted(group: int, kind: type[BaseException] | None, *_: object) -> None:
    """End git's own children too: a checkout would go on without it."""
    if kind is not None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def repository_of(folder: Path) -> Git:
    """Give git at the top of the repository that holds `folder`. Raises ConfigError."""
    top = Git(folder=folder).answer("rev-parse", "--show-toplevel")
    if not top:
        raise ConfigError(
            f"{folder} is in no git working tree.",
            why="The base is taken from the repository.",
            fix="Work in a clone; in a container: git config --global --add safe.directory DIR.",
        )
    return Git(folder=Path(top))


def commit_of(git: Git, revision: str) -> str:
    """Give the commit that a revision names. Raises ConfigError."""
    if not revision.strip():
        raise ConfigError(
            "The base has an empty name.",
            why="The base is measured at a commit.",
            fix="Give a commit, a tag or a branch that `git log` knows.",
        )
    named = git.answer("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
    # `^main` is answered too: everything that main has not. And `:/words` takes all that follows for words.
    commit = (
        git.answer("rev-parse", "--verify", "--quiet", f"{named}^{{commit}}") if _ID.fullmatch(named or "") else None
    )
    if commit:
        return commit
    shallow = git.answer("rev-parse", "--is-shallow-repository") == "true"
    raise ConfigError(
        f"There is no commit {printable(revision)} here.",
        why="The base is measured at that commit.",
        fix="This clone is shallow: git fetch --unshallow, or fetch-depth: 0 for actions/checkout."
        if shallow
        else "Give a commit, a tag or a branch that `git log` knows.",
    )
