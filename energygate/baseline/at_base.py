"""Baselines as the base commit has them: a change under test must not be its own standard.

What the change alters or deletes is read from the commit. What it adds counts only for what it accepts, and is named.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from energygate.baseline.accepting import sizes_of
from energygate.baseline.base import Contents, Shown, Store, is_run_file
from energygate.baseline.remote import read_blobs
from energygate.baseline.revision import in_another_repository, top_of
from energygate.git import Git
from energygate.history.timeline import WindowRules
from energygate.history.window import said_of
from energygate.model import Baseline, Run
from energygate.workloads.text import printable

_MOST_NAMES: Final = 3
_MOST_ACCEPTS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseCommit:
    """The commit that a change is compared with, and the top of the working tree that holds the change."""

    commit: str
    top: Path

    @property
    def git(self) -> Git:
        """Git there."""
        return Git(folder=self.top)


@dataclass(frozen=True, slots=True, kw_only=True)
class AtBase:
    """A baseline, and what has to be said of how the change under test alters it."""

    baseline: Baseline
    warnings: tuple[str, ...] = ()


def load_at(store: Store, fingerprint: str, base: BaseCommit, rules: WindowRules) -> AtBase:
    """Give the stored runs of a machine as the base commit has them. Raises BaselineError, ConfigError.

    A store that is no folder of that working tree is the same for every change, and is read as it is.

    Parameters
    ----------
    rules : WindowRules
        By which levels are told, for the words about what is accepted.
    """
    if store.folder is None:
        return AtBase(baseline=store.load(fingerprint))
    place = _place(store.folder, base)
    if place is None:
        remark = in_another_repository(store.folder, top=base.top)
        return AtBase(baseline=store.load(fingerprint), warnings=(remark,) if remark else ())
    change = _Change.of(store, place, base)
    return change.applied(fingerprint, rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What a change does to the folder of the baselines.

    Attributes
    ----------
    merged : mapping of name to id
        The files that the base commit has.
    altered, deleted : frozenset of str
        Those of them that the working tree has otherwise, or not at all.
    foreign : frozenset of str
        Files that git ignores: they come from elsewhere.
    """

    now: Contents
    base: BaseCommit
    merged: Mapping[str, str]
    altered: frozenset[str]
    deleted: frozenset[str]
    foreign: frozenset[str]

    @classmethod
    def of(cls, store: Store, place: str, base: BaseCommit) -> "_Change":
        """Ask git. Raises BaselineError, ConfigError."""
        now, git = store.contents(), base.git
        merged = dict(_files(git.answer("ls-tree", "-r", "-z", "--full-tree", f"{base.commit}:{place}") or ""))
        here = ("--", f":(top,literal){place}") if place else ()
        differing = git("diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", base.commit, *here)
        ignored = git.answer("ls-files", "-z", "--others", "--ignored", "--exclude-standard", *here) or ""
        changed = frozenset(_below(place, differing)) & merged.keys()
        there = frozenset(now.names)
        return cls(
            now=now,
            base=base,
            merged=merged,
            altered=changed & there,
            deleted=frozenset(merged) - there,
            foreign=frozenset(_below(place, ignored)) - merged.keys(),
        )

    def applied(self, fingerprint: str, rules: WindowRules) -> AtBase:
        """Give the runs of a machine, and what to say of the change."""
        contents = replace(self.now, names=tuple({*self.now.names, *self.merged}), read=self._read, shown=self._shown)
        found = contents.load(fingerprint)
        named = list(zip(contents.of(fingerprint), found.runs, strict=True))
        standing = frozenset(run.run_id for name, run in named if not self._is_added(name))
        posing = [name for name, run in named if self._is_added(name) and run.run_id in standing]
        added = [run for name, run in named if self._is_added(name) and name not in posing]
        return AtBase(
            baseline=replace(found, runs=tuple(run for name, run in named if name not in posing), at_base=standing),
            warnings=tuple(self._warnings(posing, added, found.runs, rules)),
        )

    def _is_added(self, name: str) -> bool:
        return name not in self.merged and name not in self.foreign

    def _read(self, names: Sequence[str]) -> Iterator[bytes]:
        of_base = [name for name in names if name in self.altered | self.deleted]
        blobs = read_blobs(self.base.git, [self.merged[name] for name in of_base])
        kept = dict(zip(of_base, blobs, strict=True))
        here = iter(self.now.read([name for name in names if name not in kept]))
        return (kept[name] if name in kept else next(here) for name in names)

    def _shown(self, name: str) -> Shown:
        path = self.now.shown(name)
        return f"{path} (at {self.base.commit[:12]})" if name in self.altered | self.deleted else path

    def _warnings(
        self, posing: Sequence[str], added: Sequence[Run], stored: Sequence[Run], rules: WindowRules
    ) -> Iterator[str]:
        at = self.base.commit[:12]
        for names, what in ((self.altered, "alters"), (self.deleted, "deletes")):
            if names:
                yield f"baselines: this change {what} {_counted(names)}, which {_count(names)} as in the base {at}"
        if posing:
            yield f"baselines: this change adds {_counted(posing)} under the id of a run of the base: not counted"
        said = [(run, each) for run in added for each in run.accepts]
        for run, each in said[:_MOST_ACCEPTS]:
            sizes = sizes_of(run, each, stored, rules)
            level = f", {sizes}," if sizes else ""
            yield f"baselines: this change accepts a new level of {printable(each.benchmark)}{level} {said_of(each)}"
        if len(said) > _MOST_ACCEPTS:
            yield f"baselines: this change accepts {len(said) - _MOST_ACCEPTS} more new levels"


