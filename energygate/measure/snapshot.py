"""The user's working tree as it is now, uncommitted changes included, read without a trace.

Tracked files go through an index of our own, so that neither the user's index nor a stash is written; git's store only
gains objects that nothing refers to, which it collects by itself.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from energygate.git import Git
from energygate.measure.witness import ENVIRONMENT
from energygate.workloads.text import printable

_CACHES: Final = frozenset({"__pycache__", ".pytest_cache"})
_SKIPPED: Final = "S"
_SHOWN: Final = 5
_SUBMODULE: Final = "160000"
_BEFORE_PATH: Final = {"1": 8, "u": 10}  # fields of an entry of `git status --porcelain=v2`
_AT_ONCE: Final = 500


def tree_of_tracked(git: Git, *, scratch: Path) -> str:
    """Write the tracked files as they are now as a tree; give its id.

    Parameters
    ----------
    git : Git
        At the top of the working tree.
    scratch : Path
        A private folder, for the index.
    """
    index = git.folder / git("rev-parse", "--git-path", "index")
    copy = scratch / "index"
    if index.exists():
        shutil.copy2(index, copy)  # with its time: git looks again at files that changed in the same moment
    git("add", "--update", "--", ":/", GIT_INDEX_FILE=str(copy))
    return git("write-tree", GIT_INDEX_FILE=str(copy))


def hidden_changes(git: Git) -> tuple[str, ...]:
    """Say which changed files git was told not to look at (assume-unchanged, skip-worktree): the copy lacks them."""
    listed = (each.partition(" ") for each in git("ls-files", "-v", "-z").split("\0") if each)
    hidden = [path for tag, _, path in listed if tag.islower() or tag == _SKIPPED]
    there = [path for path in hidden if (git.folder / path).is_file()]
    changed = [path for at in range(0, len(there), _AT_ONCE) for path in _changed(git, there[at : at + _AT_ONCE])]
    if not changed:
        return ()
    shown = [_shown(path) for path in changed[:_SHOWN]]
    more = [f"{len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
    back = "`git update-index --no-assume-unchanged --no-skip-worktree FILE` takes that back"
    return (f"changes that git was told not to look at are not measured, {back}: {', '.join(shown + more)}",)


def changed_submodules(git: Git) -> tuple[str, ...]:
    """Say which submodules have changes that are committed nowhere: a tree knows of a submodule only its commit."""
    asked = ("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=none")
    entries = (each.split(" ") for each in git(*asked).split("\0"))
    changed = [" ".join(each[_BEFORE_PATH[each[0]] :]) for each in entries if _is_changed_inside(each)]
    if not changed:
        return ()
    names = ", ".join(map(_shown, changed[:_SHOWN]))
    more = f", {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return (f"uncommitted changes inside a submodule are not measured, commit them there: {names}{more}",)


def _is_changed_inside(entry: list[str]) -> bool:
    """Whether an entry is a submodule with changed or new files: `1 .M S.MU ...`."""
    return entry[0] in _BEFORE_PATH and entry[2].startswith("S") and not entry[2].endswith("..")


def empty_submodules(git: Git) -> tuple[str, ...]:
    """Give the submodules of a side whose files are not there."""
    listed = (each.partition("\t") for each in git("ls-files", "--stage", "-z").split("\0"))
    found = (path for about, _, path in listed if about.startswith(f"{_SUBMODULE} "))
    return tuple(path for path in found if not any((git.folder / path).glob("*")))


def said_of_empty(base: tuple[str, ...], head: tuple[str, ...]) -> tuple[str, ...]:
    """Say which submodules are empty, and how they are fetched."""
    if not base and not head:
        return ()
    names = list(dict.fromkeys((*base, *head)))
    more = f", {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    where = "both sides" if base == head else "one side"
    fetched = "fetch them with --setup 'git submodule update --init' (confirm.setup)"
    return (f"submodules are empty on {where}, {fetched}: {', '.join(map(_shown, names[:_SHOWN]))}{more}",)


def _shown(path: str) -> str:
    return printable(os.fsencode(path).decode(errors="replace"))


def _changed(git: Git, paths: list[str]) -> list[str]:
    staged = [
        line.partition("\t")
        for line in git("ls-files", "--stage", "-z", "--", *paths, GIT_LITERAL_PATHSPECS="1").split("\0")
        if line
    ]
    kept = {path: about.split()[1] for about, _, path in staged}
    return [
        path
        for path, now in zip(paths, git("hash-object", "--", *paths).split("\n"), strict=True)
        if kept.get(path) != now
    ]


def copy_untracked(git: Git, target: Path) -> tuple[str, ...]:
    """Copy what is neither tracked nor ignored; give a note on what is left out.

    Caches and virtual environments are no source, and another repository is not this one's.
    """
    listed = git("ls-files", "--others", "--exclude-standard", "-z").split("\0")
    others = [name for name in listed if name.endswith("/")]
    for path in _sources(git.folder, [Path(name) for name in listed if name and not name.endswith("/")]):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(git.folder / path, target / path, follow_symlinks=False)
    if not others:
        return ()
    names = ", ".join(map(_shown, sorted(others)))
    return (f"repositories inside the working tree are not copied: {names}",)


def _sources(top: Path, paths: list[Path]) -> Iterator[Path]:
    environments = {path.parent for path in paths if path.name == ENVIRONMENT}
    for path in paths:
        parents = set(path.parents)
        regular = os.path.islink(top / path) or (top / path).is_file()  # noqa: PTH114  a link that leads nowhere is one
        if regular and not parents & environments and not _CACHES & set(path.parts):
            yield path
