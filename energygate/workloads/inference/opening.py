"""What is found out about a server before anything is measured: its model, its kind, and how it wants to be asked."""

from dataclasses import dataclass

from energygate.errors import ConfigError, MeasurementInvalid, WorkloadError
from energygate.workloads.inference.asking import Asking
from energygate.workloads.inference.client import HttpClient
from energygate.workloads.inference.counters import Unavailable
from energygate.workloads.inference.loading import StillLoading
from energygate.workloads.inference.model_check import check_listed
from energygate.workloads.inference.plan import Plan
from energygate.workloads.inference.presets import PRESETS, Preset, Switches, detected, switches
from energygate.workloads.inference.probe import Probed, probe
from energygate.workloads.inference.reading import Because
from energygate.workloads.inference.served import Served
from energygate.workloads.text import ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An endpoint that answers.

    Attributes
    ----------
    owner : str or None
        Who owns the model, as the server names itself: not fit to be shown.
    has_counters : bool
        Whether it counts tokens itself.
    """

    owner: str | None
    has_counters: bool
    probed: Probed


def open_endpoint(plan: Plan, http: HttpClient, url: str, *, because: Because) -> Opened:
    """Check the model, choose preset and switches, send the first request. Raises WorkloadError, StillLoading."""
    endpoint = plan.suite.endpoint
    owner = check_listed(http, url, suite=plan.name, model=endpoint.model, show=plan.show)
    preset = detected(owner) if endpoint.preset == "auto" else PRESETS[endpoint.preset]
    asking = Asking(plan=plan, http=http, url=url, preset=preset, switches=_switches(plan, preset))
    has_counters = _has_counters(asking)
    probed = probe(asking, has_counters=has_counters, because=because)
    return Opened(owner=owner, has_counters=has_counters, probed=probed)


def _switches(plan: Plan, preset: Preset) -> Switches:
    try:
        return switches(plan.suite, preset)
    except ConfigError as fault:
        raise WorkloadError(f"{plan.name}: {fault.what}", why=fault.why, fix=fault.fix) from fault


def _has_counters(asking: Asking) -> bool:
    """Whether the server counts tokens itself, which `tokens.source: counters` needs. Raises WorkloadError."""
    plan = asking.plan
    try:
        counts = Served(asking).counts()
    except MeasurementInvalid as fault:
        kind = StillLoading if isinstance(fault, Unavailable) else WorkloadError
        raise kind(f"{plan.name}: {ended(fault.sentence)}") from fault
    found = counts is not None and counts.output_tokens is not None
    if plan.suite.tokens.source == "counters" and not found:
        raise WorkloadError(
            f"{plan.name}: tokens.source: the server shows no counters at /metrics.",
            why="Joules per token would be unknown.",
            fix="Start it with them (llama.cpp: --metrics, SGLang: --enable-metrics), or use usage.",
        )
    return found
