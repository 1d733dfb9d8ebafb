"""Which machine this is. Runs of different hard keys are not compared; soft keys are noted where they differ.

Every path lies below the sysfs root, except /proc and the root folder: all are arguments. What the kernel does not say
is null.
"""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from msgspec import structs

from energygate.measure import facts
from energygate.measure.cpu_settings import CpuSettings
from energygate.meters.base import Hardware
from energygate.meters.kernel_files import read_text
from energygate.model import Machine

PROTOCOL = 1  # raised when the procedure of trials changes what is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where the kernel's files are mounted, and where a container runtime leaves its mark."""

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")
    root: Path = Path("/")


def describe_machine(roots: Roots, *, meters: Mapping[str, Any], hardware: Hardware | None = None) -> Machine:
    """Read the hard and soft keys.

    Parameters
    ----------
    meters : mapping
        What the meters contribute: name, kind, domains and constants of each. Readings of different meters
        don't compare.
    hardware : Hardware, optional
        What they know of the hardware: the GPUs, say.
    """
    known = hardware or Hardware()
    entries = facts.cpu_entries(roots.proc)
    hard: dict[str, Any] = {
        "arch": platform.machine(),
        "cpu": facts.cpu_keys(entries),
        **facts.topology(roots.sysfs),
        "memory_gib": facts.memory_gib(roots.proc),
        "cpufreq_driver": facts.cpufreq_driver(roots.sysfs),
        **CpuSettings(roots.sysfs).read(),
        "virtual": facts.virtual(roots.sysfs, roots.proc),
        "gpus": [],
        "gpu_driver": None,
        "meters": dict(meters),
        "protocol": PROTOCOL,
        **known.hard,
    }
    soft = {
        "host": platform.node(),
        "kernel": platform.release(),
        "kernel_parameters": facts.kernel_parameters(roots.proc),
        "microcode": facts.first(entries, "microcode"),
        "stepping": facts.first(entries, "stepping", "CPU revision"),
        "bios": read_text(roots.sysfs / "class/dmi/id/bios_version"),
        "clocksource": read_text(roots.sysfs / "devices/system/clocksource/clocksource0/current_clocksource"),
        "huge_pages": facts.huge_pages(roots.sysfs),
        "container": facts.container(roots.root),
        "python": platform.python_version(),
        "energygate": version("energygate"),
        **known.soft,
    }
    name = facts.model_name(entries, roots.proc) or platform.machine()
    gpus = tuple(gpu["model"] for gpu in hard["gpus"])
    return Machine(fingerprint=_fingerprint(hard), label=_label(name, hard["sockets"], gpus), hard=hard, soft=soft)


def describe_hardware(roots: Roots) -> Machine:
    """Read the same whatever measures, with the fingerprint that a calibration of the estimate is of.

    Power limits are in the keys and not in that fingerprint: they are read beside the counters, and the estimate is for
    jobs that see neither.
    """
    machine = describe_machine(roots, meters={})
    always = {key: value for key, value in machine.hard.items() if key != "power_limits_w"}
    return structs.replace(machine, fingerprint=_fingerprint(always))


def _fingerprint(hard: Mapping[str, Any]) -> str:
    canonical = json.dumps(hard, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _label(name: str, sockets: int | None, gpus: tuple[str, ...]) -> str:
    """Give a slug for people: `amd-epyc-7763-2s-4x-nvidia-h100`."""
    model = re.sub(r"\(r\)|\(tm\)|\bcpu\b|processor|@.*|\d+-core", "", name.lower())
    parts = [model.strip() or platform.machine(), f"{sockets or 1}s"]
    parts += [f"{gpus.count(gpu)}x {gpu}" for gpu in sorted(set(gpus))]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
