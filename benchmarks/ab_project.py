"""What `ab_vs_joules.py` compares, and who compares it.

A git repository without any configuration, whose last commit adds work to `bench.py` or does not. Each execution of
`bench.py` notes when it began and ended, what starting it had cost, and how much CPU time its caller had used: so what
lies between two executions is known, whoever makes them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from claims import give_up
from fakes_git import Repository

BUDGET_PERCENT = 5  # of both; energygate's default, joules ci has none
LEAST_S = 1.1  # a trial of the estimate needs 1 s: so each execution is a trial
LOOPS = 3_000_000  # a quarter of a second
BENCH = """\
import time

BEGAN_NS, STARTUP_NS = time.monotonic_ns(), time.process_time_ns()

import math
import os
from pathlib import Path
from random import Random

CALLER_NS = time.clock_gettime_ns((~os.getppid() << 3) | 2)  # its CPU time: clock_getcpuclockid(3)
WORK = {work}
notes = Path(os.environ["BENCH_NOTES"])
number = len(notes.read_text().splitlines()) if notes.exists() else 0
varied = Random(f"{{os.environ['BENCH_SEED']}}, {{number}}").gauss(0.0, float(os.environ["BENCH_SD"]))
total = sum(n * n for n in range(round({loops} * WORK * math.exp(varied))))
time.sleep(max(0.0, {least_s} - (time.monotonic_ns() - BEGAN_NS) / 1e9))
with notes.open("a") as file:
    print(BEGAN_NS, time.monotonic_ns(), CALLER_NS, STARTUP_NS, file=file)
"""
COMMAND = ("python", "bench.py")
FOREIGN = ("PYTHON", "JOULES_", "GITHUB_")  # variables that would change one of the contestants


class Execution(NamedTuple):
    """One execution, as it notes itself; nanoseconds."""

    began: int
    ended: int
    caller: int
    startup: int


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a contestant ended, and the executions it made; `began`, `ended` in nanoseconds."""

    status: int
    said: str
    began: int
    ended: int
    executions: tuple[Execution, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What `energygate ab` came to."""

    outcome: str
    blocks: int
    ratio: float | None
    interval: tuple[float | None, float | None]
    detectable: float | None

    @property
    def is_complete(self) -> bool:
        """Whether it is a verdict with its interval and what could have been detected."""
        judged = self.outcome in {"pass", "improved", "regressed", "inconclusive"}
        return judged and None not in {self.ratio, *self.interval, self.detectable}


class Project:
    """The repository; `factor` is what its last commit multiplies the work by, `sd` how executions vary, in logs."""

    def __init__(self, folder: Path, *, factor: float, sd: float, seed: int) -> None:
        self.folder = folder
        self.repository = Repository(folder / "project")
        for work in (1.0, factor):
            self.repository.commit(bench_py=BENCH.format(work=work, loops=LOOPS, least_s=LEAST_S))
        kept = {name: value for name, value in self.repository.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
        self.environ = kept | {"PATH": path, "BENCH_SD": str(sd), "BENCH_SEED": str(seed)}

    def run(self, command: Sequence[str]) -> Ran:
        """Let a contestant compare, or execute."""
        notes = self.folder / "notes"
        notes.unlink(missing_ok=True)
        began = time.monotonic_ns()
        done = subprocess.run(
            command,
            cwd=self.repository.folder,
            env=self.environ | {"BENCH_NOTES": str(notes)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ended = time.monotonic_ns()
        if not notes.exists():
            give_up(f"{' '.join(command)} executed nothing and ended with {done.returncode}:\n{done.stdout}")
        noted = [Execution(*map(int, line.split())) for line in notes.read_text().splitlines()]
        return Ran(status=done.returncode, said=done.stdout, began=began, ended=ended, executions=tuple(noted))

    def energygate(self, *options: str) -> tuple[Ran, Verdict]:
        """Let energygate compare the two commits."""
        report = self.folder / "report.json"
        ran = self.run([*energygate("--report", f"json:{report}", *options)])
        if ran.status not in {0, 1, 3}:
            give_up(f"energygate ab ended with {ran.status}:\n{ran.said}")
        (row,) = json.loads(report.read_text())["comparisons"]
        return ran, verdict(row)

    def joules(self, python: Path, *options: str) -> tuple[Ran, bool]:
        """Let joules ci compare the two commits; whether it found an increase."""
        ran = self.run(joules(python, *options))
        found = ran.status == 1 and f"over the {BUDGET_PERCENT}% budget" in ran.said
        if ran.status and not found:
            give_up(f"joules ci ended with {ran.status}:\n{ran.said}")
        return ran, found


def energygate(*options: str) -> list[str]:
    """Give the command of the README, with estimates allowed."""
    words = ["ab", "--base", "HEAD~1", "--allow-estimates", *options, "--", *COMMAND]
    return [sys.executable, "-m", "energygate", *words]


def joules(python: Path, *options: str) -> list[str]:
    """Give the command of its documentation."""
    words = ["ci", "--base", "HEAD~1", "--budget", str(BUDGET_PERCENT), *options, "--", *COMMAND]
    return [str(python), "-m", "joules", *words]


def loop(executions: int) -> list[str]:
    """Give a command that executes it so many times and does nothing else."""
    code = f"import subprocess\nfor _ in range({executions}): subprocess.run({list(COMMAND)!r})"
    return [sys.executable, "-c", code]


def verdict(row: Mapping[str, object]) -> Verdict:
    """Take a row of the report for what is asked of it here."""
    return Verdict(
        outcome=str(row["outcome"]),
        blocks=int(str(row["blocks"])),
        ratio=_number(row, "ratio"),
        interval=(_number(row, "ratio_low"), _number(row, "ratio_high")),
        detectable=_number(row, "detectable"),
    )


def _number(row: Mapping[str, object], name: str) -> float | None:
    found = row.get(name)
    return found if isinstance(found, float) else None
