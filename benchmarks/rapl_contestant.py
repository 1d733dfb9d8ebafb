"""One reader of RAPL as a process of its own, driven by rapl_window.py over its standard streams.

It first ends one window when told to and says how many joules it saw. Then each line that it reads is a number of
windows, and the answer is the duration of each in nanoseconds, by the way of measuring.

It runs in the reader's own virtual environment, so it imports nothing of energygate unless that is the reader.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple

SETTLING = 20  # windows after each turn of another process that do not count


class Contestant(NamedTuple):
    """Ways to measure one window, and one that gives its joules."""

    windows: Mapping[str, Callable[[], object]]
    begin: Callable[[], Any]
    end_j: Callable[[Any], float]


def energygate(sysfs: str) -> Contestant:
    """Our meter of powercap zones, and the group that measures trials with it."""
    from energygate.meters.base import Window  # noqa: PLC0415  only in our own environment
    from energygate.meters.group import MeterGroup  # noqa: PLC0415
    from energygate.meters.rapl.powercap import Powercap  # noqa: PLC0415

    meter = Powercap(Path(sysfs))
    meter.open()
    group, window = MeterGroup([meter]), Window()
    return Contestant(
        windows={
            "energygate MeterGroup.begin, end": lambda: group.end(group.begin(window)),
            "energygate Powercap.begin, end": lambda: meter.end(meter.begin(window)),
        },
        begin=lambda: group.begin(window),
        end_j=lambda start: sum(group.end(start).energy_j.values()),
    )


def pyrapl(_: str) -> Contestant:
    """PyRAPL, which knows no tree but /sys."""
    logging.disable()  # it warns of outputs whose libraries are not there
    import pyRAPL  # noqa: PLC0415  only in its own environment

    pyRAPL.setup()
    measurement, sensor = pyRAPL.Measurement("window"), pyRAPL.Sensor()

    def pair() -> None:
        measurement.begin()
        measurement.end()

    def twice() -> None:
        sensor.energy()
        sensor.energy()

    return Contestant(
        windows={"pyRAPL Measurement.begin, end": pair, "pyRAPL Sensor.energy, twice": twice},
        begin=sensor.energy,
        end_j=lambda start_uj: sum(sensor.energy() - start_uj) / 1e6,
    )


def durations_ns(window: Callable[[], object], count: int) -> list[int]:
    """Duration of each of `count` windows, in nanoseconds."""
    for _ in range(SETTLING):
        window()
    spent_ns = []
    for _ in range(count):
        began_ns = perf_counter_ns()
        window()
        spent_ns.append(perf_counter_ns() - began_ns)
    return spent_ns


def main(reader: str, sysfs: str) -> None:
    """Answer until standard input ends."""
    contestant = {"energygate": energygate, "pyrapl": pyrapl}[reader](sysfs)
    start = contestant.begin()
    print("begun", flush=True)
    sys.stdin.readline()
    print(contestant.end_j(start), flush=True)
    for line in sys.stdin:
        spent_ns = {name: durations_ns(window, int(line)) for name, window in contestant.windows.items()}
        print(json.dumps(spent_ns), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
