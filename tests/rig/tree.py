"""What a powercap tree holds: everything that readers of it walk through, not only the counters.

CodeCarbon walks class/powercap/intel-rapl/subsystem, pyRAPL intel-rapl/intel-rapl:N, perun the flat links.
"""

import os
from dataclasses import dataclass
from pathlib import PurePath

from rig.layouts import POWERCAP
from rig.zone import Zone

FLAT = "class/powercap"
LIMIT_UW = 125_000_000


@dataclass(frozen=True)
class Folder:
    pass


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Text:
    text: str
    mode: int = 0o444


@dataclass(frozen=True)
class Energy:
    zone: Zone


@dataclass(frozen=True)
class Range:
    zone: Zone


Node = Folder | Link | Text | Energy | Range


def nodes(zones: list[Zone]) -> dict[str, Node]:
    """Every path below the sysfs root, parents first, and what is there."""
    found: dict[str, Node] = {}
    for folder in [FLAT, *(zone.path for zone in zones)]:
        found |= {str(parent): Folder() for parent in reversed(PurePath(folder).parents[:-1])} | {folder: Folder()}
    for path in [path for path in found if str(PurePath(path).parent) == POWERCAP]:
        found |= _device(path)
    for zone in zones:
        found |= _device(zone.path) | _zone(zone)
    return found


def _device(path: str) -> dict[str, Node]:
    """What the kernel's device model gives a control type and a zone alike."""
    # The flat view holds links to everything, control types and children alike: a reader must not count twice.
    return {
        f"{FLAT}/{PurePath(path).name}": Link(os.path.relpath(path, FLAT)),
        f"{path}/subsystem": Link(os.path.relpath(FLAT, path)),
        f"{path}/enabled": Text("1\n", 0o644),
        f"{path}/uevent": Text("", 0o644),
    }


def _zone(zone: Zone) -> dict[str, Node]:
    found: dict[str, Node] = {
        f"{zone.path}/device": Link(f"../../{PurePath(zone.path).parent.name}"),
        f"{zone.path}/name": Text(f"{zone.name}\n"),
        f"{zone.path}/max_energy_range_uj": Range(zone),
        f"{zone.path}/energy_uj": Energy(zone),
    }
    limits = ("long_term", "short_term") if zone.name.startswith("package") else ("long_term",)
    for i, name in enumerate(limits):
        constraint = f"{zone.path}/constraint_{i}_"
        found[f"{constraint}name"] = Text(f"{name}\n")
        found[f"{constraint}power_limit_uw"] = Text(f"{LIMIT_UW}\n", 0o644)
        found[f"{constraint}time_window_us"] = Text("999424\n", 0o644)
        found[f"{constraint}max_power_uw"] = Text(f"{LIMIT_UW}\n")
    return found
