"""The metrics of a run as a whole: what was measured, with what, and the verdict."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

from energygate.model import count_outcomes
from energygate.report.openmetrics.exposition import Family, Sample
from energygate.report.openmetrics.subject import Subject
from energygate.workloads.text import printable

RUN_INFO: Final = Family(
    name="energygate_run_info",
    labels=("repository", "branch", "commit", "base_commit", "run_id", "machine", "fingerprint", "version"),
    help="The run that was judged. Always 1.",
)
RUN_START: Final = Family(
    name="energygate_run_start_timestamp_seconds",
    labels=("repository",),
    help="When the run began, in seconds since 1970.",
    unit="seconds",
)
METER_INFO: Final = Family(
    name="energygate_meter_info",
    labels=("repository", "meter", "kind", "domains"),
    help="A meter that measured, and the domains that it counted. Always 1.",
)
VERDICT: Final = Family(
    name="energygate_verdict",
    labels=("repository", "verdict"),
    help="The verdict on the run: failed, inconclusive or passed. Always 1; the others are absent.",
)
EXIT_CODE: Final = Family(
    name="energygate_exit_code", labels=("repository",), help="The exit code that the verdict stands for."
)
BENCHMARKS: Final = Family(
    name="energygate_benchmarks",
    labels=("repository", "outcome"),
    help="How many benchmarks have an outcome; an outcome that none has is absent.",
)
_RUN_ID: Final = re.compile(r"(?P<began>[0-9]{8}T[0-9]{6})Z-[0-9a-f]{10}")


def run_info(subject: Subject) -> Iterator[Sample]:
    """Say which run this is."""
    report = subject.report
    known = {
        "branch": report.head.branch,
        "commit": report.head.commit,
        "base_commit": None if report.base is None else report.base.commit,
        "run_id": report.head.run_id,
        "machine": report.machine.label,
        "fingerprint": report.machine.fingerprint,
        "version": report.tool.get("energygate"),
    }
    yield _one(subject, **{name: printable(value or "") for name, value in known.items()})


def run_start(subject: Subject) -> Iterator[Sample]:
    """Say when the run began: its id has it."""
    began_s = _began_s(subject.report.head.run_id)
    if began_s is not None:
        yield Sample(value=began_s, labels={"repository": subject.repository})


def meter_info(subject: Subject) -> Iterator[Sample]:
    """Say what measured."""
    for meter in subject.report.meters:
        domains = printable(", ".join(meter.domains))
        yield _one(subject, meter=printable(meter.name), kind=meter.kind, domains=domains)


def verdict(subject: Subject) -> Iterator[Sample]:
    """Say how it came out."""
    yield _one(subject, verdict=subject.report.verdict)


def exit_code(subject: Subject) -> Iterator[Sample]:
    """Say the same as a number."""
    yield Sample(value=subject.report.exit_code, labels={"repository": subject.repository})


def benchmarks(subject: Subject) -> Iterator[Sample]:
    """Count the benchmarks by outcome."""
    for outcome, count in count_outcomes(subject.report.comparisons).items():
        yield Sample(value=count, labels={"repository": subject.repository, "outcome": outcome})


def _one(subject: Subject, **labels: str) -> Sample:
    return Sample(value=1, labels={"repository": subject.repository} | labels)


def _began_s(run_id: str) -> int | None:
    found = _RUN_ID.fullmatch(run_id)
    if found is None:
        return None
    try:
        return int(dt.datetime.strptime(f"{found['began']}+0000", "%Y%m%dT%H%M%S%z").timestamp())
    except ValueError:  # digits that are no time: a report may say anything
        return None
