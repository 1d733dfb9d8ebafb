"""A run as metrics: the joules of its domains, and what each trial came to. Trials that don't count are left out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from energygate.model import GateReport, Metric, Point, Work
from energygate.telemetry import attributes
from energygate.telemetry.attributes import HOST, Attributes
from energygate.telemetry.runs import MeasuredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What a metric is called, and its unit in UCUM.

    Attributes
    ----------
    is_sum : bool
        Whether its points add up since `Series.since_ns`: a counter; otherwise it is a gauge.
    """

    name: str
    unit: str
    description: str
    is_sum: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One instrument's points with the same attributes: each a time in nanoseconds and a value."""

    instrument: Instrument
    attributes: Attributes
    since_ns: int
    points: tuple[tuple[int, float], ...]


ENERGY: Final = Instrument(
    name="hw.energy", unit="J", description="Energy consumed by the component, in trials that count", is_sum=True
)
HOST_ENERGY: Final = Instrument(
    name="hw.host.energy", unit="J", description="Energy consumed by the whole host, in trials that count", is_sum=True
)
TRIAL_ENERGY: Final = Instrument(
    name="energygate.trial.energy", unit="J", description="Joules of one trial, of all domains that are counted"
)
TRIAL_DURATION: Final = Instrument(name="energygate.trial.duration", unit="s", description="How long one trial was")
PER_WORK: Final = {
    Metric.J_PER_REQUEST: Instrument(
        name="energygate.trial.energy_per_request", unit="J/{request}", description="Joules per request of one trial"
    ),
    Metric.J_PER_OUTPUT_TOKEN: Instrument(
        name="energygate.trial.energy_per_output_token",
        unit="J/{token}",
        description="Joules per output token of one trial",
    ),
}
INSTRUMENTS: Final = (ENERGY, HOST_ENERGY, TRIAL_ENERGY, TRIAL_DURATION, *PER_WORK.values())


def series_of(report: GateReport, run: MeasuredRun) -> Iterator[Series]:
    """Give every series of one run."""
    for measured in run.benchmarks:
        own = attributes.of_series(report, run, measured)
        counted = [point for point in measured.side.points if point.invalid is None]
        yield from _energies(run, own, counted)
        yield from _gauges(run, own, counted)


def _energies(run: MeasuredRun, own: Attributes, counted: list[Point]) -> Iterator[Series]:
    for domain in dict.fromkeys(domain for point in counted for domain in point.energy_j):
        points, total_j = [], 0.0
        for point in counted:
            if domain in point.energy_j:
                total_j += point.energy_j[domain]
                points.append((run.span_ns(point)[1], total_j))
        yield Series(
            instrument=HOST_ENERGY if domain == HOST else ENERGY,
            attributes={**attributes.of_domain(domain), **own},
            since_ns=run.begin_ns,
            points=tuple(points),
        )


def _gauges(run: MeasuredRun, own: Attributes, counted: list[Point]) -> Iterator[Series]:
    values: dict[Instrument, list[float | None]] = {
        TRIAL_ENERGY: [sum(point.energy_j.values()) for point in counted],
        TRIAL_DURATION: [point.duration_s for point in counted],
        **{instrument: [_per_work(point, metric) for point in counted] for metric, instrument in PER_WORK.items()},
    }
    ends = [run.span_ns(point)[1] for point in counted]
    for instrument, found in values.items():
        points = tuple((end_ns, value) for end_ns, value in zip(ends, found, strict=True) if value is not None)
        if points:
            yield Series(instrument=instrument, attributes=own, since_ns=run.begin_ns, points=points)


def _per_work(point: Point, metric: Metric) -> float | None:
    count = _count(point.work, metric)
    return sum(point.energy_j.values()) / count if count else None


def _count(work: Work, metric: Metric) -> int | None:
    return work.requests if metric is Metric.J_PER_REQUEST else work.output_tokens
