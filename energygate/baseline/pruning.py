"""Which stored runs nothing needs any more. Pure: it decides, the store removes."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from energygate.baseline.base import StoredRun
from energygate.model import Acceptance, Run
from energygate.workloads.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What pruning leaves alone.

    Attributes
    ----------
    newest : int
        So many runs of each benchmark on each machine.
    since : datetime or None
        Everything that is not older; None keeps nothing for its age alone.
    commits : tuple of str
        Every run of these commits, or of commits that begin so: the anchors.
    before_acceptance : int
        So many runs before an acceptance that will expire: they will count again.
    """

    newest: int
    since: dt.datetime | None = None
    commits: tuple[str, ...] = ()
    before_acceptance: int = 10


def unneeded(stored: Sequence[StoredRun], keep: Keep) -> tuple[StoredRun, ...]:
    """Give what may go, oldest first, so that stopping half-way leaves the newest."""
    by_machine: dict[str, list[Run]] = defaultdict(list)
    for each in stored:
        by_machine[each.run.machine.fingerprint].append(each.run)
    needed = {run_id for runs in by_machine.values() for run_id in _needed(runs, keep)}
    going = (each for each in stored if each.run.run_id not in needed)
    return tuple(sorted(going, key=lambda each: each.run.started_at))


def thinned(stored: Sequence[StoredRun], going: Sequence[StoredRun], fewest: int) -> Iterator[str]:
    """Say which benchmarks lose runs and keep fewer on a machine than an increase can be proven with."""
    gone = {each.run.run_id for each in going}
    left: dict[tuple[str, str], int] = defaultdict(int)
    for each in stored:
        for found in each.run.benchmarks:
            left[each.run.machine.fingerprint, found.name] += each.run.run_id not in gone
    losing = {(each.run.machine.fingerprint, found.name) for each in going for found in each.run.benchmarks}
    few = sorted(place for place in losing if left[place] < fewest)
    if few:
        (machine, name), *others = few
        more = f", and {len(others)} more" if others else ""
        yield (
            f"{printable(name)} on {machine}{more}: {left[few[0]]} stored run{'' if left[few[0]] == 1 else 's'} left, "
            f"and without a base fewer than {fewest} can fail nothing. Keep more with --keep."
        )


def _needed(runs: Sequence[Run], keep: Keep) -> Iterator[str]:
    newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
    names = {found.name for run in runs for found in run.benchmarks}
    for name in names:
        yield from _needed_for(name, newest_first, keep)
    for run in runs:
        young = keep.since is not None and run.started_at >= keep.since
        if young or (run.source.commit is not None and run.source.commit.startswith(keep.commits)):
            yield run.run_id


def _needed_for(name: str, newest_first: Sequence[Run], keep: Keep) -> Iterator[str]:
    """The newest runs of a benchmark, and the acceptances that decide which of them count."""
    ids = [run.run_id for run in newest_first if run.benchmark(name) is not None]
    yield from ids[: keep.newest]
    oldest = ids[: keep.newest][-1]
    said = [(run, each) for run in newest_first for each in run.accepts if each.benchmark == name]
    for run, acceptance in said:
        start = acceptance.since or run.run_id
        will_expire = acceptance.until is not None and acceptance is _newest(said)
        if start >= oldest or will_expire:
            yield from (run.run_id, start)
        if will_expire:
            yield from [each for each in ids if each < start][: keep.before_acceptance]


def _newest(said: Sequence[tuple[Run, Acceptance]]) -> Acceptance:
    return max((acceptance for _, acceptance in said), key=lambda each: each.at)
