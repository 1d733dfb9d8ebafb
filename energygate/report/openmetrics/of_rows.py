"""The metrics of benchmarks: figures of both sides, their ratio with its interval, and how much evidence there is."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from energygate.model import Metric, Row
from energygate.report.openmetrics.exposition import Family, Sample
from energygate.report.openmetrics.subject import Subject
from energygate.workloads.text import printable

Samples = Callable[[Subject], Iterator[Sample]]
_ROW: Final = ("repository", "benchmark", "metric", "against", "anchor", "reading")
_LEVEL: Final = ("repository", "benchmark", "side", "anchor", "reading")
_BENCHMARK: Final = ("repository", "benchmark")
_OF_SIDES: Final = "Typical {what}, of the head and of what it is compared with."

LEVELS: Final[Mapping[Metric, Family]] = {
    metric: Family(name=f"energygate_{name}", labels=_LEVEL, help=_OF_SIDES.format(what=what), unit=unit)
    for metric, name, unit, what in (
        (Metric.J_PER_REQUEST, "joules_per_request", "joules_per_request", "joules per request"),
        (Metric.J_PER_OUTPUT_TOKEN, "joules_per_output_token", "joules_per_output_token", "joules per output token"),
        (
            Metric.J_PER_TOTAL_TOKEN,
            "joules_per_total_token",
            "joules_per_total_token",
            "joules per input or output token",
        ),
        (Metric.ENERGY_J, "energy_joules", "joules", "joules of one execution"),
        (Metric.DURATION_S, "duration_seconds", "seconds", "seconds of one execution"),
    )
}
OUTCOME: Final = Family(
    name="energygate_outcome",
    labels=(*_ROW, "outcome"),
    help="The outcome of a comparison. Always 1; the others are absent.",
)
RATIO: Final = Family(
    name="energygate_ratio", labels=_ROW, help="Head over what it is compared with; 1 is no change.", unit="ratio"
)
RATIO_LOW: Final = Family(
    name="energygate_ratio_low", labels=_ROW, help="Lower end of the two-sided 90 % interval of energygate_ratio."
)
RATIO_HIGH: Final = Family(
    name="energygate_ratio_high", labels=_ROW, help="Upper end of the two-sided 90 % interval of energygate_ratio."
)
DETECTABLE: Final = Family(
    name="energygate_detectable_ratio",
    labels=_ROW,
    help="The ratio that would fail nine times in ten with as much evidence.",
    unit="ratio",
)
P_VALUE: Final = Family(
    name="energygate_adjusted_p_value", labels=_ROW, help="The p-value, adjusted for the number of comparisons."
)
DOMAINS: Final = Family(
    name="energygate_domain_ratio",
    labels=(*_ROW, "domain"),
    help="Head over base of one domain, such as package-0.",
    unit="ratio",
)
WORK: Final = Family(
    name="energygate_work_ratio",
    labels=(*_ROW, "work"),
    help="Head over base of the work per request, such as output tokens.",
    unit="ratio",
)
BUDGET: Final = Family(
    name="energygate_budget_ratio",
    labels=_BENCHMARK,
    help="The ratio that the budget allows: 1.05 for a budget of 5 %.",
    unit="ratio",
)
TRIALS: Final = Family(name="energygate_trials", labels=(*_BENCHMARK, "side"), help="Trials that count.")
INVALID: Final = Family(
    name="energygate_invalid_trials", labels=_BENCHMARK, help="Trials of the head that do not count."
)
SESSIONS: Final = Family(
    name="energygate_sessions", labels=_BENCHMARK, help="Stored sessions that the head is compared with."
)
BLOCKS: Final = Family(
    name="energygate_blocks", labels=_BENCHMARK, help="Blocks in which base and head were measured in turns."
)


def level(metric: Metric) -> Samples:
    """Make what gives both sides' figures of one metric."""

    def samples(subject: Subject) -> Iterator[Sample]:
        # One head is kept of each metric of a benchmark: that of the comparison, as two stages measured two of them.
        for row in sorted(subject.report.comparisons, key=lambda row: row.how in {"limit", "anchor"}):
            if row.metric is metric:
                yield from _sides(subject, row)

    return samples


def _sides(subject: Subject, row: Row) -> Iterator[Sample]:
    if row.head is not None:
        yield Sample(value=row.head, labels=subject.labels(row, side="head", anchor=""))
    if row.base is not None:
        side = "base" if row.how in {"stored", "interleaved"} else row.how
        # The limit itself is neither measured nor estimated.
        reading = "" if row.how == "limit" else subject.reading(row)
        yield Sample(value=row.base, labels=subject.labels(row, side=side, reading=reading))


def outcome(subject: Subject) -> Iterator[Sample]:
    """Say how each comparison came out."""
    for row in subject.report.comparisons:
        yield Sample(value=1, labels=subject.labels(row, outcome=row.outcome.value))


def figure(name: str) -> Samples:
    """Make what gives one figure of each comparison that has it."""

    def samples(subject: Subject) -> Iterator[Sample]:
        for row in subject.report.comparisons:
            value = getattr(row, name)
            if value is not None:
                yield Sample(value=value, labels=subject.labels(row))

    return samples


def parts(name: str, label: str) -> Samples:
    """Make what gives the ratios of the parts of each comparison."""

    def samples(subject: Subject) -> Iterator[Sample]:
        for row in subject.report.comparisons:
            for part, value in getattr(row, name).items():
                yield Sample(value=value, labels=subject.labels(row, **{label: printable(part)}))

    return samples


def budget(subject: Subject) -> Iterator[Sample]:
    """Say what each benchmark was allowed."""
    own = {each.benchmark: each.budget for each in subject.report.evidence}
    for line in subject.lines:
        allowed = own.get(line.row.benchmark, subject.report.policy.budget)
        yield Sample(value=round(1 + allowed, 12), labels=subject.labels(line.row))


def trials(subject: Subject) -> Iterator[Sample]:
    """Count the trials that count."""
    for line in subject.lines:
        for side, count in (("base", line.row.trials.base), ("head", line.row.trials.head)):
            yield Sample(value=count, labels=subject.labels(line.row, side=side))


def counted(count: Callable[[Row], int]) -> Samples:
    """Make what gives a count of each benchmark."""

    def samples(subject: Subject) -> Iterator[Sample]:
        for line in subject.lines:
            yield Sample(value=count(line.row), labels=subject.labels(line.row))

    return samples
