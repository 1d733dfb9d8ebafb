"""Trying each meter, for `energygate doctor`."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from typing import Final

from energygate.errors import InvalidCode, MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Meter, Window
from energygate.meters.diagnosis import Finding, Probe
from energygate.meters.nvidia.library import NoDriver
from energygate.meters.nvidia.refusals import NoGpuForThisMeter
from energygate.meters.select import MeterOptions, make_meter, with_power

# Of these a reading is dear or says nothing: a scrape is seldom, and CodeCarbon adds seconds of its own work.
_OPENED_ONLY: Final = frozenset({"prometheus", "codecarbon"})
_LIBRARIES: Final = {"pyrapl": "pyRAPL", "codecarbon": "codecarbon"}


def meters_to_try(options: MeterOptions, wanted: Sequence[str]) -> tuple[str, ...]:
    """Name the meters that doctor speaks of: rapl and nvml always, others where they are set up or asked for."""
    there = {name for name, library in _LIBRARIES.items() if find_spec(library) is not None}
    if options.prometheus is not None:
        there.add("prometheus")
    others = [name for name in ("pyrapl", "prometheus", "codecarbon") if name in there or name in wanted]
    return with_power(("rapl", "nvml", *others), options)


def probe(
    names: Sequence[str],
    options: MeterOptions,
    *,
    wanted: Sequence[str] = (),
    seconds: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Probe, ...]:
    """Try each of these meters, with a live reading over `seconds` where that is cheap.

    Parameters
    ----------
    wanted : sequence of str
        The meters that are asked for by name: that there is nothing for one of them to measure is then a fault.
    """
    tried = [_probe(make_meter(name, options), options, wanted, seconds=seconds, sleep=sleep) for name in names]
    return tuple(each for each in tried if each is not None)


def _probe(
    meter: Meter, options: MeterOptions, wanted: Sequence[str], *, seconds: float, sleep: Callable[[float], None]
) -> Probe | None:
    """None where another meter has all that this one could measure."""
    with ExitStack() as opened:
        try:
            meter.open()
        except NoGpuForThisMeter:
            return None
        except MeterUnavailable as error:
            return _refused(meter, error, options, wanted)
        opened.callback(meter.close)
        known = Probe(name=meter.name, kind=meter.kind, domains=meter.domains, notes=meter.notes)
        return known if meter.name in _OPENED_ONLY else _read(known, meter, options.clock, seconds=seconds, sleep=sleep)


def _refused(meter: Meter, error: MeterUnavailable, options: MeterOptions, wanted: Sequence[str]) -> Probe:
    if isinstance(error, NoDriver) and "nvml" not in wanted and not options.host.has_nvidia_gpu:
        return Probe(name=meter.name, kind=meter.kind, absent="no NVIDIA GPU here")
    refusal = Finding(what=error.what, why=error.why, fix=error.fix)
    return Probe(name=meter.name, kind=meter.kind, refusal=refusal)


def _read(
    known: Probe, meter: Meter, clock: Callable[[], float], *, seconds: float, sleep: Callable[[float], None]
) -> Probe:
    try:
        start = meter.begin(Window())
        sleep(seconds)
        elapsed_s = clock() - start.at_s
        measured = meter.end(start)
    except MeasurementInvalid as fault:
        return replace(known, refusal=_no_reading(fault))
    # A GPU's window waits for its counter at both ends: the meter itself knows over how long.
    means_w = {domain: found.get("power_mean_w") for domain, found in measured.conditions.items()}
    power_w = {domain: means_w.get(domain) or used_j / elapsed_s for domain, used_j in measured.energy_j.items()}
    known = replace(known, power_w=power_w, conditions=measured.conditions)
    doubt = measured.fault
    if doubt is None or doubt.code is InvalidCode.TOO_SHORT:  # it is short on purpose
        return known
    return replace(known, refusal=_no_reading(doubt))


def _no_reading(fault: MeasurementInvalid) -> Finding:
    return Finding(
        what=fault.sentence,
        why="A trial would be invalid for the same reason.",
        fix=f"See `{fault.code}` in docs/measuring.md.",
    )
