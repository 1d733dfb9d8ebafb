"""What stands above the table: the verdict, how it came about, and what has to be said first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from energygate.model import POLICY_CHANGE, GateReport, Outcome, count_outcomes
from energygate.report import rows
from energygate.units import format_percent

_SHORT: Final = 12
_SIGNS: Final = {"failed": "\N{CROSS MARK}", "inconclusive": "?", "passed": "\N{HEAVY CHECK MARK}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many benchmarks have an outcome, in words; `fails` where policy fails on it."""

    outcome: Outcome
    words: str
    fails: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The first screen.

    Attributes
    ----------
    word, headline, closing : str
        The verdict in a word, in a sentence, and as a terminal's last line says it.
    doubts : tuple of str
        In capitals: what the numbers are where they are no measurement.
    """

    verdict: str
    sign: str
    word: str
    headline: str
    closing: str
    counts: tuple[Count, ...]
    how: str
    against: str
    budget: str
    doubts: tuple[str, ...]
    policy_changes: tuple[str, ...]
    warnings: tuple[str, ...]


def opening(report: GateReport) -> Opening:
    """Give the first screen of a report."""
    headline, how = rows.headline(report), rows.provenance(report.meters)
    policy = tuple(warning for warning in report.warnings if warning.startswith(POLICY_CHANGE))
    return Opening(
        verdict=report.verdict,
        sign=_SIGNS[report.verdict],
        word=report.verdict,
        headline=headline,
        closing=rows.closing_line(report),
        counts=tuple(_counts(report)),
        how=f"{how} on {report.machine.label}",
        against=f"head {commit(report.head.commit)} against {_bases(report)}",
        budget=f"budget {format_percent(report.policy.budget)}",
        doubts=tuple(rows.doubt(label) for label in rows.labels(report)),
        policy_changes=policy,
        warnings=tuple(warning for warning in report.warnings if warning not in policy),
    )


def commit(name: str | None) -> str:
    """Show a commit in 12 digits."""
    return "without a commit" if name is None else name[:_SHORT]


def _counts(report: GateReport) -> Iterator[Count]:
    for name, n in count_outcomes(report.comparisons).items():
        outcome = Outcome(name)
        yield Count(outcome=outcome, words=f"{n} {rows.WORDS[outcome]}", fails=name in report.policy.fail_on)


def _bases(report: GateReport) -> str:
    """What the head was compared with: a base that was measured in turns with it, or stored runs."""
    runs = len(report.baseline.runs)
    stored = f"{runs} stored run{'' if runs == 1 else 's'}"
    if report.base is not None:
        screened = f", screened by {stored}" if runs else ""
        return f"base {commit(report.base.commit)}, measured in turns with it{screened}"
    if report.baseline.how == "interleaved":
        return f"base {commit(next(iter(report.baseline.commits), None))}, measured in turns with it"
    if not runs:
        return (
            "no stored session"
            if report.baseline.store is None
            else f"no stored session of {report.baseline.store.name}"
        )
    return f"{stored}{rows.alone(report)}"
