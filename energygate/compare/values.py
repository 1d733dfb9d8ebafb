"""What a comparison is made of."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from energygate.history.timeline import WindowRules
from energygate.history.window import Sessions
from energygate.model import AcceptedLevel, Benchmark, Metric, Outcome, Times, TrialCounts
from energygate.stats.estimate import Estimate
from energygate.stats.stored import Prior


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRules:
    """Which sessions the head is compared with, and what they are worth.

    Attributes
    ----------
    sessions : int
        At most so many stored sessions, newest first.
    max_invalid : float
        Share of invalid trials above which the head's benchmark is invalid.
    prior : Prior
        What is assumed of the spread between sessions.
    min_effect : float
        A change of level among the stored sessions that is smaller than this is none, as a fraction.
    anchors : mapping of name to commit
        Pinned commits to compare with besides.
    canary : str or None
        Name of a benchmark that no change of the code touches.
    """

    sessions: int = 10
    max_invalid: float = 0.2
    prior: Prior = field(default_factory=Prior)
    min_effect: float = 0.02
    anchors: Mapping[str, str] = field(default_factory=dict)
    canary: str | None = None

    def window_rules(self, on: dt.date) -> WindowRules:
        """Which sessions count on the day of the head."""
        return WindowRules(
            on=on, sessions=self.sessions, prior=self.prior, min_effect=self.min_effect, canary=self.canary
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a benchmark can't be judged, and the outcome that says so."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric on both sides, in its own unit, with the estimate of its log ratio where there is one."""

    metric: Metric
    head: float
    base: float | None = None
    estimate: Estimate | None = None

    @property
    def ratio(self) -> float | None:
        """Head over base; of pairs it is the typical ratio, and not that of the typical sides."""
        if self.base is None:
            return None
        return self.head / self.base if self.estimate is None else float(self.estimate.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitCheck:
    """One metric against an absolute limit.

    Attributes
    ----------
    mean : float
        Arithmetic mean of the trials: a tail that the typical trial does not show raises it.
    """

    metric: Metric
    limit: float
    head: float
    mean: float
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorCheck:
    """The deciding metric against the sessions of a pinned commit.

    Attributes
    ----------
    sessions : int
        How many of that commit count.
    change : Change or None
        None where there is an obstacle.
    """

    name: str
    commit: str
    sessions: int = 0
    obstacle: Obstacle | None = None
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One benchmark of the head beside its stored sessions, or beside a base that was measured in turns with it.

    Attributes
    ----------
    how : str
        `stored` or `interleaved`: what one unit of evidence is, a session or a block.
    primary : Change or None
        The deciding metric; None where the head has no usable trial.
    per_token : Change or None
        Joules per output token, where tokens are counted on both sides.
    sessions, blocks : int
        How many it was compared with; the other one is 0.
    between : float
        Variance between the sessions' logs; 0 for one session.
    work : mapping
        Ratio of each count per request, head over base; 0 where the head does none of it any more, infinite where the
        base did none.
    domains : mapping
        Ratio of each domain's joules per request (or iteration).
    changed : tuple of str
        What changed in a server's answers besides their amount.
    times : mapping of name to Times
        How fast they came.
    window : Sessions or None
        The stored sessions that it was compared with.
    notes : tuple of str
        What belongs beside the benchmark.
    left_out : str
        Which stored runs of it are not among its sessions, and why; empty where all are.
    warnings : tuple of str
        What belongs above the report.
    """

    benchmark: Benchmark
    obstacle: Obstacle | None
    trials: TrialCounts
    how: Literal["stored", "interleaved"] = "stored"
    primary: Change | None = None
    per_token: Change | None = None
    limits: tuple[LimitCheck, ...] = ()
    anchors: tuple[AnchorCheck, ...] = ()
    sessions: int = 0
    blocks: int = 0
    between: float = 0.0
    work: Mapping[str, float] = field(default_factory=dict)
    domains: Mapping[str, float] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    times: Mapping[str, Times] = field(default_factory=dict)
    window: Sessions | None = None
    notes: tuple[str, ...] = ()
    left_out: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> AcceptedLevel | None:
        """The level that it is compared with, where it is accepted and no session of the main branch shows it yet."""
        return None if self.window is None else self.window.accepted
