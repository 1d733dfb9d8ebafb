"""`energygate ab` beside `joules ci` (landauer-gap), on the same commits in the same run.

Both compare the working tree with HEAD~1 in a git repository without any configuration. Where there are no counters,
energygate uses its estimate and joules ci its own, both from CPU time. `bench.py` works for a quarter of a second and
waits until 1.1 s are over. First what either adds to an execution: both make 22, as a loop does that adds nothing. Then
their verdicts, with their own numbers of executions and a budget of 5 %: on commits that change nothing and on commits
that add 25 % work, half of each with work that varies by 3 % from one execution to the next.

    python ab_vs_joules.py [UNCHANGED]      20 by default, and a fifth as many with more work
"""

import compileall
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import peers
from claims import Claim, give_up, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the repository

from ab_project import Project, Ran, Verdict, energygate, joules, loop

import energygate as package

OURS, THEIRS, LOOP, AGAIN = "energygate ab", "joules ci", "a loop", "the same again"
UNCHANGED = 20
PLANTED = 1.25
VARIED = 0.03  # in logs
ROUNDS = 2
RUNS = 10  # of either side, after one that does not count
EXECUTIONS = 2 * RUNS + 2
HIGHEST_MS = 10.0  # of an execution of a second or more
LANES = min(4, 2 * (os.cpu_count() or 1))  # bench.py needs a quarter of a processor