def name_in(base: BaseCommit, path: Path) -> str | None:
    """Give a path from the top of the working tree, by its name: a change could put a link in its place."""
    named = Path(os.path.abspath(path))  # noqa: PTH100  `resolve` would follow the link
    top = base.top.resolve()
    holder = next((each for each in (named, *named.parents) if each.resolve() == top), None)
    return None if holder is None else _in_tree(named.relative_to(holder).as_posix())


def _place(folder: Path, base: BaseCommit) -> str | None:
    """Where the baselines are in the repository, or None where they are not of it."""
    named = name_in(base, folder)
    if named is not None and base.git.answer("cat-file", "-t", f"{base.commit}:{named}") == "tree":
        return named
    top = base.top.resolve()
    if folder.is_dir() and top_of(folder) == top:
        return _in_tree(folder.resolve().relative_to(top).as_posix())
    return None


def _in_tree(path: str) -> str:
    return "" if path == "." else path


def _files(listed: str) -> Iterator[tuple[str, str]]:
    """Read what `git ls-tree -z` lists: only plain files of runs."""
    for entry in filter(None, listed.split("\0")):
        described, _, name = entry.partition("\t")
        mode, _, blob = described.split()
        if mode.startswith("100") and is_run_file(name):
            yield name, blob


def _below(place: str, listed: str) -> Iterator[str]:
    """Read paths from the top; give those in the folder as they are called there."""
    prefix = f"{place}/" if place else ""
    return (path.removeprefix(prefix) for path in listed.split("\0") if path and path.startswith(prefix))


def _counted(names: Sequence[str] | frozenset[str]) -> str:
    """How many stored runs, and which: `2 stored runs (a.json, b.json)`."""
    ordered = sorted(printable(name) for name in names)
    more = f" and {len(ordered) - _MOST_NAMES} more" if len(ordered) > _MOST_NAMES else ""
    return f"{len(ordered)} stored run{'' if len(ordered) == 1 else 's'} ({', '.join(ordered[:_MOST_NAMES])}{more})"


def _count(names: frozenset[str]) -> str:
    return "counts" if len(names) == 1 else "count"
