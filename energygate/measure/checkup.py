"""Everything that `energygate doctor` finds out, in one value."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from energygate.clock import Clock
from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.measure.frequency import frequency_words
from energygate.measure.load import Load, load_average, load_between, sample, tree_cpu_s
from energygate.measure.lock import machine_lock
from energygate.measure.machine import Roots, describe_hardware
from energygate.measure.plausibility import doubtful_readings
from energygate.measure.preflight import Whereabouts, lasting_load, preflight, present_load
from energygate.measure.requirement import Requirement, TrialSettings
from energygate.meters.base import Window
from energygate.meters.diagnosis import Accuracy, Diagnosis, Finding, Probe
from energygate.meters.nvidia.library import bindings_fault
from energygate.meters.probing import meters_to_try, probe
from energygate.meters.rapl.cross_check import Agreement, cross_check, shadowed_tests
from energygate.meters.select import MeterOptions, make_meter

_SAME_COUNTER: Final = ("rapl", "pyrapl")
_WATCH_S: Final = 1.0
_SCRAPED: Final = 0.08  # of an interval: 95 % of simulated windows, at idle noise of 10 % (docs/measuring.md)
_BOUNDARY_S: Final = 0.5  # integrated power is the mean of the last second: half of it is from before a window


def check_up(
    options: MeterOptions,
    *,
    wanted: Sequence[str],
    allows_estimates: bool = False,
    trials: TrialSettings,
    roots: Roots,
    clock: Clock,
) -> Diagnosis:
    """Look at the machine, try each meter, and say what is to be mended.

    Parameters
    ----------
    wanted : sequence of str
        The meters that a run would open, as configured.
    allows_estimates : bool
        Whether numbers that are no measurement decide, as configured.
    trials : TrialSettings
        How long a trial is set to be.
    roots : Roots
        The kernel's files.
    """
    place = Whereabouts(roots=roots, host=options.host, environ=options.environ)
    busy = _taken(options.sysfs)
    load = _present_load(roots, clock)
    probes = probe(meters_to_try(options, wanted), options, wanted=wanted, sleep=clock.sleep)
    machine = describe_hardware(roots)
    probes, disagreement = _compared(probes, options, clock.sleep)
    found = Diagnosis(
        machine=machine,
        virtual_machine=options.host.virtual_machine,
        container=place.container,
        clock=frequency_words(roots.sysfs),
        load_average=load_average(roots.proc),
        load={"foreign": load.foreign, "pressure": load.pressure, "steal": load.steal},
        meters=tuple((each, accuracy(each, trials)) for each in probes),
        estimate=make_meter("estimate", replace(options, machine=machine.fingerprint)).domains[0].detail,
        wanted=tuple(wanted),
        allows_estimates=allows_estimates,
    )
    # Where nothing counts the whole machine, its load is in no number.
    crowded = any(each.counts_the_machine for each in found.opened)
    findings = (
        *busy,
        *disagreement,
        *(finding for each in probes for finding in doubtful_readings(each)),
        *preflight(roots, options.host, options.environ),
        *((*lasting_load(roots.proc), *present_load(load)) if crowded else ()),
        *_installation(),
    )
    return replace(found, findings=findings)


def _taken(sysfs: Path) -> tuple[Finding, ...]:
    """Whether another job measures here now."""
    try:
        with machine_lock(sysfs):
            return ()
    except MeterUnavailable as held:
        return (Finding(what=held.what, why=held.why, fix=held.fix, blocks=True),)


def _present_load(roots: Roots, clock: Clock) -> Load:
    before = sample(Window(), proc=roots.proc, clock=clock, own_s=tree_cpu_s)
    clock.sleep(_WATCH_S)
    return load_between(before, sample(Window(), proc=roots.proc, clock=clock, own_s=tree_cpu_s))


def accuracy(found: Probe, trials: TrialSettings) -> Accuracy | None:
    """The error that refreshes make at the ends of a trial (docs/measuring.md).

    sd = interval / (sqrt(6) T) for a counter that is read at once. Where a window waits for steps, all that is used
    between the end of the work and the next step is too much: at most an interval's, if no more is drawn then. Several
    GPUs step one after the other, so a window of one waits for the others at its start too.
    """
    if not found.usable or not found.domains:
        return None
    trial_s = Requirement.of(found.domains, trials).duration_s
    if found.kind == "integrated":
        return Accuracy(trial_s=trial_s, edge_error=_BOUNDARY_S / trial_s, at_most=True)
    refreshes = max(domain.update_interval_s for domain in found.domains) / trial_s
    if found.kind == "scraped":
        return Accuracy(trial_s=trial_s, edge_error=_SCRAPED * refreshes, at_most=True)
    if gpus := sum(domain.part == "gpu" for domain in found.domains):
        return Accuracy(trial_s=trial_s, edge_error=min(gpus, 2) * refreshes, at_most=True)
    return Accuracy(trial_s=trial_s, edge_error=refreshes / math.sqrt(6), at_most=False)


def _compared(
    probes: tuple[Probe, ...], options: MeterOptions, sleep: Callable[[float], None]
) -> tuple[tuple[Probe, ...], tuple[Finding, ...]]:
    """Compare rapl with pyrapl where both work."""
    if sum(each.usable for each in probes if each.name in _SAME_COUNTER) < len(_SAME_COUNTER):
        return probes, ()
    try:
        meters = (make_meter(name, options) for name in _SAME_COUNTER)
        agreement = cross_check(*meters, clock=options.clock, sleep=sleep)
    except (MeterUnavailable, MeasurementInvalid) as fault:
        what = f"rapl and pyrapl could not be compared: {fault}"
        return probes, (Finding(what=what, why="Two readers of one counter must agree.", fix="energygate doctor"),)
    return with_agreement(probes, agreement), ()


def with_agreement(probes: tuple[Probe, ...], agreement: Agreement) -> tuple[Probe, ...]:
    """Say that two readers of one counter agree; where they don't, nobody knows which is right: neither is usable."""
    if agreement.agrees:
        told = agreement.second
        return tuple(replace(e, notes=(*e.notes, agreement.sentence)) if e.name == told else e for e in probes)
    apart = Finding(what=agreement.sentence, why="", fix="")
    return tuple(replace(e, refusal=apart) if e.name in {agreement.first, agreement.second} else e for e in probes)


def _installation() -> tuple[Finding, ...]:
    """What is installed beside energygate and gets in its way; the sentences hold the fix."""
    sentences = (bindings_fault(), shadowed_tests() if find_spec("pyRAPL") is not None else None)
    return tuple(Finding(what=sentence, why="", fix="") for sentence in sentences if sentence is not None)
