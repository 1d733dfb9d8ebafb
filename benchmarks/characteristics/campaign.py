"""Simulated pull requests through every rule: which suites, how many, and what is counted."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from characteristics.our_rule import POLICY, Judged, Looks, Mask, Screened, interleave_all, two_stages
from characteristics.peer_rules import PEERS, Evidence
from characteristics.shares import Share
from characteristics.simulation import PullRequests, Setting, simulate
from energygate.gate import Stage

TWO_STAGES: Final = "energygate, two stages"
INTERLEAVED: Final = "energygate, all interleaved"
STORED: Final = "energygate, stored only"
ONE_SESSION: Final = "energygate, two stages, 1 session"

A: Final = Setting(noise="plain", benchmarks=20, sd=0.01, session_sd=0.01)
B: Final = Setting(noise="plain", benchmarks=20, sd=0.02, session_sd=0.02)
CHANGES: Final = (0.03, 0.05, 0.07, 0.10)
SIZES: Final = (1, 20, 200)
_BENCHMARKS_AT_ONCE: Final = 8000  # bounds the memory: about 100 MB a process

Found: TypeAlias = Mapping[tuple[str, str], Share]


class Task(NamedTuple):
    """A part of a campaign."""

    setting: Setting
    count: int
    seed: np.random.SeedSequence


class Compute(Protocol):
    """`map`, or that of an executor."""

    def __call__(self, evaluate: Callable[[Task], Found], tasks: Iterable[Task], /) -> Iterable[Found]:
        """Evaluate every task, in order."""


def settings() -> Iterator[Setting]:
    """Every suite that something is demanded of, and the peers' suites with a single benchmark."""
    for size, session_sd, sd, noise in product((20, 200), (0.01, 0.02), (0.01, 0.02, 0.03), ("plain", "hard")):
        yield Setting(noise=noise, benchmarks=size, sd=sd, session_sd=session_sd)
    for each in (A, B):
        yield resized(each, 1)


def resized(setting: Setting, benchmarks: int) -> Setting:
    """The same with another number of benchmarks."""
    return Setting(noise=setting.noise, benchmarks=benchmarks, sd=setting.sd, session_sd=setting.session_sd)


def run(counts: Mapping[int, int], seed: int, compute: Compute) -> dict[Setting, Found]:
    """Simulate so many pull requests for each number of benchmarks; the same seed gives the same figures."""
    tasks = list(_tasks(counts, np.random.SeedSequence(seed)))
    found: dict[Setting, dict[tuple[str, str], Share]] = defaultdict(lambda: defaultdict(Share))
    for task, part in zip(tasks, compute(evaluate, tasks), strict=True):
        for key, share in part.items():
            found[task.setting][key] += share
    return {setting: dict(figures) for setting, figures in found.items()}


def _tasks(counts: Mapping[int, int], seed: np.random.SeedSequence) -> Iterable[Task]:
    for setting in settings():
        left, at_once = counts[setting.benchmarks], _BENCHMARKS_AT_ONCE // setting.benchmarks
        while left > 0:
            yield Task(setting, min(left, at_once), seed.spawn(1)[0])
            left -= at_once


def evaluate(task: Task) -> dict[tuple[str, str], Share]:
    """Simulate pull requests, and judge the same ones by every rule."""
    setting = task.setting
    drawn = simulate(setting, task.count, np.random.default_rng(task.seed))
    looks = Looks.at(drawn.differences)
    screened = Screened.of(drawn.head, drawn.sessions)
    changes = (0.0, *CHANGES)
    found = _ours(TWO_STAGES, [two_stages(screened, looks, change) for change in changes], setting.trials)
    found |= _ours(INTERLEAVED, interleave_all(looks, changes), 0)
    found |= _stored_only(screened, changes, setting.trials)
    if setting.noise == "plain":
        single = Screened.of(drawn.head, drawn.sessions[..., -1:, :])
        found |= _ours(ONE_SESSION, [two_stages(single, looks, change) for change in changes], setting.trials)
    if setting in {resized(each, setting.benchmarks) for each in (A, B)}:
        found |= _peers(drawn)
    return found


def _ours(rule: str, judged: list[Judged], trials: int) -> dict[tuple[str, str], Share]:
    same, *others = judged
    benchmarks = same.outcomes.shape[-1]
    blocks = np.where(same.queued, same.blocks, 0).sum(axis=-1)
    in_part = ~same.queued.all(axis=-1)
    figures = _failing(
        same.outcomes == "regressed", {c: j.outcomes[:, 0] == "regressed" for c, j in zip(CHANGES, others, strict=True)}
    )
    figures |= {
        "queued": Share.of(same.queued.sum(axis=-1), benchmarks),
        "queued as a whole": Share.of(~in_part),
        "queued in part": Share.of(same.queued.sum(axis=-1) * in_part, benchmarks * in_part),
        "passes": Share.of(np.isin(same.outcomes, ("pass", "improved")).sum(axis=-1), benchmarks),
        "blocks": Share.of(blocks, same.queued.sum(axis=-1)),
        "passes at the budget": Share.of(others[CHANGES.index(POLICY.budget)].outcomes[:, 0] == "pass"),
        "trials": Share.of(trials * benchmarks + 2 * blocks, benchmarks),
    }
    return {(rule, name): share for name, share in figures.items()}


def _stored_only(screened: Screened, changes: tuple[float, ...], trials: int) -> dict[tuple[str, str], Share]:
    same, *others = (screened.outcomes(Stage.ALONE, change).outcome == "regressed" for change in changes)
    figures = _failing(same, {c: fails[:, 0] for c, fails in zip(CHANGES, others, strict=True)})
    figures["trials"] = Share.of(np.full(len(same), trials))
    return {(STORED, name): share for name, share in figures.items()}


def _peers(drawn: PullRequests) -> dict[tuple[str, str], Share]:
    everything = _evidence(drawn, np.s_[:])
    first = _evidence(drawn, np.s_[:, 0])
    found = {}
    for peer in PEERS:
        figures = _failing(peer.fails(everything), {c: peer.fails(first.with_change(c)) for c in CHANGES})
        figures["trials"] = Share.of(np.full(len(drawn.head), peer.trials))
        found |= {(peer.name, name): share for name, share in figures.items()}
    return found


def _evidence(drawn: PullRequests, chosen: object) -> Evidence:
    sessions, head, pairs = (np.exp(logs[chosen]) for logs in (drawn.sessions, drawn.head, drawn.pairs))
    return Evidence(sessions=sessions, head=head, alternating=pairs)


def _failing(alarms: Mask, found: Mapping[float, Mask]) -> dict[str, Share]:
    figures = {
        "alarms": Share.of(alarms.any(axis=-1)),
        "alarms per benchmark": Share.of(alarms.sum(axis=-1), alarms.shape[-1]),
    }
    return figures | {power(change): Share.of(fails) for change, fails in found.items()}


def power(change: float) -> str:
    """The name of a figure."""
    return f"power at +{100 * change:.0f} %"
