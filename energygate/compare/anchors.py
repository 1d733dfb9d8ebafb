"""The head against the sessions of pinned commits: many small increases must not add up unseen."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from energygate.compare.obstacles import nothing_fit
from energygate.compare.values import AnchorCheck, Change, Obstacle
from energygate.history.sessions import Session
from energygate.model import Baseline, Benchmark, Outcome
from energygate.stats.location import Location, stack
from energygate.stats.stored import Prior, anchored

_HASH: Final = 12


def check_anchor(
    name: str,
    commit: str,
    benchmark: Benchmark,
    baseline: Baseline,
    *,
    head: Location | None,
    window: Sequence[Session],
    stored: Sequence[Session],
    prior: Prior,
) -> AnchorCheck | str:
    """Compare a benchmark with an anchor, or say that the anchor is older than the benchmark.

    Parameters
    ----------
    head : Location or None
        Where the head lies, if it can be judged at all.
    window : sequence of Session
        Those that the head is compared with. Those of the anchor itself are not counted twice.
    stored : sequence of Session
        All sessions of the benchmark.
    """
    runs = [run for run in baseline.runs if run.source.commit == commit]
    found = [(run, own) for run in runs if (own := run.benchmark(benchmark.name)) is not None]
    if runs and not found:
        return f"anchor {name} ({commit[:_HASH]}) has no run of it: it was added since"
    sessions = [session for session in stored if session.run.source.commit == commit]
    if not sessions:
        obstacle = nothing_fit(benchmark, found, baseline.at_base) if found else _no_run(name, commit)
        return AnchorCheck(name=name, commit=commit, obstacle=obstacle)
    places = stack([session.place for session in sessions])
    others = [session.place for session in window if session.run.source.commit != commit]
    change = None
    if head is not None:
        change = Change(
            metric=benchmark.primary,
            head=math.exp(head.value),
            base=math.exp(np.mean(places.value)),
            estimate=anchored(head, places, stack(others) if others else None, prior=prior),
        )
    return AnchorCheck(name=name, commit=commit, sessions=len(sessions), change=change)


def _no_run(name: str, commit: str) -> Obstacle:
    reason = (
        f"no run of anchor {name} ({commit[:_HASH]}) is stored for this machine. Record one of that commit, or move "
        "the anchor to a commit that has one."
    )
    return Obstacle(outcome=Outcome.NO_BASELINE, reason=reason)
