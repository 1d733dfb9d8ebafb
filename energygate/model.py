"""The values that flow through energygate: Trial, Run, Comparison rows, verdict outcomes, GateReport.

All are frozen. What is read from a file is a msgspec.Struct, so that a fault is reported with its path
(`$.benchmarks[3].trials[0].energy_j`). Names carry their SI unit (ADR 1); what is unknown is absent, never 0.
"""

import datetime as dt
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

RUN_SCHEMA: Final = "energygate.run/1"
REPORT_SCHEMA: Final = "energygate.report/1"
IDLE_UNKNOWN: Final = "idle power is unknown: "
POLICY_CHANGE: Final = "policy: "  # how a warning begins that says what of the policy changed: it is shown first

DEFAULT_BASELINES: Final = "baselines"  # the folder of runs where nobody names a store
MOST_COUNTED: Final = 2**53  # whole numbers that every reader of JSON keeps
Count = Annotated[int, Meta(ge=0, le=MOST_COUNTED)]
MOST_J: Final = 1e12  # a megawatt for eleven days; sums and squares of what is beyond overflow
Joules = Annotated[float, Meta(ge=0, le=MOST_J)]
Fraction = Annotated[float, Meta(gt=0, le=1)]
GramsPerKwh = Annotated[float, Meta(ge=0, le=1e5)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Time = Annotated[dt.datetime, Meta(tz=True)]
RunId = Annotated[str, Meta(pattern="^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{10}$")]
Commit = Annotated[str, Meta(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]
MeterKind = Literal["counter", "integrated", "scraped", "estimate", "replay"]
Label = Literal["", "estimate", "integrated power"]


class Metric(StrEnum):
    """What is compared. Each is a ratio of sums over one trial, computed from gross joules."""

    J_PER_REQUEST = "j_per_request"
    J_PER_OUTPUT_TOKEN = "j_per_output_token"  # noqa: S105  a metric, not a secret
    J_PER_TOTAL_TOKEN = "j_per_total_token"  # noqa: S105
    ENERGY_J = "energy_j"
    DURATION_S = "duration_s"

    @property
    def unit(self) -> str:
        """The unit to print."""
        return _UNITS[self]


_UNITS: Final = {
    Metric.J_PER_REQUEST: "J/request",
    Metric.J_PER_OUTPUT_TOKEN: "J/token",
    Metric.J_PER_TOTAL_TOKEN: "J/total token",
    Metric.ENERGY_J: "J",
    Metric.DURATION_S: "s",
}


class Outcome(StrEnum):
    """The verdict on one comparison, worst first. Nothing but `PASS` and `IMPROVED` is a proven pass."""

    OVER_LIMIT = "over_limit"
    REGRESSED = "regressed"
    INVALID = "invalid"
    MISSING = "missing"
    SUSPECT = "suspect"
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    NO_BASELINE = "no_baseline"
    IMPROVED = "improved"
    PASS = "pass"  # noqa: S105


class Work(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one trial did. An unknown count is absent."""

    requests: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_input_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class Trial(Struct, frozen=True, kw_only=True):
    """One measured execution.

    Attributes
    ----------
    started_s : float
        Seconds since the run began.
    energy_j : mapping of domain to joules
        Only domains that may be added to each other.
    iterations : int
        How often the workload ran inside the window.
    invalid : str or None
        ``code: sentence`` if the trial does not count.
    """

    index: Count
    started_s: Seconds
    duration_s: Seconds
    energy_j: dict[str, Joules]
    work: Work
    iterations: Annotated[int, Meta(ge=1)] = 1
    block: Count | None = None
    conditions: dict[str, Any] = {}
    invalid: str | None = None

    @property
    def number(self) -> int:
        """Its place as texts name it, from 1; in files the index begins with 0."""
        return self.index + 1

    @property
    def total_j(self) -> float:
        """Joules of all domains."""
        return sum(self.energy_j.values())

    def value(self, metric: Metric) -> float | None:
        """The metric of this trial, or None where a count that it needs is unknown or zero."""
        match metric:
            case Metric.ENERGY_J:
                return self.total_j / self.iterations
            case Metric.DURATION_S:
                return self.duration_s / self.iterations
            case Metric.J_PER_REQUEST:
                count = self.work.requests
            case Metric.J_PER_OUTPUT_TOKEN:
                count = self.work.output_tokens
            case Metric.J_PER_TOTAL_TOKEN:
                tokens = (self.work.input_tokens, self.work.output_tokens)
                count = None if None in tokens else sum(n or 0 for n in tokens)
        return self.total_j / count if count else None


class Location(Struct, frozen=True, kw_only=True):
    """Where a benchmark is defined: a path relative to the repository, and a line from 1."""

    file: str
    line: Annotated[int, Meta(ge=1)]


class OwnRules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a benchmark's own marker or suite says of its verdict; what it does not say is absent. Fractions."""

    budget: Fraction | None = None
    min_effect: Fraction | None = None
    limit: dict[Metric, Annotated[float, Meta(gt=0, le=MOST_J)]] = {}


class Benchmark(Struct, frozen=True, kw_only=True):
    """Every trial of one benchmark in one run.

    Attributes
    ----------
    workload : str
        sha256 of what defines the work; different work is not compared.
    invalid : str or None
        Why the benchmark as a whole has nothing valid (a server that did not start, say).
    noisy : str or None
        Why no verdict can rest on it although it was measured: foreign load in too many trials, say.
    rules : OwnRules
        Who judges the run judges the benchmark by them.
    """

    name: Annotated[str, Meta(min_length=1)]
    workload: str
    labels: dict[str, str] = {}
    trials: tuple[Trial, ...] = ()
    invalid: str | None = None
    noisy: str | None = None
    location: Location | None = None
    notes: tuple[str, ...] = ()
    rules: OwnRules = OwnRules()

    @property
    def valid(self) -> tuple[Trial, ...]:
        """The trials that count."""
        return tuple([trial for trial in self.trials if trial.invalid is None])

    @property
    def is_measured(self) -> bool:
        """Whether it has anything to say."""
        return self.invalid is None and bool(self.valid)

    @property
    def primary(self) -> Metric:
        """The metric that decides: joules per request where requests are counted, else joules."""
        valid = self.valid
        counted = valid and all(trial.work.requests is not None for trial in valid)
        return Metric.J_PER_REQUEST if counted else Metric.ENERGY_J


class Source(Struct, frozen=True, kw_only=True):
    """The commit that was measured.

    Attributes
    ----------
    dirty : bool
        Whether tracked files differed from it.
    changed : str
        Which ones, in words: some by name, the others counted. Empty where it is not known, and where none did.
    """

    commit: Commit | None = None
    branch: str | None = None
    dirty: bool = False
    repository: str | None = None
    changed: str = ""

    @property
    def which(self) -> str:
        """The changed files in brackets, to stand behind a word; empty where they are not known."""
        return f" ({self.changed})" if self.changed else ""


class Machine(Struct, frozen=True, kw_only=True):
    """Where it was measured. `hard` keys make runs incomparable when they differ, `soft` keys are noted."""

    fingerprint: Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]
    label: str
    hard: dict[str, Any]
    soft: dict[str, Any] = {}


class MeterInfo(Struct, frozen=True, kw_only=True):
    """Which meter measured, and how finely."""

    name: str
    kind: MeterKind
    domains: tuple[str, ...]
    update_interval_s: Seconds
    resolution_j: Joules
    detail: str = ""


class Idle(Struct, frozen=True, kw_only=True):
    """Idle power in watts by domain, before the first and after the last trial.

    Attributes
    ----------
    duration_s : float
        How long each of the two windows was.
    state : str
        What was loaded while nothing ran.
    """

    before_w: dict[str, float]
    after_w: dict[str, float]
    duration_s: Seconds = 0.0
    state: str = ""

    @property
    def power_w(self) -> float:
        """Mean of both windows, of all domains."""
        return (self.total_before_w + self.total_after_w) / 2

    @property
    def drift_w(self) -> float:
        """By how much it moved from the first window to the second: of each domain, so that none makes up another."""
        domains = self.before_w.keys() | self.after_w.keys()
        return sum(abs(self.after_w.get(domain, 0.0) - self.before_w.get(domain, 0.0)) for domain in domains)

    @property
    def total_before_w(self) -> float:
        """Power before the first trial, of all domains."""
        return sum(self.before_w.values())

    @property
    def total_after_w(self) -> float:
        """Power after the last trial, of all domains."""
        return sum(self.after_w.values())


class Acceptance(Struct, frozen=True, kw_only=True):
    """A new level that somebody accepted: the window of sessions of that benchmark starts at a run that shows it.

    Attributes
    ----------
    until : date or None
        The last day on which it holds; None for good.
    since : str or None
        Id of the run where the window starts, if that is another one than the run that says so.
    """

    benchmark: str
    by: str
    reason: str
    at: Time
    until: dt.date | None = None
    since: RunId | None = None


class Run(Struct, frozen=True, kw_only=True):
    """Every trial of every benchmark that one job measured: one session on one machine.

    Attributes
    ----------
    interleaving : str or None
        Id of the interleaving that it is one side of, if it is: both sides name the same.
    """

    schema: Literal["energygate.run/1"] = RUN_SCHEMA
    run_id: RunId
    started_at: Time
    source: Source
    tool: dict[str, str]
    machine: Machine
    meters: tuple[MeterInfo, ...]
    benchmarks: tuple[Benchmark, ...]
    idle: Idle | None = None
    accepts: tuple[Acceptance, ...] = ()
    notes: tuple[str, ...] = ()
    interleaving: RunId | None = None

    def __post_init__(self) -> None:
        names = [benchmark.name for benchmark in self.benchmarks]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two benchmarks are called {twice!r}")

    @property
    def idle_unknown(self) -> str | None:
        """Why idle power is not known although it was asked for, as a note says; None where nothing went wrong."""
        return next((note for note in self.notes if note.startswith(IDLE_UNKNOWN)), None)

    @property
    def estimated(self) -> bool:
        """Whether any reading is an estimate instead of a measurement."""
        return bool(self.label)

    @property
    def label(self) -> Label:
        """What stands beside each number where not all readings are measurements; empty where they are."""
        kinds = {meter.kind for meter in self.meters}
        return "estimate" if "estimate" in kinds else "integrated power" if "integrated" in kinds else ""

    def benchmark(self, name: str) -> Benchmark | None:
        """The benchmark of that name, if this run measured it."""
        return next((b for b in self.benchmarks if b.name == name), None)


class StoreName(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where stored runs were read from.

    Attributes
    ----------
    name : str
        As `--baselines` takes it; a folder below that of the settings file by its way from there.
    is_given : bool
        Whether an option or a variable names it and the settings file does not: so must whoever types a command.
    is_shared : bool
        Whether all branches share it. A folder is part of each branch, with what that branch puts into it.
    """

    name: str
    is_given: bool = False
    is_shared: bool = False

    @property
    def option(self) -> str:
        """What a command must say to read it too, with the blank before it; empty where it is read anyway."""
        return f" --baselines={shlex.quote(self.name)}" if self.is_given else ""


class AcceptedLevel(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An accepted level that no session of the main branch shows yet: all that shows it is the run that was accepted.

    Attributes
    ----------
    by : str
        Who accepted it.
    ratio : float or None
        To the level of the sessions before it; None where there are none.
    is_here : bool
        Whether the change under test accepts it. Where all branches share a store, nobody knows whose change does.
    """

    by: str
    ratio: float | None = None
    is_here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a run is compared with: stored runs of the same fingerprint, and what else is stored.

    Attributes
    ----------
    runs : tuple of Run
        Same fingerprint as the head, newest first.
    others : tuple of Run
        The newest run with a benchmark of every other fingerprint, to say why there is nothing to compare with.
    at_base : frozenset of str, or None
        Ids of the runs that the base revision has too; None where no base revision is known.
    store : StoreName or None
        Where they were read from; None where runs were given by hand.
    absent : str
        Why there can be none at all: `origin has no such branch`. Empty where the store is there.
    """

    runs: tuple[Run, ...] = ()
    others: tuple[Run, ...] = ()
    at_base: frozenset[str] | None = None
    store: StoreName | None = None
    absent: str = ""


class TrialCounts(Struct, frozen=True, kw_only=True):
    """Valid trials of both sides, and the head's invalid ones."""

    base: Count = 0
    head: Count = 0
    invalid: Count = 0


class Net(Struct, frozen=True, kw_only=True):
    """Values without the idle power, in the row's unit: shown beside the gross ones, never in the verdict.

    Attributes
    ----------
    idle_w : float or None
        Idle power of the head's session, of all domains.
    uncertainty : float or None
        Of `head`, from the drift of the idle power.
    refused : str
        Why there is no net value; empty where there is one.
    """

    idle_w: float | None = None
    base: float | None = None
    head: float | None = None
    uncertainty: float | None = None
    refused: str = ""


class Times(Struct, frozen=True, kw_only=True):
    """A time or rate of a server's answers, which decides nothing; `base` is None where only the head knows it."""

    head: float
    base: float | None = None


class Row(Struct, frozen=True, kw_only=True):
    """One comparison with its verdict, as a report shows it.

    Attributes
    ----------
    ratio, ratio_low, ratio_high : float or None
        Head over base, and the ends of its two-sided 90 % interval: `ratio_high` is the one-sided 95 % bound.
    detectable : float or None
        The ratio that would fail nine times in ten.
    how : str
        `stored` (against stored sessions), `interleaved`, `limit` (`base` is then the limit itself), or `anchor`.
    anchor : str
        Name of the pinned commit that it is compared with.
    label : str
        What stands beside its numbers where they are no measurement: `estimate`, `integrated power`.
    times : mapping of name to Times
        How fast a server answered: seconds, and output tokens per second.
    history : tuple of float
        Typical values of the stored sessions that it is compared with, or was screened by, oldest first, in the row's
        unit. Of an accepted level, those before it too.
    accepted : AcceptedLevel or None
        The accepted level that it is compared with, where all that shows it is the run that was accepted.
    """

    benchmark: str
    metric: Metric
    outcome: Outcome
    reason: str
    base: float | None = None
    head: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    trials: TrialCounts = TrialCounts()
    sessions: Count = 0
    blocks: Count = 0
    how: Literal["stored", "interleaved", "limit", "anchor"] = "stored"
    anchor: str = ""
    detectable: float | None = None
    domains: dict[str, float] = {}
    work: dict[str, float] = {}
    times: dict[str, Times] = {}
    net: Net | None = None
    estimated: bool = False
    label: Label = ""
    location: Location | None = None
    notes: tuple[str, ...] = ()
    history: tuple[float, ...] = ()
    accepted: AcceptedLevel | None = None


class Point(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trial, as a report shows it.

    Attributes
    ----------
    value : float or None
        In the unit of the benchmark's deciding metric; None where a count that it needs is unknown.
    energy_j : mapping of domain to joules
    temperature_c : mapping of domain to degrees Celsius
        The highest that was seen.
    throttled : tuple of str
        What was throttled, and by what: `gpu-0: thermal`.
    invalid : str or None
        ``code: sentence`` if the trial does not count.
    """

    started_s: Seconds
    duration_s: Seconds
    energy_j: dict[str, Joules]
    value: float | None = None
    work: Work = Work()
    iterations: Annotated[int, Meta(ge=1)] = 1
    block: Count | None = None
    temperature_c: dict[str, float] = {}
    throttled: tuple[str, ...] = ()
    invalid: str | None = None


class Side(Struct, frozen=True, kw_only=True):
    """What one run measured of one benchmark: every trial in its order, also those that don't count."""

    run_id: str
    commit: Commit | None
    at: Time
    points: tuple[Point, ...]


class Level(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stored session of a benchmark, in the unit of its deciding metric.

    Attributes
    ----------
    values : tuple of float
        Of each trial that counts; empty where the head is not compared with this session.
    is_shifted : bool
        Whether the machine had changed, so that it says nothing of the code.
    change : float or None
        The ratio to the level before, where a change of level begins with this session.
    is_certain : bool
        Whether that change cuts the window; otherwise it is only possible.
    accepted : tuple of Acceptance
        Who accepted what, as of this session.
    """

    run_id: str
    commit: Commit | None
    at: Time
    value: float
    values: tuple[float, ...] = ()
    is_shifted: bool = False
    change: float | None = None
    is_certain: bool = False
    accepted: tuple[Acceptance, ...] = ()


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the verdict on one benchmark rests on, for a reader who wants to see every trial.

    Attributes
    ----------
    metric : Metric
        The deciding one, which `Point.value`, `Level.value` and `Level.values` are of.
    budget, min_effect : float
        By which this benchmark was judged, as fractions.
    head : Side or None
        As it was compared with stored sessions; None where the benchmark is missing, or was only measured in turns.
    turns : (Side, Side) or None
        Base and head as they were measured in turns; None where they were not.
    history : tuple of Level
        The stored sessions of this machine, oldest first: the newest 50, and those in which the machine had changed.
    """

    benchmark: str
    metric: Metric
    labels: dict[str, str] = {}
    budget: float = 0.05
    min_effect: float = 0.02
    head: Side | None = None
    turns: tuple[Side, Side] | None = None
    history: tuple[Level, ...] = ()


class Intensity(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much carbon a kilowatt-hour of electricity stands for: somebody's figure, with its date.

    Attributes
    ----------
    g_co2e_per_kwh : float
        Grams of CO2 equivalents.
    source : str
        Who says so.
    zone : str
        Of which grid.
    at : datetime or None
        The hour, or shorter, that it is of; None where it is of a whole `year`.
    kind : str
        `average` of all plants, or `marginal`: of those that answer a change of demand.
    scope : str
        `lifecycle` of the plants and their fuel, or `direct`: what they emit while they run.
    estimated : bool
        Whether its source calls it an estimate.
    """

    g_co2e_per_kwh: GramsPerKwh
    source: str
    zone: str = ""
    at: Time | None = None
    year: Annotated[int, Meta(ge=1900, le=2200)] | None = None
    kind: Literal["average", "marginal", ""] = ""
    scope: Literal["lifecycle", "direct", ""] = ""
    estimated: bool = False


class Embodied(Struct, frozen=True, kw_only=True):
    """What making the machine emitted, over how long it counts, and which share of it was reserved.

    Attributes
    ----------
    source : str
        Who says how much it was.
    """

    total_g_co2e: Annotated[float, Meta(gt=0, le=1e9)]
    lifespan_s: Annotated[float, Meta(gt=0, le=1e10)]
    share: Fraction
    source: str


class Terms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what a report shows energy besides joules: assumptions, none of which is part of a verdict.

    Attributes
    ----------
    pue : float or None
        What the data centre draws for each kilowatt-hour of the machine.
    unknown : str
        Why there is no intensity although one was asked for.
    """

    price_per_kwh: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")] = ""
    pue: Annotated[float, Meta(ge=1, le=10)] | None = None
    intensity: Intensity | None = None
    unknown: str = ""
    embodied: Embodied | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What is said of one row beside the code that it measures: plain text.

    Attributes
    ----------
    path : str
        Relative to the repository.
    line : int
        From 1.
    """

    path: str
    line: int
    level: Literal["failure", "warning", "notice"]
    title: str
    message: str


class Head(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The run that was judged, or the base of its blocks."""

    run_id: str
    commit: str | None
    repository: str | None = None
    branch: str | None = None


class BaselineRuns(Struct, frozen=True, kw_only=True):
    """The runs that it was compared with.

    Attributes
    ----------
    machine : Machine or None
        As the newest of them describes it; None where there are none.
    store : StoreName or None
        Where they were looked for; None where they were given by hand.
    """

    runs: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    how: Literal["stored", "interleaved"] = "stored"
    machine: Machine | None = None
    store: StoreName | None = None


class PolicyView(Struct, frozen=True, kw_only=True):
    """The policy that decided, as fractions."""

    budget: float
    min_effect: float
    false_alarms: float
    adjust: str
    fail_on: tuple[str, ...] = ()


class GateReport(Struct, frozen=True, kw_only=True):
    """The whole verdict. `failed`: an outcome that policy fails on; `passed`: every row is a proven pass.

    Attributes
    ----------
    base : Head or None
        The base that was measured in turns with what stored runs suspected; None where nothing was.
    notes : tuple of str
        How this came about: nothing that a reader of the figures has to beware of.
    evidence : tuple of Evidence
        What each verdict rests on, one for each benchmark; empty in a report that was written without it.
    terms : Terms or None
        By what energy is shown besides joules; None where the configuration asks for nothing.
    """

    schema: Literal["energygate.report/1"] = REPORT_SCHEMA
    verdict: Literal["failed", "inconclusive", "passed"]
    exit_code: int
    counts: dict[str, int]
    tool: dict[str, str] = {}
    head: Head
    baseline: BaselineRuns
    base: Head | None = None
    machine: Machine
    meters: tuple[MeterInfo, ...]
    policy: PolicyView
    comparisons: tuple[Row, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    terms: Terms | None = None


def count_outcomes(rows: tuple[Row, ...]) -> dict[str, int]:
    """How many benchmarks have each outcome; a benchmark's rows of one outcome count once."""
    pairs = {(row.benchmark, row.outcome) for row in rows}
    return {outcome.value: n for outcome in Outcome if (n := sum(o is outcome for _, o in pairs))}


def reasons_by_code(trials: tuple[Trial, ...]) -> list[tuple[str, int]]:
    """Why trials don't count: for each code one of its sentences and how many trials have it, commonest first."""
    sentences: dict[str, list[str]] = {}
    for trial in trials:
        if trial.invalid is not None:
            sentences.setdefault(trial.invalid.partition(":")[0], []).append(trial.invalid)
    return [(found[0], len(found)) for found in sorted(sentences.values(), key=len, reverse=True)]
