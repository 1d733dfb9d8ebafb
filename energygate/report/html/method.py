"""How the numbers were measured and judged: policy, meters, machine, runs."""

from collections.abc import Iterator
from dataclasses import dataclass

from energygate.model import GateReport, MeterInfo
from energygate.report.html.machine import keys, moved, surroundings
from energygate.report.html.opening import commit
from energygate.report.scope import decides, not_seen, tested
from energygate.report.terms import assumptions
from energygate.units import format_percent, format_quantity

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Everything that a reader needs who wants to check or repeat it.

    Attributes
    ----------
    moved : tuple of str
        In what the machine differs from that of the base, which `other` names.
    """

    policy: Pairs
    meters: tuple[tuple[str, ...], ...]
    hard: Pairs
    soft: Pairs
    machine: str
    moved: tuple[str, ...]
    other: str
    runs: Pairs
    notes: tuple[str, ...]
    terms: tuple[str, ...]


def method(report: GateReport) -> Method:
    """Say how a report came about."""
    machine = report.machine
    return Method(
        policy=tuple(_policy(report)),
        meters=tuple(_meter(meter) for meter in report.meters),
        hard=keys(machine.hard),
        soft=keys(machine.soft),
        machine=f"{surroundings(machine)} (fingerprint {machine.fingerprint})",
        moved=moved(report),
        other="the base, measured in turns" if report.baseline.how == "interleaved" else "the newest stored run",
        runs=tuple(_runs(report)),
        notes=report.notes,
        terms=assumptions(report),
    )


def _policy(report: GateReport) -> Iterator[tuple[str, str]]:
    policy = report.policy
    yield "budget", f"{format_percent(policy.budget)}: an increase proven smaller passes"
    yield "smallest effect", f"{format_percent(policy.min_effect)}: an increase estimated smaller never fails"
    level = format_percent(policy.false_alarms)
    yield "test", f"{tested(report)}, one-sided, adjusted by {policy.adjust} at {level}"
    yield "fails on", ", ".join(policy.fail_on) or "nothing"
    yield "energy", decides(report)
    yield "not in the figures", f"because no meter here covers it: {not_seen(report)}"


def _meter(meter: MeterInfo) -> tuple[str, ...]:
    every = format_quantity(meter.update_interval_s, "s") if meter.update_interval_s else ""
    steps = format_quantity(meter.resolution_j, "J") if meter.resolution_j else ""
    return meter.name, meter.kind, ", ".join(meter.domains), every, steps, meter.detail


def _runs(report: GateReport) -> Iterator[tuple[str, str]]:
    yield "head", f"{report.head.run_id}, commit {commit(report.head.commit)}"
    if report.base is not None:
        yield "base, measured in turns", f"{report.base.run_id}, commit {commit(report.base.commit)}"
    what = "base, measured in turns" if report.baseline.how == "interleaved" else "stored runs"
    yield what, ", ".join(report.baseline.runs) or "none"
    yield from sorted(report.tool.items())
