"""What is known of each exporter: which of its series may be added to each other.

Read in their sources: node_exporter's rapl collector and procfs, Kepler 0.10 and 0.7, Scaphandre, and dcgm-exporter
(docs/measuring.md).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from energygate.meters.scraped.scrapes import Unscrapable
from energygate.meters.scraped.shown import shown
from energygate.meters.scraped.source import SOCKETS, Labels, Source, make_source

_PACKAGE: Final = re.compile(r"package-(\d+)(?:-die-(\d+))?")
_ZONE: Final = re.compile(r"(?:.*/)?(intel-rapl:[0-9a-f]+)")
_CHILD: Final = re.compile(r"(?:.*/)?(intel-rapl:[0-9a-f]+):[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of an exporter.

    Attributes
    ----------
    metrics : str
        A regular expression of the names of its counters.
    find : callable
        Picks the series that may be added. Raises Unscrapable where they would mislead.
    prompt : bool
        Whether it reads its counters when it is scraped; if not, a value may be as old as its refresh interval.
    slow : str
        What to do where its counters stand still or are refreshed too seldom.
    shares : frozenset of str
        Which shares make a domain whole; empty where one series alone may.
    """

    metrics: str
    find: Callable[[Sequence[Labels]], Iterable[Source]]
    prompt: bool
    slow: str
    shares: frozenset[str] = frozenset()


def _node_exporter(found: Sequence[Labels]) -> Iterator[Source]:
    zones = [(_zone(dict(labels)), dict(labels), labels) for labels in found]
    if any("path" not in known for _, known, _ in zones):
        raise Unscrapable(
            "The series of node_exporter have no label `path`: without it the package is counted twice on client "
            "processors, whose intel-rapl-mmio repeats it.",
            fix="Use node_exporter 1.3 or newer, and keep the label.",
        )
    packages: dict[tuple[str, str], tuple[str, str]] = {}  # package and die of a zone, by instance and the zone's path
    for zone, known, labels in zones:
        if (package := _PACKAGE.fullmatch(zone)) and (path := _ZONE.fullmatch(known["path"])):
            packages[known.get("instance", ""), path[1]] = (package[1], package[2] or "")
            share = "" if package[2] is None else f"die {package[2]}"
            yield make_source(labels, f"package-{package[1]}", "J", share=share, detail=path[1])
    for zone, known, labels in zones:
        # `index` only says the how manieth dram it is; which package it belongs to is in the path.
        path = _CHILD.fullmatch(known["path"])
        if zone == "dram" and path and (parent := packages.get((known.get("instance", ""), path[1]))):
            share = f"die {parent[1]}" if parent[1] else ""
            yield make_source(labels, f"dram-{parent[0]}", "J", share=share, detail=known["path"].rpartition("/")[2])


def _zone(known: Mapping[str, str]) -> str:
    """The zone's name as the kernel writes it: `package-0-die-1`, `dram`."""
    metric = known.get("__name__", "")
    zone = known.get("rapl_zone") or metric.removeprefix("node_rapl_").removesuffix("_joules_total")
    zone = zone.replace("_", "-")
    return f"package-{known.get('index', '')}" if zone == "package" else zone


def _kepler(found: Sequence[Labels]) -> Iterator[Source]:
    for labels in found:
        known = dict(labels)
        metric, zone = known.get("__name__", ""), known.get("zone", "")
        if metric == "kepler_node_gpu_joules_total":
            yield make_source(labels, f"gpu-{known.get('gpu', '')}", "J", detail=known.get("gpu_uuid", ""))
        elif zone in {"package", "dram"}:  # core and uncore are inside the package, psys around it
            share = "active" if metric == "kepler_node_cpu_active_joules_total" else "idle"
            detail = known.get("path", "") if share == "active" else ""
            yield make_source(labels, f"{zone}-0", "J", share=share, detail=detail, sockets=SOCKETS)


def _kepler_legacy(found: Sequence[Labels]) -> Iterator[Source]:
    for labels in found:
        known = dict(labels)
        kind = known.get("__name__", "").removeprefix("kepler_node_").removesuffix("_joules_total")
        yield make_source(labels, f"{kind}-{known.get('package', '')}", "J", share=known.get("mode", ""))


def _scaphandre(found: Sequence[Labels]) -> Iterator[Source]:
    for labels in found:
        known = dict(labels)
        socket = known.get("socket_id", "")
        if known.get("__name__") == "scaph_socket_energy_microjoules":
            yield make_source(labels, f"package-{socket}", "uJ")
        elif known.get("domain_name") == "dram":
            yield make_source(labels, f"dram-{socket}", "uJ")


def _dcgm(found: Sequence[Labels]) -> Iterator[Source]:
    for labels in found:
        known = dict(labels)
        if known.get("GPU_I_ID"):
            raise Unscrapable(
                f"GPU {shown(known.get('gpu', ''))} is in MIG mode, and its counter is the board's, not a slice's.",
                fix="Switch MIG off: `nvidia-smi -mig 0`.",
            )
        detail = " ".join(known[name] for name in ("modelName", "UUID") if name in known)
        yield make_source(labels, f"gpu-{known.get('gpu', '')}", "mJ", detail=detail)


_BY_HAND: Final = "Look at it in the exporter's own /metrics."
PRESETS: Final[Mapping[str, Preset]] = {
    "node_exporter": Preset(
        metrics="node_rapl_(package|dram|package_[0-9]+_die_[0-9]+)_joules_total|node_rapl_joules_total",
        find=_node_exporter,
        prompt=True,
        slow=_BY_HAND,
    ),
    "kepler": Preset(
        metrics="kepler_node_cpu_(active|idle)_joules_total|kepler_node_gpu_joules_total",
        find=_kepler,
        prompt=False,  # it reads again when what it has is older than 0.5 s
        slow=_BY_HAND,
        shares=frozenset({"active", "idle"}),
    ),
    "kepler-legacy": Preset(
        metrics="kepler_node_(package|dram|gpu)_joules_total",
        find=_kepler_legacy,
        prompt=False,
        slow=_BY_HAND,
        shares=frozenset({"dynamic", "idle"}),
    ),
    "scaphandre": Preset(
        metrics="scaph_(socket|domain)_energy_microjoules",
        find=_scaphandre,
        prompt=False,
        slow="Scaphandre refreshes its values only when nobody has asked for 2 s: set scrape_interval to 5 s.",
    ),
    "dcgm": Preset(
        metrics="DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
        find=_dcgm,
        prompt=False,
        slow="dcgm-exporter collects every 30 s: start it with `--collect-interval=1000`.",
    ),
}
