"""Drives the NVML meter by commands on stdin, a line each, and answers each with one line of JSON.

A child process, because the library path must be set before it starts. What is raised is answered as
{"raised": class, "text": message}.
"""

import json
import sys
from pathlib import Path

from rig.contract import CHECKS

from energygate.errors import EnergyGateError
from energygate.meters.base import Window
from energygate.meters.host import Host
from energygate.meters.nvml import Nvml
from energygate.meters.select import MeterOptions, open_meters, probe

meter = Nvml()
starts = []
options = MeterOptions(
    sysfs=Path(sys.argv[1]), host=Host(cpuinfo=Path(sys.argv[2]), sysfs=Path(sys.argv[2]).parent, container_marks=())
)


def domains():
    return [[d.name, d.part, d.update_interval_s, d.resolution_j, d.detail] for d in meter.domains]


def auto():
    opened = open_meters(["auto"], options)
    with opened.group as group:
        used_j = group.end(group.begin(Window())).energy_j
    return [dict(used_j), *opened.notes]


def check(name):
    CHECKS[name](Nvml())
    return "kept"


COMMANDS = {
    "open": lambda: meter.open() or domains(),
    "begin": lambda: starts.append(meter.begin(Window())),
    "end": lambda: dict(meter.end(starts.pop()).energy_j),
    "close": meter.close,
    "auto": auto,
    "check": check,
    "probe": lambda: [[p.name, p.usable, dict(p.power_w), p.what] for p in probe(options, seconds=0.2)],
}

for line in sys.stdin:
    try:
        word, *arguments = line.split()
        answer = COMMANDS[word](*arguments)
    except EnergyGateError as error:
        answer = {"raised": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201  a program's answer
