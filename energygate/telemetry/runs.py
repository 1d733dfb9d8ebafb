"""What is exported, run by run: a trace and a resource stand for one run that was measured."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from energygate.model import Evidence, GateReport, Point, Row, Side

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_NS: Final = 10**9
_WITH_BASELINE: Final = frozenset({"stored", "interleaved"})
SideName = Literal["base", "head"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run measured of one benchmark.

    Attributes
    ----------
    row : Row or None
        The comparison that decided, where it rests on this run as its head.
    """

    evidence: Evidence
    side: Side
    row: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """One run.

    Attributes
    ----------
    name : {"base", "head"}
        Which side of the comparison it is.
    in_turns : bool
        Whether its trials alternated with those of the other side.
    """

    run_id: str
    commit: str | None
    at: dt.datetime
    name: SideName
    in_turns: bool
    benchmarks: tuple[Measured, ...]

    @property
    def begin_ns(self) -> int:
        """When it began, in nanoseconds since 1970."""
        return (self.at - _EPOCH) // _MICROSECOND * 1000

    @property
    def end_ns(self) -> int:
        """When the last of its trials ended."""
        ends = [self.span_ns(point)[1] for each in self.benchmarks for point in each.side.points]
        return max([self.begin_ns, *ends])

    def span_ns(self, point: Point) -> tuple[int, int]:
        """When a trial began and ended."""
        begin_ns = self.begin_ns + round(point.started_s * _NS)
        return begin_ns, begin_ns + round(point.duration_s * _NS)


def measured_runs(report: GateReport) -> tuple[MeasuredRun, ...]:
    """Sort a report's evidence by the run that it comes from: the judged run first."""
    found: dict[tuple[str, SideName, bool], list[Measured]] = {}
    decided = {(row.benchmark, row.metric): row for row in report.comparisons if row.how in _WITH_BASELINE}
    for evidence in report.evidence:
        row = decided.get((evidence.benchmark, evidence.metric))
        for name, in_turns, side in _sides(evidence):
            is_judged = name == "head" and row is not None and (row.how == "interleaved") is in_turns
            measured = Measured(evidence=evidence, side=side, row=row if is_judged else None)
            found.setdefault((side.run_id, name, in_turns), []).append(measured)
    return tuple(_run(key, each) for key, each in sorted(found.items(), key=lambda item: item[0][2]))


def _sides(evidence: Evidence) -> Iterator[tuple[SideName, bool, Side]]:
    if evidence.head is not None:
        yield "head", False, evidence.head
    if evidence.turns is not None:
        base, head = evidence.turns
        yield "head", True, head
        yield "base", True, base


def _run(key: tuple[str, SideName, bool], measured: list[Measured]) -> MeasuredRun:
    run_id, name, in_turns = key
    first = measured[0].side
    return MeasuredRun(
        run_id=run_id, commit=first.commit, at=first.at, name=name, in_turns=in_turns, benchmarks=tuple(measured)
    )
