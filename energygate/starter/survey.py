"""Looks at a repository: a bounded number of files, each read in part, nothing executed."""

import os
import re
import shlex
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

from energygate.starter.found import CONFIG, Repository
from energygate.starter.mentions import model_server

_MOST_FILES: Final = 2000
_MOST_BYTES: Final = 64 * 1024
_DEPTH: Final = 4
_FOREIGN: Final = frozenset({"node_modules", "vendor", "venv", "site-packages", "build", "dist", "target"})
_PYTHON: Final = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "pytest.ini", "tox.ini")
_OTHERS: Final = ("Cargo.toml", "go.mod", "package.json", "CMakeLists.txt", "pom.xml", "build.gradle", "Makefile")
_BENCHMARKS: Final = ("benchmarks", "benchmark", "bench", "perf")
_EXTRAS: Final = ("bench", "benchmark", "benchmarks", "test", "tests", "dev")
_STARTS_SERVERS: Final = re.compile(r"(?i)(?:.*dockerfile.*|.*compose.*\.ya?ml|makefile|.*\.(?:sh|py|toml|txt|cfg))")
_PEER: Final = re.compile(r"^\s*def test_\w+\([^)]*\bbenchmark\b", re.MULTILINE)
_RUNNER: Final = re.compile(r"^\s*runs-on:\s*\[(self-hosted(?:,\s*[\w.-]+)*)\s*\]", re.MULTILINE)
_HEAD: Final = re.compile(r"ref: refs/(?:heads|remotes/origin)/([A-Za-z][\w./-]*)\n")
_DEFAULT_BRANCHES: Final = frozenset({"main", "master", "trunk"})
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def survey(folder: Path, *, here: Path) -> Repository:
    """Look at the project in `folder`, from `here`. What cannot be read is as if it were not there."""
    top = top_of(folder)
    files = dict(islice(_files(folder), _MOST_FILES))
    project = _project(files.get("pyproject.toml"))
    language = next((name for name in (*_PYTHON, *_OTHERS) if name in files), "")
    python = language in _PYTHON or any(name.endswith(".py") for name in files)
    below = folder.relative_to(top).as_posix() if folder != top else ""
    texts = {name: path for name, path in files.items() if _STARTS_SERVERS.fullmatch(path.name)}
    return Repository(
        folder=below,
        way="" if folder == here else os.path.relpath(folder, here),
        language=language,
        is_python=python or not language,
        package=_package(files),
        install=_install(files, project, below),
        benchmarks=next((name for name in _BENCHMARKS if (folder / name).is_dir()), ""),
        peers=sum(bool(_PEER.search(_text(path))) for name, path in files.items() if _is_test(name)),
        server=model_server((name, _text(path)) for name, path in texts.items()),
        gitlab=(top / ".gitlab-ci.yml").exists(),
        github=(top / ".github").is_dir(),
        branch=_branch(top / ".git"),
        runner=_runner(top / ".github" / "workflows"),
    )


def project_of(here: Path) -> Path:
    """The folder of the project that `here` is in, within its repository: pytest and `energygate run` look there."""
    top = top_of(here)
    inside = [each for each in (here, *here.parents) if each.is_relative_to(top)]
    shown = (CONFIG, *_PYTHON, *_OTHERS)
    return next((each for each in inside if any((each / name).exists() for name in shown)), top)


def top_of(folder: Path) -> Path:
    """The top of the repository that holds a folder, or the folder itself: GitHub looks for workflows there."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the regular files below a folder, near ones first by folder, without those of others."""
    for place, folders, names in os.walk(folder):
        here = Path(place)
        deep = len(here.relative_to(folder).parts) >= _DEPTH
        folders[:] = [] if deep else sorted(name for name in folders if name[0] != "." and name not in _FOREIGN)
        for name in sorted(names):
            yield (here / name).relative_to(folder).as_posix(), here / name


def _text(path: Path) -> str:
    """The beginning of a file; a pipe or a device would be waited for, so only what is a regular file is opened."""
    with suppress(OSError):
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                return file.read(_MOST_BYTES).decode(errors="replace")
    return ""


def _project(path: Path | None) -> Mapping[str, Any]:
    with suppress(tomllib.TOMLDecodeError, RecursionError):
        project = tomllib.loads(_text(path)).get("project") if path else None
        return project if isinstance(project, dict) else {}
    return {}


def _package(files: Mapping[str, Path]) -> str:
    """The one package of the project, in `src` or at its top."""
    for places in (r"src/([^/]+)/__init__\.py", r"([^/]+)/__init__\.py"):
        found = {match[1] for name in files if (match := re.fullmatch(places, name))} - {"tests", "test", *_BENCHMARKS}
        if len(found) == 1 and _IDENTIFIER.fullmatch(name := found.pop()):
            return name
    return ""


def _install(files: Mapping[str, Path], project: Mapping[str, Any], below: str) -> str:
    place = shlex.quote(below or ".")
    if project or "setup.py" in files:
        extras = project.get("optional-dependencies")
        extra = next((name for name in _EXTRAS if isinstance(extras, dict) and name in extras), "")
        return f"pip install -e {place}[{extra}]" if extra else f"pip install -e {place}"
    if "requirements.txt" in files:
        return (
            f"pip install -r {shlex.quote(f'{below}/requirements.txt')}" if below else "pip install -r requirements.txt"
        )
    return ""


def _is_test(name: str) -> bool:
    file = name.rpartition("/")[2]
    return file.endswith(".py") and file.startswith(("test_", "bench"))


def _branch(git: Path) -> str:
    """The default branch, as far as the files of git say it: git itself need not be installed."""
    if origin := _HEAD.fullmatch(_text(git / "refs" / "remotes" / "origin" / "HEAD")):
        return origin[1]
    here = _HEAD.fullmatch(_text(git / "HEAD"))
    return here[1] if here and here[1] in _DEFAULT_BRANCHES else "main"


def _runner(workflows: Path) -> tuple[str, ...]:
    for path in sorted((*workflows.glob("*.yml"), *workflows.glob("*.yaml"))):
        if found := _RUNNER.search(_text(path)):
            return tuple(label.strip() for label in found[1].split(","))
    return ()
