"""One meter as a process of its own, driven by meters_vs_peers.py over its standard streams, a JSON line an answer.

    python peer_contestant.py NAME METERS      METERS: rapl or nvml

It runs in that meter's own environment, so it imports nothing else. Each is used as its documentation shows first.
Domains have energygate's names where they are the same thing; `everything` is their sum, and a `None` is one that the
meter gives.

    begin    begins a window, and says when it had begun
    end      says when, and ends the window
    time N   begins and ends N windows: the nanoseconds of each
"""

import json
import logging
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Energies = Mapping[str, float | None]


class Meter(NamedTuple):
    """How a window begins and how it ends, in joules by domain; `extra` is what else it says."""

    begin: Callable[[], object]
    end: Callable[[], Energies]
    extra: Callable[[], str] = lambda: ""


def energygate(meters: str) -> Meter:
    """Give our public interface."""
    import energygate  # noqa: PLC0415  only in its own environment, as all that follow
    from energygate.meters.base import Window  # noqa: PLC0415

    group, window, readings = energygate.open_meters(meters), Window(), []

    def end() -> Energies:
        return group.end(readings.pop()).energy_j

    return Meter(lambda: readings.append(group.begin(window)), end)


def pyrapl(_: str) -> Meter:
    """Give pyRAPL's Measurement."""
    import pyRAPL  # noqa: PLC0415

    pyRAPL.setup()
    measurement = pyRAPL.Measurement("window")

    def end() -> Energies:
        measurement.end()
        result = measurement.result
        return {
            f"{part}-{socket}": energy_uj / 1e6
            for part, energies_uj in (("package", result.pkg), ("dram", result.dram))
            for socket, energy_uj in enumerate(energies_uj or ())
        } | ({"package": None} if result.pkg is None else {})

    def divided() -> str:
        try:
            return f"; / 10 gives {(measurement.result / 10).pkg}"
        except TypeError as error:
            return f"; / 10 raises TypeError ({error})"

    return Meter(measurement.begin, end, divided)


def pyjoules(_: str) -> Meter:
    """Give pyJoules' EnergyMeter over every device that it finds."""
    from pyJoules.device import DeviceFactory  # noqa: PLC0415
    from pyJoules.energy_meter import EnergyMeter  # noqa: PLC0415

    meter = EnergyMeter(DeviceFactory.create_devices())

    def end() -> Energies:
        meter.stop()
        energies = meter.get_trace()[0].energy
        gpus = {f"gpu-{name[11:]}": mj / 1e3 for name, mj in energies.items() if name.startswith("nvidia_gpu_")}
        rest = {name: uj / 1e6 for name, uj in energies.items() if not name.startswith("nvidia_gpu_")}
        return {name.replace("_", "-"): energy_j for name, energy_j in rest.items()} | gpus

    return Meter(meter.start, end)


def zeus(_: str) -> Meter:
    """Give Zeus' monitor. Its GPUs are not synchronised: there is no framework here that queues work on them."""
    from zeus.monitor import ZeusMonitor  # noqa: PLC0415

    monitor = ZeusMonitor()
    ended: list[Any] = []

    def end() -> Energies:
        ended.append(monitor.end_window("window", sync_execution=False))
        found = {"package": ended[-1].cpu_energy, "dram": ended[-1].dram_energy, "gpu": ended[-1].gpu_energy}
        energies = {f"{part}-{i}": used_j for part, used in found.items() for i, used_j in (used or {}).items()}
        return energies or {"everything": None}

    return Meter(
        lambda: monitor.begin_window("window", sync_execution=False),
        end,
        lambda: f"; total_energy {ended[-1].total_energy:.1f}",
    )


def codecarbon(_: str) -> Meter:
    """Give CodeCarbon's offline tracker, asked for DRAM, and for a reading each second."""
    from codecarbon import OfflineEmissionsTracker  # noqa: PLC0415

    trackers: list[Any] = []

    def begin() -> None:
        trackers.append(
            OfflineEmissionsTracker(
                country_iso_code="USA",
                output_methods=[],
                log_level="critical",
                measure_power_secs=1,
                rapl_include_dram=True,
            )
        )
        trackers[-1].start()

    def end() -> Energies:
        trackers[-1].stop()
        data = trackers[-1].final_emissions_data
        gpu = {"gpu-0": data.gpu_energy * 3.6e6} if data.gpu_count else {}
        return gpu or {"everything": data.cpu_energy * 3.6e6}

    def extra() -> str:
        way = " by a model of the load," if "Cpu Load" in repr(trackers[-1]._hardware) else ""  # noqa: SLF001
        return f",{way} and {trackers[-1].final_emissions_data.ram_energy * 3.6e6:.0f} for RAM, by a constant"

    begin()  # the first looks for the hardware, which takes a second
    end()
    return Meter(begin, end, extra)


def landauer(_: str) -> Meter:
    """Give the in-process session of landauer-gap."""
    import joules  # noqa: PLC0415

    session = joules.Session()
    phases: list[str] = []

    def end() -> Energies:
        used: defaultdict[str, float] = defaultdict(float)
        for name, used_j in session.end(phases.pop())["devices"].items():
            used[_landauer_name(name)] += used_j
        return dict(used)

    return Meter(lambda: phases.append(session.begin("window")), end)


def _landauer_name(name: str) -> str:
    if name.startswith(("CPU package ", "package-")):
        return f"package-{re.search(r'[0-9]+', name)[0]}"  # its dies are added
    if name.startswith("DRAM (package "):
        return f"dram-{name.rpartition(' ')[2].rstrip(')')}"
    return f"gpu-{name.split(' ')[1]}" if name.startswith("GPU ") else name


METERS = {
    "energygate": energygate,
    "pyRAPL": pyrapl,
    "pyJoules": pyjoules,
    "Zeus": zeus,
    "CodeCarbon": codecarbon,
    "landauer-gap": landauer,
}


def durations_ns(meter: Meter, count: int) -> list[int]:
    """Duration of each of `count` windows, in nanoseconds."""
    spent_ns = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        meter.begin()
        meter.end()
        spent_ns.append(time.perf_counter_ns() - began_ns)
    return spent_ns


def answer(meter: Meter, line: str) -> Any:
    """Do what a line asks for."""
    word, *arguments = line.split()
    if word == "begin":
        called_s = time.monotonic()
        meter.begin()
        at_s = time.monotonic()
        return {"at_s": at_s, "took_s": at_s - called_s}
    if word == "end":
        at_s = time.monotonic()
        energies = meter.end()
        took_s = time.monotonic() - at_s
        return {"at_s": at_s, "took_s": took_s, "energy_j": dict(energies), "extra": meter.extra()}
    return durations_ns(meter, int(arguments[0]))


def attempt(do: Callable[[], Any]) -> tuple[Any, Any]:
    """Give what it gives, or its exception as an answer: a peer may raise anything."""
    try:
        return do(), None
    except Exception as error:  # noqa: BLE001  what a peer raises is a finding
        return None, {"raised": type(error).__name__, "text": str(error)}


def main(name: str, meters: str) -> None:
    """Answer until standard input ends; what the meter prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # whatever a meter writes is not kept
        meter, refusal = attempt(lambda: METERS[name](meters))
        print(json.dumps(refusal or "ready"), file=answers, flush=True)
        for line in sys.stdin:
            found, fault = attempt(lambda: answer(meter, line)) if meter else (None, refusal)  # noqa: B023
            print(json.dumps(fault or found), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
