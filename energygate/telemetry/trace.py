"""A run as a trace: its trials under their benchmark, its benchmarks under the run.

Ids follow from the run's id, so that a report that is sent twice is the same trace.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from energygate.model import GateReport
from energygate.telemetry import attributes
from energygate.telemetry.attributes import Attributes
from energygate.telemetry.runs import Measured, MeasuredRun
from energygate.workloads.text import printable

_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span.

    Attributes
    ----------
    parent : bytes
        Empty for the root.
    fault : str
        Makes its status an error; empty where there is none.
    """

    trace: bytes
    id: bytes
    parent: bytes
    name: str
    begin_ns: int
    end_ns: int
    attributes: Attributes
    fault: str = ""


def spans_of(report: GateReport, run: MeasuredRun) -> tuple[Span, ...]:
    """Give the spans of one run, parents first."""
    key = f"{run.run_id}/{run.name}/{run.in_turns}"
    root = Span(
        trace=_id(key, _TRACE_BYTES),
        id=_id(f"{key}/run", _SPAN_BYTES),
        parent=b"",
        name="energygate run",
        begin_ns=run.begin_ns,
        end_ns=run.end_ns,
        attributes=attributes.of_run(report, run),
    )
    return (root, *(span for measured in run.benchmarks for span in _of_benchmark(report, run, measured, root)))


def _of_benchmark(report: GateReport, run: MeasuredRun, measured: Measured, root: Span) -> Iterator[Span]:
    times = [run.span_ns(point) for point in measured.side.points] or [(run.begin_ns, run.begin_ns)]
    name, row = measured.evidence.benchmark, measured.row
    own = Span(
        trace=root.trace,
        id=_id(f"{root.id.hex()}/{name}", _SPAN_BYTES),
        parent=root.id,
        name=printable(name),
        begin_ns=min(begin_ns for begin_ns, _ in times),
        end_ns=max(end_ns for _, end_ns in times),
        attributes=attributes.of_benchmark(report, run, measured),
        fault=row.outcome if row is not None and row.outcome in report.policy.fail_on else "",
    )
    yield own
    yield from (_of_trial(run, measured, index, own) for index in range(len(measured.side.points)))


def _of_trial(run: MeasuredRun, measured: Measured, index: int, parent: Span) -> Span:
    point = measured.side.points[index]
    begin_ns, end_ns = run.span_ns(point)
    return Span(
        trace=parent.trace,
        id=_id(f"{parent.id.hex()}/{index}", _SPAN_BYTES),
        parent=parent.id,
        name="trial",
        begin_ns=begin_ns,
        end_ns=end_ns,
        attributes=attributes.of_trial(measured, index, point),
        fault=attributes.invalid_code(point) or "",
    )


def _id(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size).digest()
