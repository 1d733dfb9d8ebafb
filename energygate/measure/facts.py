"""What the kernel says of the machine: one fact a function, None where it does not say."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from energygate.measure.cpu_settings import distinct
from energygate.meters.host import Host
from energygate.meters.kernel_files import read_number, read_text

Entries = tuple[Mapping[str, str], ...]

# ARM's kernel has other names for them, and gives numbers alone.
_CPU_KEYS: Final = {
    "vendor": ("vendor_id", "CPU implementer"),
    "model_name": ("model name",),
    "family": ("cpu family", "CPU architecture"),
    "model": ("model", "CPU part"),
}
_CPU: Final = "devices/system/cpu"
_PARAMETER: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_VALUE: Final = re.compile(r"[\w.,:;+-]{0,80}", re.ASCII)
# Those that change what work costs. Any other may hold a secret.
_KNOWN: Final = re.compile(
    r"mitigations|nosmt|maxcpus|nr_cpus|isolcpus|nohz|nohz_full|rcu_nocbs|idle|preempt|clocksource|tsc|pcie_aspm"
    r"|nopti|pti|nospectre_v1|nospectre_v2|spectre_v2|spectre_v2_user|spec_store_bypass_disable|l1tf|mds|tsx"
    r"|tsx_async_abort|mmio_stale_data|retbleed|srbds|gather_data_sampling|reg_file_data_sampling"
    r"|spec_rstack_overflow|intel_pstate|amd_pstate|intel_idle\.max_cstate|processor\.max_cstate|cpuidle\.off"
    r"|cpuidle\.governor|cpufreq\.off|cpufreq\.default_governor|transparent_hugepage|numa_balancing"
)
_CONTAINERS: Final = {".dockerenv": "docker", "run/.containerenv": "podman"}


def cpu_entries(proc: Path) -> Entries:
    """The entries of /proc/cpuinfo, one a processor."""
    try:
        text = (proc / "cpuinfo").read_bytes().decode(errors="replace")
    except OSError:
        return ()
    blocks = (block for block in text.split("\n\n") if block.strip())
    return tuple({key.strip(): value.strip() for key, value in _pairs(block)} for block in blocks)


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            yield key, value


def cpu_keys(entries: Entries) -> dict[str, str | None]:
    """Vendor, model name, family and model; all of them where the cores differ (ARM's big and little ones)."""
    return {key: _of_all(entries, names) for key, names in _CPU_KEYS.items()}


def _of_all(entries: Entries, names: tuple[str, ...]) -> str | None:
    values = (next((entry[name] for name in names if entry.get(name)), None) for entry in entries)
    return ", ".join(sorted({value for value in values if value})) or None


def first(entries: Entries, *names: str) -> str | None:
    """What the first processor has under the first of these names that it has."""
    return next((value for entry in entries[:1] for name in names if (value := entry.get(name))), None)


def topology(sysfs: Path) -> dict[str, Any]:
    """Sockets, cores, which threads, SMT: of the processors that are online, the others have no topology."""
    folders = [cpu for cpu in (sysfs / _CPU).glob("cpu[0-9]*/topology") if cpu.is_dir()]
    # Dies of one package may number their cores alike. An ARM kernel without the table says -1: it does not know.
    ids = [
        tuple(read_number(folder / name) for name in ("physical_package_id", "die_id", "core_id")) for folder in folders
    ]
    known = {(package, die, core) for package, die, core in ids if package is not None and package >= 0}
    return {
        "sockets": len({package for package, _, _ in known}) or None,
        "cores": len({place for place in known if place[2] is not None}) or None,
        "threads": read_text(sysfs / _CPU / "online"),
        "smt": _switch(read_text(sysfs / _CPU / "smt/active")),
    }


def _switch(text: str | None) -> bool | None:
    return {"0": False, "1": True}.get(text or "")


def memory_gib(proc: Path) -> int | None:
    """Give the installed memory: that is whole GiB, from 32 on of 8, and a kernel shows what it leaves of them."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", read_text(proc / "meminfo") or "", re.MULTILINE)
    if found is None:
        return None
    gib = math.ceil(int(found[1]) / 2**20)
    return math.ceil(gib / 8) * 8 if gib > 32 else gib


def cpufreq_driver(sysfs: Path) -> list[str] | None:
    """Which drivers set the clock."""
    return distinct((sysfs / _CPU / "cpufreq").glob("policy*/scaling_driver"))


def virtual(sysfs: Path, proc: Path) -> str:
    """`none` on bare metal, else the hypervisor's name for this machine, or `unknown`."""
    machine = Host(cpuinfo=proc / "cpuinfo", sysfs=sysfs).virtual_machine
    hypervisor = read_text(sysfs / "hypervisor/type")
    if machine is None and hypervisor is None:
        return "none"
    dmi = (read_text(sysfs / "class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return " ".join(text for text in dmi if text) or hypervisor or "unknown"


def container(root: Path) -> str | None:
    """Which container runtime left its mark in the root folder."""
    marked = next((name for mark, name in _CONTAINERS.items() if (root / mark).exists()), None)
    return marked or read_text(root / "run/systemd/container") or None


def kernel_parameters(proc: Path) -> list[str] | None:
    """Boot parameters that change what work costs. No others: a command line may hold secrets."""
    line = read_text(proc / "cmdline")
    if line is None:
        return None
    found = (_parameter(word) for word in _PARAMETER.findall(line.partition(" -- ")[0]))
    return sorted({parameter for parameter in found if parameter})


def _parameter(word: str) -> str:
    name, _, value = word.partition("=")
    if not _KNOWN.fullmatch(name.replace("-", "_")):  # the kernel reads both the same
        return ""
    return word if _VALUE.fullmatch(value) else name


def huge_pages(sysfs: Path) -> str | None:
    """Which transparent huge pages are used: the word in brackets of `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", read_text(sysfs / "kernel/mm/transparent_hugepage/enabled") or "")
    return found[1] if found else None


def model_name(entries: Entries, proc: Path) -> str | None:
    """What to call the processor: its name, else the board's (device tree), else ARM's numbers."""
    board = (read_text(proc / "device-tree/model") or "").strip("\0 ")
    implementer, part = (first(entries, name) for name in ("CPU implementer", "CPU part"))
    return first(entries, "model name") or board or (f"arm {implementer} {part}" if implementer else None)
