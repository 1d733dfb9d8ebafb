"""With what, where and against what a report was measured, in sentences: what a reader asks who doubts it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from energygate.model import GateReport, MeterInfo
from energygate.report import rows
from energygate.units import format_percent

_MEMORY: Final = "memory_gib"
_COUNTED: Final = {"sockets": "socket", "cores": "core", _MEMORY: "GiB"}
_NAMED: Final = {"governor": "governor", "epp": "energy preference", "gpu_driver": "GPU driver"}


def background(report: GateReport) -> Iterator[str]:
    """Give the meters, the machine, both sides and the policy."""
    yield from (meter_sentence(meter) for meter in report.meters)
    known = ", ".join(_facts(report.machine.hard))
    yield f"machine: {report.machine.label} ({report.machine.fingerprint}){f': {known}' if known else ''}"
    yield f"head: run {report.head.run_id}, {_commit(report.head.commit)}"
    yield from _base(report)
    yield _policy(report)


def meter_sentence(meter: MeterInfo) -> str:
    """Say what a meter reads, and how finely."""
    detail = f"; {meter.detail}" if meter.detail else ""
    return f"meter: {meter.name} ({meter.kind}): {', '.join(meter.domains)}{rows.fineness(meter)}{detail}"


def _facts(hard: Mapping[str, Any]) -> Iterator[str]:
    """Give what is known of the machine and of use to a person."""
    cpu = hard.get("cpu")
    if isinstance(cpu, Mapping) and cpu.get("model_name"):
        yield str(cpu["model_name"])
    for key, unit in _COUNTED.items():
        if (count := hard.get(key)) is not None:
            yield f"{count} {unit}{'s' if key != _MEMORY and count != 1 else ''}"
    yield from (f"{words} {hard[key]}" for key, words in _NAMED.items() if hard.get(key) is not None)


def _base(report: GateReport) -> Iterator[str]:
    if report.base is not None:
        yield f"base, measured in turns: run {report.base.run_id}, {_commit(report.base.commit)}"
    said = "base" if report.base is None else "screened by"
    count = len(report.baseline.runs)
    stored = f"{count or 'no'} stored run{'' if count == 1 else 's'}"
    in_turns = report.base is None and report.baseline.how == "interleaved"
    runs = ", ".join(report.baseline.runs)
    yield f"{said}: {'measured in turns' if in_turns else stored}{f': {runs}' if runs else ''}"
    commits = dict.fromkeys(commit[:12] for commit in report.baseline.commits)  # a run may have none
    if commits:
        yield f"commits of the base: {', '.join(commits)}"


def _policy(report: GateReport) -> str:
    policy = report.policy
    shares = {"budget": policy.budget, "smallest effect": policy.min_effect, "false alarms": policy.false_alarms}
    said = ", ".join(f"{name} {format_percent(share)}" for name, share in shares.items())
    fails = ", ".join(outcome.replace("_", " ") for outcome in policy.fail_on) or "nothing"
    return f"policy: {said}, adjusted by {policy.adjust}; fails on {fails}"


def _commit(commit: str | None) -> str:
    return "no commit" if commit is None else f"commit {commit[:12]}"
