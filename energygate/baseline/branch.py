"""Runs on a branch of their own, beside the code and outside of its history: `baselines: git:energy-baselines`.

Whoever writes makes one commit on top of what is there, and begins anew where somebody else was faster. So jobs that
record at once lose nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from energygate.baseline.base import Contents, Store, StoredRun, file_name, is_run_file, stored_already
from energygate.baseline.own_repository import own_repository
from energygate.baseline.remote import Blob, RemoteBranch
from energygate.baseline.schema import encode_run
from energygate.clock import Clock, SystemClock
from energygate.errors import BaselineError, ConfigError, NotStored
from energygate.git import Git
from energygate.model import Run

_SCHEME: Final = "git:"
_REMOTE: Final = "origin"
_NO_COMMIT: Final = "none"
_TRIES: Final = 6
_JITTER_S: Final = (0.1, 1.0)
_LARGEST_FILE: Final = 100 * 2**20  # GitHub refuses a push with a larger one
_LARGE: Final = 50 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchStore(Store):
    """Runs on a branch of the remote `origin`.

    Attributes
    ----------
    near : Path
        In whose repository it is.
    environ : mapping or None
        What git is told, credentials above all; None for this process's own environment.
    at : str or None
        The commit to read, which the clone has already, or `none` where the branch was not there; None: its newest one.
    clock, chance
        How long to wait before another try.
    largest_file, large : int
        Bytes of a file that is refused, and of a branch that is worth a warning.
    """

    branch: str
    near: Path
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    at: str | None = None
    clock: Clock = field(default_factory=SystemClock, compare=False)
    chance: Random = field(default_factory=Random, compare=False)
    largest_file: int = _LARGEST_FILE
    large: int = _LARGE

    @property
    def where(self) -> str:
        """The branch."""
        return f"{_SCHEME}{self.branch}"

    def contents(self) -> Contents:
        """Fetch the branch, unless that was done, and look at it. Raises BaselineError, ConfigError."""
        remote = self._remote()
        commit = remote.fetch() if self.at is None else self._commit(remote, self.at)
        files = remote.files(commit)
        return Contents(
            names=tuple(filter(is_run_file, files)),
            read=lambda names: remote.read([files[name].id for name in names]),
            shown=self._shown,
            absent="" if commit else f"{remote.remote} has no such branch",
        )

    def fetched(self) -> str:
        """Fetch the branch; give what lets `open_store` read the same later. Raises BaselineError, ConfigError."""
        return f"{self.where}@{self._remote().fetch() or _NO_COMMIT}"

    def require_writable(self, fingerprint: str) -> None:
        """Refuse where a push would be; nothing is pushed. Raises BaselineError, ConfigError, NotStored."""
        del fingerprint
        remote = self._remote()
        parent = remote.fetch()
        commit = parent or remote.commit(None, {}, "energygate")
        if said := remote.push(commit, "--dry-run", parent=parent):
            raise _not_written(remote, said)

    def add(self, run: Run) -> str:
        """Store a run. Raises BaselineError, ConfigError, NotStored."""
        data, name = encode_run(run), file_name(run)
        if len(data) > self.largest_file:
            raise NotStored(
                f"{name} has {_mib(len(data))}, and GitHub refuses files above {_mib(self.largest_file)}.",
                fix="Record fewer benchmarks at once, or keep the baselines in object storage.",
            )
        remote = self._remote()
        self._write(remote, {name: remote.keep(data)}, f"Run {run.run_id}")
        return self._shown(name)

    def remove(self, *stored: StoredRun) -> None:
        """Remove runs by one commit; its history keeps them. Raises BaselineError, ConfigError, NotStored."""
        names = [str(each.path).removeprefix(f"{self.where}/") for each in stored]
        self._write(self._remote(), dict.fromkeys(names), f"Remove {len(names)} run{'s' if len(names) != 1 else ''}")

    def remarks(self) -> tuple[str, ...]:
        """Say that it has grown large, as it was fetched last."""
        remote = self._remote()
        commit = remote.kept() if self.at is None else self._commit(remote, self.at)
        size = sum(each.size for each in remote.files(commit).values())
        if size <= self.large:
            return ()
        said = f"baselines: {self.where} holds {_mib(size)}, more than {_mib(self.large)}, and every job fetches it."
        return (f"{said} `energygate baseline prune --baselines={self.where}` lists the runs that nothing needs.",)

    def _commit(self, remote: RemoteBranch, at: str) -> str | None:
        """Give the commit to read, or None for none. Raises BaselineError where the clone does not have it."""
        if at == _NO_COMMIT:
            return None
        if remote.git.answer("cat-file", "-e", f"{at}^{{commit}}") is None:
            raise BaselineError(
                f"{self.where} was fetched at {at[:12]}, and {remote.git.folder} does not have that commit.",
                why="Unread baselines must not look like none.",
                fix="Measure in the clone that they were fetched into, and leave its objects alone.",
            )
        return at

    def _write(self, remote: RemoteBranch, changes: Mapping[str, str | None], message: str) -> None:
        """Put changes on top of whatever is there, against others who do the same."""
        said = ""
        for tried in range(_TRIES):
            if tried:
                self.clock.sleep(self.chance.uniform(*_JITTER_S))
            try:
                parent = remote.fetch()
            except BaselineError as error:
                said = error.what
                continue
            left = self._left(remote.files(parent), changes, is_first=not tried)
            if not left:
                return
            commit = remote.commit(parent, left, message)
            refused = remote.push(commit, parent=parent)
            if refused is None:
                remote.moved(commit)
                return
            said = refused
        raise _not_written(remote, f"tried {_TRIES} times, the last time: {said}")

    def _left(
        self, files: Mapping[str, Blob], changes: Mapping[str, str | None], *, is_first: bool
    ) -> Mapping[str, str | None]:
        """Give what is still to do. Raises BaselineError where a file to add is there, and not by an earlier try."""
        there = {name for name, blob in changes.items() if blob is not None and name in files}
        if lost := [name for name in there if is_first or files[name].id != changes[name]]:
            raise stored_already(self._shown(lost[0]))
        return {
            name: blob for name, blob in changes.items() if name not in there and (blob is not None or name in files)
        }

    def _shown(self, name: str) -> str:
        return f"{self.where}/{name}"

    def _remote(self) -> RemoteBranch:
        """The branch in the clone that this is. Raises ConfigError."""
        here = Git(folder=self.near) if self.environ is None else Git(folder=self.near, environ=self.environ)
        top = here.answer("rev-parse", "--show-toplevel")
        if not top:
            raise ConfigError(
                f"baselines: {self.where}: {self.near} is in no git working tree.",
                why="A branch is kept in a repository.",
                fix="Work in a clone; in a container: git config --global --add safe.directory DIR.",
            )
        git = replace(here, folder=Path(top))
        if git.answer("remote", "get-url", _REMOTE) is None:
            raise ConfigError(
                f"baselines: {self.where}: {git.folder} has no remote called {_REMOTE}.",
                why="The branch is kept there.",
                fix=f"Add it: git remote add {_REMOTE} URL. Or keep them in a folder: `baselines: baselines`.",
            )
        return RemoteBranch(git=own_repository(git), branch=self.branch, remote=_REMOTE)


def open_branch(
    uri: str, *, folder: Path, environ: Mapping[str, str] | None = None, at: str | None = None
) -> BranchStore:
    """Open `git:BRANCH`; nothing is fetched yet. `at` is of no concern to another branch. Raises ConfigError."""
    branch = uri.removeprefix(_SCHEME)
    if not _is_branch_name(branch, folder):
        raise ConfigError(
            f"baselines: {uri!r}: git allows no branch of that name.",
            fix="Give one, for example `baselines: git:energy-baselines`.",
        )
    fetched, _, commit = (at or "").rpartition("@")
    return BranchStore(branch=branch, near=folder, environ=environ, at=commit if fetched == uri else None)


def _is_branch_name(name: str, folder: Path) -> bool:
    return not name.startswith("-") and Git(folder=folder).answer("check-ref-format", f"refs/heads/{name}") is not None


def _not_written(remote: RemoteBranch, said: str) -> NotStored:
    return NotStored(
        f"Cannot write to branch {remote.branch} at {remote.remote}: {said}",
        fix="Give the job `contents: write`, and let no rule protect that branch (docs/baselines.md#an-orphan-branch).",
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.3g} MiB"
