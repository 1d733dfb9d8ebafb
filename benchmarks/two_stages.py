"""How often `pytest --energy --energy-against=HEAD~1` is wrong, end to end, on simulated counters.

Each try is a git repository with a benchmark, three recorded sessions, and a machine of its own whose counters another
process keeps. What the code draws from them varies by 2 % from one execution to the next and by 1 % from one session to
the next, so the stored sessions really screen and the blocks really confirm. Then come three commits, each gated beside
the one before it by the real plugin with the real meter `rapl` and the default numbers of trials and blocks: one that
changes nothing, another one with everything measured in turn, and one whose code draws 10 % more.

    python two_stages.py [TRIES]      20 by default

A try's number is its seed: it fixes what is drawn and the order of blocks, so the same tries end alike on any machine.
"""

import compileall
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from claims import Claim, give_up, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the simulated machine

from fakes_pull_request import PullRequest, Verdict, pull_request

import energygate

TRIES = 20
SESSIONS = 3
SIDE_BY_SIDE = 2  # each on its own counters
MOST_WRONG = 0.05  # of the tries
UNCHANGED, IN_TURN, PLANTED = "no change", "no change, all measured in turn", "+10 %"
COMMITS = {UNCHANGED: (1.0, "{}"), IN_TURN: (1.0, "{which: all}"), PLANTED: (1.1, "{}")}
Verdicts = Mapping[str, Sequence[Verdict]]


def main(tries: int) -> int:
    """Make the tries, print, and settle the claims."""
    compileall.compile_dir(energygate.__path__[0], quiet=1)  # as a user has it from the second session on
    try:
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            found = list(pool.map(one_try, range(1, tries + 1)))
    except AssertionError as error:
        give_up(f"a session ended in no verdict:\n{error}")
    verdicts = {commit: [each[commit] for each in found] for commit in COMMITS}
    report(verdicts)
    return settle(claims(verdicts))


def one_try(seed: int) -> dict[str, Verdict]:
    """Record, commit and gate: the verdict on each commit."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        pull_request(Path(folder), seed=seed) as project,
    ):
        for _ in range(SESSIONS):
            project.record()
        verdicts = {commit: judged(project, *change) for commit, change in COMMITS.items()}
    print(f"try {seed}: {'; '.join(f'{commit}: {told(verdicts[commit])}' for commit in COMMITS)}", flush=True)
    return verdicts


def judged(project: PullRequest, factor: float, confirm: str) -> Verdict:
    """Commit and gate."""
    project.change(factor, confirm=confirm)
    return project.gate()


def told(verdict: Verdict) -> str:
    """Give a verdict in words."""
    how = f"{verdict.blocks} blocks" if queued(verdict) else verdict.how
    return f"{verdict.outcome} ({how}, exit {verdict.status})"


def queued(verdict: Verdict) -> bool:
    """Whether it was measured again."""
    return verdict.how == "interleaved"


def failed(verdict: Verdict) -> bool:
    """Whether the session failed, for whatever reason."""
    return verdict.status != os.EX_OK


def report(verdicts: Verdicts) -> None:
    """Print a line for each commit."""
    print(f"\n{'':34}{'tries':>6}{'failed':>8}{'queued':>8}{'blocks':>14}  outcomes")
    for commit, each in verdicts.items():
        blocks = sorted(verdict.blocks for verdict in each if queued(verdict))
        span = f"{blocks[0]}, {median(blocks):g}, {blocks[-1]}" if blocks else "-"
        outcomes = ", ".join(f"{n} {outcome}" for outcome, n in Counter(v.outcome for v in each).most_common())
        counts = f"{len(each):6}{sum(map(failed, each)):8}{sum(map(queued, each)):8}"
        print(f"{commit:34}{counts}{span:>14}  {outcomes}")
    print("\nblocks: the fewest, the median and the most of those that were queued")


def claims(verdicts: Verdicts) -> Iterator[Claim]:
    """Give what the documentation says of false alarms and of what is found."""
    for commit in (UNCHANGED, IN_TURN):
        count, of = sum(map(failed, verdicts[commit])), len(verdicts[commit])
        most = int(MOST_WRONG * of)
        yield Claim(f"{commit}: {count} of {of} failed (at most {most})", count <= most)
    found = sum(failed(verdict) and verdict.outcome == "regressed" for verdict in verdicts[PLANTED])
    of = len(verdicts[PLANTED])
    fewest = of - int(MOST_WRONG * of)
    yield Claim(f"{PLANTED}: {found} of {of} failed as regressed (at least {fewest})", found >= fewest)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TRIES))
