"""What may pass and what fails the build: the numbers of `gate:`, as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from energygate.errors import ConfigError
from energygate.model import Metric, Outcome
from energygate.units import format_percent

FAILABLE: Final = tuple(outcome for outcome in Outcome if outcome not in {Outcome.PASS, Outcome.IMPROVED})
_FEWEST_SESSIONS: Final = 3  # below, one odd session decides
LOWEST_MIN_BLOCKS: Final = 6  # fewer say too little of their spread, by which it is decided when to stop
MOST_BLOCKS: Final = 200
_AT_MOST: Final = "\N{LESS-THAN OR EQUAL TO}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one benchmark may cost.

    Attributes
    ----------
    budget : float
        An increase proven smaller than this passes, as a fraction.
    min_effect : float
        An increase estimated smaller than this never fails, as a fraction.
    limits : mapping of metric to float
        Absolute limits, in the metric's unit.
    """

    budget: float = 0.05
    min_effect: float = 0.02
    limits: Mapping[Metric, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.min_effect <= self.budget <= 1:
            raise ConfigError(
                f"gate: min_effect {format_percent(self.min_effect)}, budget {format_percent(self.budget)}:",
                why="an increase must be able to pass before it can fail.",
                fix="Choose 0 % < min_effect \N{LESS-THAN OR EQUAL TO} budget \N{LESS-THAN OR EQUAL TO} 100 %.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """What is measured a second time, base and head side by side, and when that ends.

    Attributes
    ----------
    which : str
        `suspects`; `unresolved`, which adds what could not be judged for want of evidence or of a baseline; or `all`.
    min_blocks, max_blocks : int
        Even numbers: a benchmark is first looked at after so many blocks, and given up after so many.
    max_minutes : float or None
        What is not decided by then stays as the stored runs left it.
    """

    which: Literal["suspects", "unresolved", "all"] = "suspects"
    min_blocks: int = 10
    max_blocks: int = 30
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        try:
            require_blocks(min_blocks=self.min_blocks, max_blocks=self.max_blocks, max_minutes=self.max_minutes)
        except ValueError as error:
            raise ConfigError(f"confirm: {error}.") from error


def require_blocks(*, min_blocks: int, max_blocks: int, max_minutes: float | None) -> None:
    """Refuse numbers of blocks that give no order or no interval, and no time at all. Raises ValueError."""
    if not LOWEST_MIN_BLOCKS <= min_blocks <= max_blocks <= MOST_BLOCKS or any(
        count % 2 for count in (min_blocks, max_blocks)
    ):
        raise ValueError(
            f"min_blocks and max_blocks must be even, with {LOWEST_MIN_BLOCKS} {_AT_MOST} min_blocks {_AT_MOST} "
            f"max_blocks {_AT_MOST} {MOST_BLOCKS}, got {min_blocks} and {max_blocks}"
        )
    if max_minutes is not None and not 0 < max_minutes < math.inf:
        raise ValueError(f"max_minutes must be positive, got {max_minutes:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A commit that every later one is held against, so that many small increases cannot add up unseen.

    Attributes
    ----------
    commit : str
        The whole hash of a commit whose runs are stored. It stays until it is moved by hand.
    budget : float
        What may have been added since, as a fraction.
    """

    name: str
    commit: str
    budget: float

    def __post_init__(self) -> None:
        if not 0 < self.budget < math.inf:
            raise ConfigError(
                f"anchors: {self.name}: budget {format_percent(self.budget)}:",
                why="an anchor says how much may have been added since.",
                fix="Give a budget above 0 %.",
            )


class Shares(Protocol):
    """What a policy and a file's `gate:` have in common."""

    @property
    def false_alarms(self) -> float: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102
    @property
    def power(self) -> float: ...  # noqa: D102
    @property
    def session_sd(self) -> float: ...  # noqa: D102


def require_shares(of: Shares) -> None:
    """Refuse shares with which a "bound" would lie on the wrong side, or nothing could be proven. Raises ValueError."""
    bounds = (
        ("false_alarms", of.false_alarms, 0.0),
        ("confidence", of.confidence, 0.5),
        ("power", of.power, 0.5),
        ("session_sd", of.session_sd, 0.0),
    )
    for name, share, least in bounds:
        if not least < share < 1:
            allowed = f"above {format_percent(least)} and below 100 %"
            raise ValueError(f"{name} must be {allowed}, got {format_percent(share)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may pass, and what fails the build. Shares and effects are fractions.

    Attributes
    ----------
    false_alarms : float
        Level of the family of tests.
    adjust : str
        `bh` controls the share of false alarms among the alarms, `holm` the chance of any.
    allow_estimates : bool
        Whether an estimated reading may decide.
    confidence, power : float
        One-sided confidence of bounds; share of regressions that `detectable` speaks of.
    session_sd, session_sd_weight : float
        What is assumed of the spread between sessions, and for how many degrees of freedom it counts.
    window, min_sessions : int
        Most sessions that are compared with, and fewest that may fail a build.
    work_tolerance : float
        Change of a count per request above which the work counts as changed.
    screen_p, screen_effect : float
        When an unproven increase is worth a second look.
    rules : mapping of benchmark name to Rules
        Where a benchmark has its own budget, effect or limits.
    confirm : Confirm
        What is measured a second time.
    anchors : tuple of Anchor
        Commits that every later one is held against.
    canary : str or None
        Name of a benchmark that no change of the code touches: where it moves, the machine has changed.
    """

    budget: float = 0.05
    min_effect: float = 0.02
    false_alarms: float = 0.05
    adjust: Literal["bh", "holm"] = "bh"
    fail_on: tuple[Outcome, ...] = (Outcome.REGRESSED, Outcome.OVER_LIMIT, Outcome.INVALID)
    allow_estimates: bool = False
    confidence: float = 0.95
    power: float = 0.90
    session_sd: float = 0.015
    session_sd_weight: float = 2.0
    window: int = 10
    min_sessions: int = 3
    max_invalid: float = 0.2
    work_tolerance: float = 0.01
    screen_p: float = 0.20
    screen_effect: float = 0.01
    rules: Mapping[str, Rules] = field(default_factory=dict)
    confirm: Confirm = field(default_factory=Confirm)
    anchors: tuple[Anchor, ...] = ()
    canary: str | None = None

    def __post_init__(self) -> None:
        Rules(budget=self.budget, min_effect=self.min_effect)
        try:
            require_shares(self)
        except ValueError as error:
            raise ConfigError(f"gate: {error}.") from error
        if self.window < self.min_sessions:
            raise ConfigError(
                f"gate.window: {self.window} sessions at most, but gate.min_sessions needs {self.min_sessions}:",
                why="no increase could ever fail.",
                fix="Raise window, or lower min_sessions.",
            )
        if self.min_sessions < _FEWEST_SESSIONS:
            raise ConfigError(
                f"gate.min_sessions: {self.min_sessions}:",
                why="with fewer than 3 sessions one odd day would fail the build.",
                fix="Give 3 or more.",
            )

        names = [anchor.name for anchor in self.anchors]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ConfigError(f"anchors: two are called {twice!r}:", why="a report names them.", fix="Rename one.")

    def rules_for(self, name: str) -> Rules:
        """The rules of one benchmark."""
        return self.rules.get(name) or Rules(budget=self.budget, min_effect=self.min_effect)

    @property
    def limits(self) -> dict[str, Mapping[Metric, float]]:
        """Limits by benchmark name."""
        return {name: rules.limits for name, rules in self.rules.items() if rules.limits}
