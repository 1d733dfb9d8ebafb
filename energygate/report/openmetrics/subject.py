"""What is said of: names that are fit to be label values, and different where the benchmarks are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count

from energygate.model import GateReport, Row
from energygate.report import rows
from energygate.report.rows import Line
from energygate.workloads.text import printable

_AGAINST = {"limit": "limit", "anchor": "anchor"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A report, and how its parts are called in labels."""

    report: GateReport

    @cached_property
    def benchmarks(self) -> Mapping[str, str]:
        """What stands in the label `benchmark`, by the benchmark's name."""
        return distinct(row.benchmark for row in self.report.comparisons)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The rows that compare with a baseline, each with what stands beside it."""
        return tuple(line for line in rows.lines(self.report) if line.row.how not in _AGAINST)

    @property
    def repository(self) -> str:
        """Whose benchmarks these are; empty where that is unknown."""
        return printable(self.report.head.repository or "")

    def labels(self, row: Row, **more: str) -> dict[str, str]:
        """Give a row's labels, and others."""
        known = {
            "repository": self.repository,
            "benchmark": self.benchmarks[row.benchmark],
            "metric": row.metric.value,
            "against": _AGAINST.get(row.how, "baseline"),
            "anchor": printable(row.anchor),
            "reading": self.reading(row),
        }
        return known | more

    def reading(self, row: Row) -> str:
        """How its numbers came about."""
        return reading(self.report, row)


def reading(report: GateReport, row: Row) -> str:
    """How a row's numbers came about, in a word: no estimate may look like a measurement."""
    if row.estimated:
        return row.label or "estimate"
    return "replay" if any(meter.kind == "replay" for meter in report.meters) else "measured"


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Give each name as one printable line, numbered where that of another one is the same."""
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        shown = printable(name) or "(empty)"
        numbered = (f"{shown} ({number})" for number in count(2))
        taken = set(found.values())
        found[name] = next(each for each in chain([shown], numbered) if each not in taken)
    return found
