"""A real git repository for tests, everything of it that nobody but the user may change, and `energygate` in it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rig.forked import run_energygate

ROOT = Path(__file__).parents[1]
STEADY = (100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 99.7, 100.0, 100.4, 99.9)
"""Ten trials that differ as trials do."""
SIX = ("--min-blocks=6", "--max-blocks=6", "--seed=7")

GIT = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@localhost",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Repository:
    """A repository with one commit for each call of `commit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ENERGYGATE_"))}
        self.environ = kept | GIT | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        """Run git; give what it says."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True)
        return done.stdout

    def write(self, name: str, text: str) -> Path:
        """Write a file of the working tree."""
        (path := self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self, **files: str) -> str:
        """Commit everything, after writing these files (`bench_py="…"` is bench.py); give the commit."""
        for name, text in files.items():
            self.write(".".join(name.rsplit("_", 1)), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD").strip()

    def state(self) -> dict[str, object]:
        """What must be as before: every file with its bytes and time, the index, refs, stashes, worktrees."""
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file() and ".git" not in path.parts]
        return {
            "files": [(path.relative_to(self.folder), path.read_bytes(), path.stat().st_mtime_ns) for path in files],
            "index": (self.folder / ".git" / "index").read_bytes(),
            "refs": self.git("for-each-ref"),
            "head": (self.folder / ".git" / "HEAD").read_text(),
            "reflog": self.git("reflog", "--all"),
            "stashes": self.git("stash", "list"),
            "worktrees": self.git("worktree", "list", "--porcelain"),
            "git": sorted(path.name for path in (self.folder / ".git").iterdir()),
        }


class Project:
    """A repository, `energygate` in it, and a record of what commands saw."""

    def __init__(self, folder):
        self.repository = Repository(folder / "a project")
        self.folder = self.repository.folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.seen_file = folder / "seen"
        self.environ = {
            **self.repository.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p energygate",
            "TMPDIR": str(self.temporary),
            "SEEN": str(self.seen_file),
        }

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "energygate", *map(str, arguments)],
            **{"cwd": self.folder, "env": self.environ} | options,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments, **options):
        """Run it to its end; give its exit code and both streams. Nothing of the user's is touched or left."""
        before = self.repository.state()
        code, out, err = run_energygate(*arguments, **{"cwd": self.folder, "env": self.environ} | options)
        assert "Traceback" not in err, err
        assert self.left() == []
        assert self.repository.state() == before
        return code, out, err

    def report(self, *arguments, **options):
        """Run it with `--json`; give its exit code and the report."""
        code, out, err = self(*arguments, **options)
        assert out, err
        return code, json.loads(out)

    def left(self):
        return [path.name for path in self.temporary.iterdir() if path.name.startswith("energygate-")]

    def seen(self):
        return [json.loads(line) for line in self.seen_file.read_text().splitlines()]


def watched_git(folder):
    """A git that writes down its arguments: the PATH by which it is found first, and the file."""
    program, told = folder / "watched" / "git", folder / "arguments"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> "{told}"\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}", told


def is_running(pid):
    """Whether a process is more than what nobody has reaped yet: that stands nowhere."""
    try:
        return bool(Path(f"/proc/{pid}/cwd").readlink())
    except FileNotFoundError:
        return False
