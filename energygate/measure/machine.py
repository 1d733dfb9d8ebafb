"""Which machine this is. Runs of different hard keys are not compared; soft keys are noted where they differ.

Every path lies below the sysfs root, except /proc, which is a root of its own: both are arguments.
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

from energygate.model import Machine

PROTOCOL = 1  # raised when the procedure of trials changes what is measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where the kernel's files are mounted."""

    sysfs: Path = Path("/sys")
    proc: Path = Path("/proc")


def describe_machine(roots: Roots, *, meters: Mapping[str, Any], gpus: tuple[str, ...] = ()) -> Machine:
    """Read the hard and soft keys.

    Parameters
    ----------
    meters : mapping
        What the meters contribute: name, kind, domains and constants of each. Readings of different meters
        don't compare.
    gpus : tuple of str
        Model of each GPU that is measured.
    """
    cpu = _cpu(roots.proc)
    topology = _topology(roots.sysfs)
    hard: dict[str, Any] = {
        "arch": platform.machine(),
        "cpu": {key: cpu.get(name) for key, name in _CPU_KEYS.items()},
        **topology,
        "memory_gib": _memory_gib(roots.proc),
        **_cpufreq(roots.sysfs),
        "power_limits_w": _power_limits_w(roots.sysfs),
        "virtual": _virtual(roots.sysfs, cpu),
        "gpus": list(gpus),
        "meters": dict(meters),
        "protocol": PROTOCOL,
    }
    soft = {
        "host": platform.node(),
        "kernel": platform.release(),
        "microcode": cpu.get("microcode"),
        "stepping": cpu.get("stepping"),
        "bios": _text(roots.sysfs / "class/dmi/id/bios_version"),
        "clocksource": _text(roots.sysfs / "devices/system/clocksource/clocksource0/current_clocksource"),
        "python": platform.python_version(),
        "energygate": version("energygate"),
    }
    return Machine(fingerprint=_fingerprint(hard), label=_label(cpu, topology["sockets"], gpus), hard=hard, soft=soft)


_CPU_KEYS = {"vendor": "vendor_id", "model_name": "model name", "family": "cpu family", "model": "model"}


def _fingerprint(hard: Mapping[str, Any]) -> str:
    canonical = json.dumps(hard, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _text(path: Path) -> str | None:
    """Give the file's content, or None where this kernel or user has no such file: absence is a fact, not a fault."""
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _integer(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text is not None and text.isdecimal() else None


def _cpu(proc: Path) -> dict[str, str]:
    """Give the first processor's entries of /proc/cpuinfo."""
    first = (_text(proc / "cpuinfo") or "").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _topology(sysfs: Path) -> dict[str, Any]:
    folder = sysfs / "devices/system/cpu"
    places = {
        (_integer(cpu / "physical_package_id"), _integer(cpu / "core_id")) for cpu in folder.glob("cpu[0-9]*/topology")
    }
    return {
        "sockets": len({socket for socket, _ in places}) or None,
        "cores": len(places) or None,
        "threads": _text(folder / "online"),
        "smt": _text(folder / "smt/active"),
    }


def _memory_gib(proc: Path) -> int | None:
    """Give the total memory, rounded so that a kernel that reserves a little more stays the same machine."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", _text(proc / "meminfo") or "", re.MULTILINE)
    if found is None:
        return None
    gib = int(found[1]) / 2**20
    return round(gib / 8) * 8 if gib >= 32 else round(gib)


def _cpufreq(sysfs: Path) -> dict[str, Any]:
    folder = sysfs / "devices/system/cpu"

    def values(name: str) -> list[str]:
        return sorted({text for path in folder.glob(f"cpufreq/policy*/{name}") if (text := _text(path))})

    no_turbo = _text(folder / "intel_pstate/no_turbo")
    return {
        "governor": values("scaling_governor"),
        "cpufreq_driver": values("scaling_driver"),
        "epp": values("energy_performance_preference"),
        "turbo": {"0": "1", "1": "0"}.get(no_turbo or "", _text(folder / "cpufreq/boost")),
    }


def _power_limits_w(sysfs: Path) -> list[int]:
    zones = (sysfs / "class/powercap").glob("intel-rapl:*")
    packages = sorted(zone for zone in zones if (_text(zone / "name") or "").startswith("package"))
    limits = (_integer(zone / f"constraint_{i}_power_limit_uw") for zone in packages for i in (0, 1))
    return [round(limit / 1e6) for limit in limits if limit is not None]


def _virtual(sysfs: Path, cpu: Mapping[str, str]) -> str:
    if "hypervisor" not in cpu.get("flags", "").split() and _text(sysfs / "hypervisor/type") is None:
        return "none"
    dmi = (_text(sysfs / "class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return " ".join(text for text in dmi if text) or _text(sysfs / "hypervisor/type") or "unknown"


def _label(cpu: Mapping[str, str], sockets: int | None, gpus: tuple[str, ...]) -> str:
    """Give a slug for people: `amd-epyc-7763-2s-4x-nvidia-h100`."""
    model = re.sub(r"\(r\)|\(tm\)|\bcpu\b|processor|@.*|\d+-core", "", cpu.get("model name", "").lower())
    parts = [model.strip() or platform.machine(), f"{sockets or 1}s"]
    parts += [f"{gpus.count(gpu)}x {gpu}" for gpu in sorted(set(gpus))]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
