"""GitLab's Code Quality report: what fails the build, what got dearer, and what is suspected to.

A list of findings, each with `description`, `check_name`, `fingerprint`, `severity` and `location`
(https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format). GitLab compares the fingerprints with
those of the target branch, so they hold nothing that differs from run to run.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from energygate.model import GateReport, Location, Outcome, Row
from energygate.report.annotations import explanation, place_of
from energygate.report.failing import failing, unexplained
from energygate.report.rows import WORDS, lines
from energygate.workloads.text import printable

_SETTINGS: Final = Location(file="energygate.yml", line=1)
_DEARER: Final = frozenset({Outcome.OVER_LIMIT, Outcome.REGRESSED})
_LONGEST: Final = 4000


def render_codequality(report: GateReport) -> bytes:
    """Render the findings, worst first; an empty list where there is none."""
    return msgspec.json.format(msgspec.json.encode(list(_findings(report))), indent=2) + b"\n"


def _findings(report: GateReport) -> Iterator[dict[str, Any]]:
    fails = failing(report)
    if sentence := unexplained(report):
        yield _finding(sentence, check="failed", key=(), severity="critical", place=_SETTINGS)
    for row in (line.row for line in lines(report)):
        severity = _severity(row, fails)
        if severity:
            yield _finding(
                f"{WORDS[row.outcome]}: {explanation(report, row)}",
                check=row.outcome.value,
                key=(row.benchmark, row.metric.value, row.how, row.anchor),
                severity=severity,
                place=place_of(row),
            )


def _severity(row: Row, fails: frozenset[Outcome]) -> str:
    """Give how bad it is; empty for what is no finding."""
    if row.outcome in fails:
        return "critical"
    return "major" if row.outcome in _DEARER else "minor" if row.outcome is Outcome.SUSPECT else ""


def _finding(text: str, *, check: str, key: tuple[str, ...], severity: str, place: Location) -> dict[str, Any]:
    return {
        "description": printable(text, limit=_LONGEST),
        "check_name": f"energygate/{check}",
        "fingerprint": hashlib.sha256("\0".join([check, *key]).encode(errors="surrogatepass")).hexdigest(),
        "severity": severity,
        "location": {"path": place.file, "lines": {"begin": place.line}},
    }
