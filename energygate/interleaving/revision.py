"""Which base to measure beside the working tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from energygate.baseline.at_base import BaseCommit
from energygate.baseline.store import open_store
from energygate.git import Git, commit_of, repository_of
from energygate.measure.source import read_source
from energygate.pipeline import below
from energygate.settings import Settings

_AUTO: Final = "auto"
_NONE: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A base to measure beside the working tree.

    Attributes
    ----------
    git : Git
        At the top of the working tree.
    name : str
        As the user calls it.
    """

    git: Git
    name: str
    commit: str

    @property
    def as_base(self) -> BaseCommit:
        """What baselines are read from."""
        return BaseCommit(commit=self.commit, top=self.git.folder)

    @property
    def shown(self) -> str:
        """The name with the commit."""
        return self.name if self.commit.startswith(self.name) else f"{self.name} ({self.commit[:12]})"


def revision(name: str, *, folder: Path) -> Revision:
    """Find the base that is named. Raises ConfigError."""
    git = repository_of(folder)
    return Revision(git=git, name=name, commit=commit_of(git, name))


def base_of(settings: Settings, *, folder: Path, environ: Mapping[str, str]) -> tuple[Revision | None, tuple[str, ...]]:
    """Find the base that the settings mean, or say why there is none.

    `auto` is the merge base of a pull request where GitHub Actions names its target branch, and nothing elsewhere. A
    tree that has no changes is no second side beside its own commit: it would be measured against itself.

    Raises
    ------
    ConfigError
        A base that is named outright is not there.
    """
    wanted, target = settings.sides.against, environ.get("GITHUB_BASE_REF")
    if wanted == _NONE or (wanted == _AUTO and not target):
        return None, ()
    if wanted != _AUTO:
        return _other_than_the_tree(revision(wanted, folder=folder), settings)
    git = Git(folder=folder)
    commit = git.answer("merge-base", "HEAD", f"refs/remotes/origin/{target}")
    if commit is None:
        note = (
            f"confirm.against: auto: no merge base with origin/{target} in this clone, so suspects cannot be measured "
            "again. Fetch the history: fetch-depth: 0 for actions/checkout."
        )
        return None, (note,)
    found = Revision(git=repository_of(folder), name=f"origin/{target}", commit=commit)
    return _other_than_the_tree(found, settings)


def _other_than_the_tree(base: Revision, settings: Settings) -> tuple[Revision | None, tuple[str, ...]]:
    store = open_store(settings.baselines, folder=settings.folder)
    head = read_source(settings.folder, ignore=below(store, settings.folder))
    if head.commit != base.commit or head.dirty:
        return base, ()
    note = (
        f"confirm.against: {base.shown} is the commit that is checked out, and no tracked file differs from it, so "
        "there is nothing to measure in turn with it: stored runs decide alone."
    )
    return None, (note,)
