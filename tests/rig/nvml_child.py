"""Drives the NVML meters by commands on stdin, a line each, and answers each with one line of JSON.

A child process, because the library path must be set before it starts. What is raised is answered as
{"raised": class, "text": message}.
"""

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import msgspec
from rig.contract import CHECKS

from energygate.errors import EnergyGateError
from energygate.meters.base import Window
from energygate.meters.host import Host
from energygate.meters.nvidia.integrated import NvmlPower
from energygate.meters.nvidia.nvml import Nvml
from energygate.meters.nvidia.processes import Kinship
from energygate.meters.options import NvmlOptions
from energygate.meters.probing import probe
from energygate.meters.select import MeterOptions, open_meters

SYSFS = Path(sys.argv[1])
HOST = Host(cpuinfo=Path(sys.argv[2]), sysfs=Path(sys.argv[2]).parent, devices=SYSFS / "dev", container_marks=())
METERS = {"nvml": Nvml, "nvml-power": NvmlPower}

# Whatever runs the tests, also a container: its pid namespace is as the machine's first.
kinship = Kinship(first_namespace=str(Path("/proc/self/ns/pid").readlink()))
meter = Nvml(kinship=kinship)
options = MeterOptions(sysfs=SYSFS, host=HOST, environ={}, kinship=kinship)
window = Window()
starts = []
children = []


def domains():
    return [[d.name, d.part, d.update_interval_s, d.resolution_j, d.detail] for d in meter.domains]


def choose(kind, given="{}", **environ):
    """`choose nvml {"gpus":"all"} {"CUDA_VISIBLE_DEVICES":"0"}`: another meter for the commands that follow."""
    global meter, options  # noqa: PLW0603  a program with one meter
    nvml = msgspec.json.decode(given, type=NvmlOptions)
    options = MeterOptions(sysfs=SYSFS, host=HOST, nvml=nvml, environ=environ, kinship=kinship)
    meter = METERS[kind](nvml, environ=environ, kinship=kinship)


def contained(kind="nvml"):
    """From now on this process is in another pid namespace than the machine's first."""
    global kinship  # noqa: PLW0603  a program in one namespace
    kinship = Kinship(first_namespace="pid:[0]")
    choose(kind)


def measured():
    found = meter.end(starts.pop())
    return {
        "energy_j": dict(found.energy_j),
        "conditions": dict(found.conditions),
        "fault": None if found.fault is None else str(found.fault),
        "notes": found.notes,
    }


def spend(seconds):
    time.sleep(float(seconds))


def wait_until(happened):
    """Wait for what another thread does."""
    give_up_s = time.monotonic() + 30.0
    while not happened() and time.monotonic() < give_up_s:
        time.sleep(0.01)
    return happened()


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("energygate")]


def work_for(*pids):
    """Name processes outside of our tree that do the work of the windows that follow."""
    global window  # noqa: PLW0603  a program with one window
    window = Window(pids=tuple(int(pid) for pid in pids))


def start_child():
    children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    return children[-1].pid


def hardware():
    return [dict(meter.hardware.hard), dict(meter.hardware.soft), list(meter.notes)]


def energy(*names):
    opened = open_meters(names, options)
    with opened.group as group:
        used_j = group.end(group.begin(Window())).energy_j
        kinds = {info.name: info.kind for info in group.infos}
    return [dict(used_j), kinds, *opened.notes]


def auto():
    used_j, _, *notes = energy("auto")
    return [used_j, *notes]


def check(name, kind="nvml"):
    CHECKS[name](METERS[kind](NvmlOptions(integrate_power=kind == "nvml-power"), kinship=kinship))
    return "kept"


def in_a_fork(*words):
    """Run a command in a process that is forked now, and answer what it answers."""
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork beside the keep-alive thread is what is tried
        pid = os.fork()
    if pid == 0:
        with os.fdopen(write, "w") as answers:
            answers.write(json.dumps(answer(*words)))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        told = json.load(answers)
    os.waitpid(pid, 0)
    return told


COMMANDS = {
    "choose": lambda kind, given="{}", environ="{}": choose(kind, given, **json.loads(environ)),
    "open": lambda: meter.open() or domains(),
    "hardware": hardware,
    "constants": lambda: dict(meter.constants),
    "shortest": lambda: [domain.shortest_window_s for domain in meter.domains],
    "begin": lambda: starts.append(meter.begin(window)),
    "end": lambda: dict(meter.end(starts.pop()).energy_j),
    "begun_here": lambda: meter.end(meter.begin(window)),
    "measured": measured,
    "spend": spend,
    "work_for": work_for,
    "pid": os.getpid,
    "threads": threads,
    "no_threads": lambda: wait_until(lambda: not threads()),
    "glanced": lambda: wait_until(lambda: bool(starts[-1].before.glances)),
    "start_child": start_child,
    "close": meter.close,
    "energy": energy,
    "auto": auto,
    "check": check,
    "fork": in_a_fork,
    "contained": contained,
    "probe": lambda *names: [
        [p.name, p.usable, dict(p.power_w), p.refusal.what if p.refusal else p.absent]
        for p in probe(names, options, seconds=0.2)
    ],
}


def answer(word, *arguments):
    try:
        return COMMANDS[word](*arguments)
    except EnergyGateError as error:
        return {"raised": type(error).__name__, "text": str(error)}


for line in sys.stdin:
    print(json.dumps(answer(*line.split())), flush=True)  # noqa: T201  a program's answer

meter.close()
for child in children:
    child.communicate()
