"""What fails the build, as formats that know only `passed`, `skipped` and `failed` have to say it."""

from typing import Final

from energygate.model import GateReport, Outcome
from energygate.report.rows import closing_line

PROVEN: Final = frozenset({Outcome.PASS, Outcome.IMPROVED})


def failing(report: GateReport) -> frozenset[Outcome]:
    """Give the outcomes that fail this build: those of its policy that were found.

    A build may fail with none of them, because nothing valid was measured at all: then it is what has no proof that
    fails it.
    """
    found = frozenset(row.outcome for row in report.comparisons)
    named = frozenset(outcome for outcome in found if outcome in report.policy.fail_on)
    return named if named or report.verdict != "failed" else found - PROVEN


def unexplained(report: GateReport) -> str:
    """Give a sentence for what no row stands for: a report without rows, or a failure with none that fails."""
    is_explained = bool(failing(report)) or (report.verdict != "failed" and bool(report.comparisons))
    return "" if is_explained else closing_line(report)