def main(unchanged: int) -> int:
    """Measure what they cost, then let them judge; print, and settle the claims."""
    compileall.compile_dir(package.__path__[0], quiet=1)  # as a user has it from the second time on
    pythons, missing = peers.install(["landauer-gap"])
    if missing:
        give_up(f"landauer-gap cannot be installed: {missing['landauer-gap']}")
    python = pythons["landauer-gap"]
    spent = costs(python)
    report_costs(spent)
    planted = max(2, unchanged // 5)
    factors = [1.0] * unchanged + [PLANTED] * planted
    with ThreadPoolExecutor(LANES) as pool:
        tries = list(pool.map(lambda number, factor: one_try(number, factor, python), range(len(factors)), factors))
    report_tries(tries)
    return settle([*verdict_claims(tries), *cost_claims(spent)])


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a contestant spent beside the executions themselves, in milliseconds.

    Attributes
    ----------
    before, after : list
        Until the first execution of a command, and from its last on.
    between : list
        From the end of an execution to the start of the next, as bench.py sees them: Python's own end and start too.
    cpu : list
        CPU time of the contestant from one execution to the next, and of starting that.
    """

    before: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def add(self, ran: Ran) -> None:
        """Take what one command spent; between its executions only after the two that do not count."""
        self.before.append((ran.executions[0].began - ran.began) / 1e6)
        self.after.append((ran.ended - ran.executions[-1].ended) / 1e6)
        for one, other in pairwise(ran.executions[2:]):
            self.between.append((other.began - one.ended) / 1e6)
            self.cpu.append((other.caller - one.caller + other.startup) / 1e6)


def costs(python: Path) -> dict[str, Spent]:
    """Let all make the same number of executions, in an order that rotates."""
    commands = {
        LOOP: loop(EXECUTIONS),
        THEIRS: joules(python, "--runs", str(RUNS), "--warmup", "1"),
        AGAIN: loop(EXECUTIONS),
        OURS: energygate("--min-blocks", str(RUNS), "--max-blocks", str(RUNS)),
    }
    spent = {name: Spent() for name in commands}
    order = list(commands)
    for _ in range(ROUNDS):
        for name in order:
            with tempfile.TemporaryDirectory() as folder:
                ran = Project(Path(folder), factor=1.0, sd=0.0, seed=0).run(commands[name])
            if len(ran.executions) != EXECUTIONS:
                give_up(f"{name} made {len(ran.executions)} executions, not {EXECUTIONS}:\n{ran.said}")
            spent[name].add(ran)
        order.append(order.pop(0))
    return spent


def report_costs(spent: Mapping[str, Spent]) -> None:
    """Print a line for each."""
    print(f"{EXECUTIONS} executions by each, {ROUNDS} times: medians, in ms\n")
    print(f"{'':16}{'before':>8}{'between':>9}{'added':>8}{'CPU':>8}{'added':>8}{'after':>8}")
    for name, each in spent.items():
        between, cpu = f"{median(each.between):9.1f}", f"{median(each.cpu):8.1f}"
        added, of_cpu = (f"{each_ms:8.1f}" for each_ms in (added_ms(spent, name), added_cpu_ms(spent, name)))
        print(f"{name:16}{median(each.before):8.0f}{between}{added}{cpu}{of_cpu}{median(each.after):8.0f}")
    print(
        "\nbefore, after: a command; between: two executions, Python's end and start in it; added: to what loops need\n"
    )


def added_ms(spent: Mapping[str, Spent], name: str) -> float:
    """By how much longer it takes from one execution to the next than in a loop."""
    return median(spent[name].between) - median(spent[LOOP].between + spent[AGAIN].between)


def added_cpu_ms(spent: Mapping[str, Spent], name: str) -> float:
    """How much more CPU time an execution takes than in a loop, without what bench.py uses."""
    return median(spent[name].cpu) - median(spent[LOOP].cpu + spent[AGAIN].cpu)


@dataclass(frozen=True, kw_only=True)
class Try:
    """One pair of commits, judged by both."""

    sd: float
    factor: float
    ours: Verdict
    found: bool
    executions: Mapping[str, int]
    took_s: Mapping[str, float]

    @property
    def kind(self) -> str:
        """What the last commit did, and how executions vary."""
        change = "no change" if self.factor == 1.0 else f"{self.factor - 1:+.0%} work"
        return f"{change}, varied" if self.sd else change

    @property
    def failed(self) -> bool:
        """Whether energygate failed it."""
        return self.ours.outcome == "regressed"


def one_try(number: int, factor: float, python: Path) -> Try:
    """Let both judge, the one first or the other."""
    sd = VARIED if number % 2 else 0.0
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), factor=factor, sd=sd, seed=number)
        if number % 4 < 2:
            theirs, found = project.joules(python)
            ours, verdict = project.energygate()
        else:
            ours, verdict = project.energygate()
            theirs, found = project.joules(python)
    each = {OURS: ours, THEIRS: theirs}
    made = Try(
        sd=sd,
        factor=factor,
        ours=verdict,
        found=found,
        executions={name: len(ran.executions) for name, ran in each.items()},
        took_s={name: (ran.ended - ran.began) / 1e9 for name, ran in each.items()},
    )
    told = (
        f"{verdict.outcome} after {verdict.blocks} blocks, {interval(verdict)}; joules {'alarm' if found else 'none'}"
    )
    print(f"pair {number + 1}: {made.kind}: {told}", flush=True)
    return made


def interval(verdict: Verdict) -> str:
    """Give the change, its interval and what could have been detected, in percent."""
    if not verdict.is_complete:
        return "no interval"
    shown = (f"{(ratio or 1.0) - 1:+.1%}" for ratio in (verdict.ratio, *verdict.interval, verdict.detectable))
    return "{} ({} to {}), detectable {}".format(*shown)


def report_tries(tries: Sequence[Try]) -> None:
    """Print a line for each kind of commit."""
    print(f"\n{'':24}{'pairs':>6}{'alarms':>8}{'joules':>8}{'executions':>12}{'s':>6}{'joules s':>10}  outcomes")
    for kind in sorted({each.kind for each in tries}, reverse=True):
        of_kind = [each for each in tries if each.kind == kind]
        counts = f"{len(of_kind):6}{sum(t.failed for t in of_kind):8}{sum(t.found for t in of_kind):8}"
        executions = median(t.executions[OURS] for t in of_kind)
        took = [median(t.took_s[name] for t in of_kind) for name in (OURS, THEIRS)]
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in Counter(t.ours.outcome for t in of_kind).most_common())
        print(f"{kind:24}{counts}{executions:12.0f}{took[0]:6.0f}{took[1]:10.1f}  {outcomes}")


def verdict_claims(tries: Sequence[Try]) -> Iterator[Claim]:
    """Give what is claimed of verdicts."""
    whole = sum(each.ours.is_complete for each in tries)
    sentence = f"a verdict with interval and detectable change: {whole} of {len(tries)} pairs"
    yield Claim(sentence, whole == len(tries))
    same, more = ([t for t in tries if (t.factor == 1.0) is unchanged] for unchanged in (True, False))
    ours, theirs = sum(t.failed for t in same), sum(t.found for t in same)
    yield Claim(f"no change: {ours} false alarms in {len(same)} pairs, joules ci {theirs}", ours <= theirs)
    ours, theirs = sum(t.failed for t in more), sum(t.found for t in more)
    yield Claim(f"+25 % work: found in {ours} of {len(more)} pairs, by joules ci in {theirs}", ours == len(more))


def cost_claims(spent: Mapping[str, Spent]) -> Iterator[Claim]:
    """Give what is claimed of an execution's cost. By how much two loops differ is noise."""
    ours, theirs, loop_ms, again_ms = (added_cpu_ms(spent, name) for name in (OURS, THEIRS, LOOP, AGAIN))
    said = f"{ours:.1f} ms, joules ci {theirs:.1f}, loops {loop_ms:+.1f} and {again_ms:+.1f}"
    is_kept = ours <= theirs + abs(loop_ms - again_ms)
    yield Claim(f"energygate adds at most as much CPU time to an execution as joules ci: {said}", is_kept)
    ours, theirs, loop_ms, again_ms = (added_ms(spent, name) for name in (OURS, THEIRS, LOOP, AGAIN))
    said = f"{ours:.1f} ms, joules ci {theirs:.1f}, loops {loop_ms:+.1f} and {again_ms:+.1f}"
    yield Claim(f"energygate adds at most {HIGHEST_MS:.0f} ms to an execution: {said}", ours <= HIGHEST_MS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else UNCHANGED))
