"""Drives `pyrapl` or `codecarbon` by commands on stdin, a line each, and answers each with one line of JSON.

    python adapter_child.py METER SYSFS CPUINFO [virtual=allow]

A child process, because the libraries live in an environment of their own: pyRAPL brings a package `tests`. What is
raised is answered as {"raised": class, "text": message}.
"""

import json
import logging
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

from rig.contract import CHECKS

from energygate.errors import EnergyGateError
from energygate.meters.base import Window
from energygate.meters.codecarbon import CodeCarbon
from energygate.meters.group import MeterGroup
from energygate.meters.host import Host
from energygate.meters.options import RaplOptions
from energygate.meters.rapl.cross_check import cross_check, shadowed_tests
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.rapl.pyrapl import PyRapl

name, sysfs, cpuinfo, *more = sys.argv[1:]
options = RaplOptions(**dict(word.split("=") for word in more))
own_sysfs = Path("/sys" if "hypervisor" in Path(cpuinfo).read_text() else cpuinfo)
host = Host(cpuinfo=Path(cpuinfo), sysfs=own_sysfs, container_marks=(), user="runner")
touched = []  # what this process wrote to or spoke with


def audit(event, arguments):
    writes = event == "open" and isinstance(arguments[0], str) and isinstance(arguments[1], str)
    if writes and set(arguments[1]) & set("wax+") and arguments[0] != "/dev/null":
        touched.append(f"{event} {arguments[0]}")
    elif event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        touched.append(f"{event} {arguments[-1]}")


def rapl():
    return Powercap(Path(sysfs), host=host, options=options)


def make():
    return PyRapl(Path(sysfs), host=host, options=options) if name == "pyrapl" else CodeCarbon()


def described():
    return [[d.name, d.part, d.update_interval_s, d.resolution_j, d.detail] for d in meter.domains]


def check(which):
    CHECKS[which](make())
    return "kept"


def compare(seconds):
    found = cross_check(rapl(), make(), seconds=float(seconds))
    return [found.agrees, sorted(found.ratios)]


def beside_rapl():
    other = rapl()
    other.open()
    try:
        MeterGroup([other, meter])
    finally:
        other.close()


def alive():
    """Threads that have not ended after a while."""
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    for thread in others:
        thread.join(timeout=5)
    return [thread.name for thread in others if thread.is_alive()]


def held():
    """Descriptors, threads, handlers of the root logger: what a meter could leave behind."""
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return [descriptors, sorted(thread.name for thread in threading.enumerate()), repr(logging.root.handlers)]


meter = make()
starts = []
COMMANDS = {
    "open": lambda: meter.open() or described(),
    "begin": lambda: starts.append(meter.begin(Window())),
    "end": lambda: dict(meter.end(starts.pop()).energy_j),
    "close": meter.close,
    "say": lambda: [meter.kind, dict(meter.constants), list(meter.notes)],
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "check": check,
    "cross_check": compare,
    "beside_rapl": beside_rapl,
    "shadowed_tests": shadowed_tests,
    "alive": alive,
    "held": held,
    "version": version,
    "touched": lambda: touched,
}

sys.addaudithook(audit)
for line in sys.stdin:
    try:
        word, *arguments = line.split()
        answer = COMMANDS[word](*arguments)
    except EnergyGateError as error:
        answer = {"raised": type(error).__name__, "text": str(error)}
    print(json.dumps(answer), flush=True)  # noqa: T201  a program's answer
