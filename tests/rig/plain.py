"""The powercap tree as ordinary files.

A test writes values itself, or moves a `FakeClock` and lets the machine's counters follow. As a program it refreshes
the files from the real clock until it is told to stop:

    python plain.py DIR LAYOUT PERIOD_S      commands on stdin, one a line, each answered by `done`:
                                             power ZONE WATTS | wrap_in ZONE SECONDS      ZONE as in intel-rapl:0

Values are written in place with a fixed width, so that no reader sees an empty or a torn number. It costs about a tenth
of a core at 1 kHz. Files carry the caller as owner.
"""

import os
import select
import sys
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rig.machine import POWERCAP, Machine, Zone

WIDTH = 12  # digits of the largest range, 262143328850


class FakeClock:
    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class PlainTree:
    """A sysfs root for one machine; `close` gives its descriptors back."""

    def __init__(self, root: Path, machine: Machine) -> None:
        self.root = root
        self.machine = machine
        self._make_tree()
        self._held = [(os.open(self.energy_file(zone), os.O_WRONLY), zone) for zone in machine.zones]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor, _zone in self._held:
            os.close(descriptor)

    def energy_file(self, zone: Zone | str) -> Path:
        found = self.machine.zone(zone) if isinstance(zone, str) else zone
        return self.root / found.path / "energy_uj"

    def refresh(self) -> None:
        """Let every counter show the machine's present."""
        for descriptor, zone in self._held:
            os.pwrite(descriptor, _number(self.machine.raw_uj(zone)), 0)

    def pass_time(self, seconds: float) -> None:
        """Move the fake clock, and the counters with it."""
        self.machine.clock.sleep(seconds)
        self.refresh()

    def write(self, zone: str, energy_uj: int) -> None:
        """Let a counter show this value."""
        descriptor = next(held for held, z in self._held if z is self.machine.zone(zone))
        os.pwrite(descriptor, _number(energy_uj), 0)

    def _make_tree(self) -> None:
        flat = self.root / "class/powercap"
        flat.mkdir(parents=True)
        for zone in self.machine.zones:
            folder = self.root / zone.path
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "name").write_text(f"{zone.name}\n")
            (folder / "max_energy_range_uj").write_text(f"{zone.range_uj}\n")
            (folder / "energy_uj").write_bytes(_number(self.machine.raw_uj(zone)))
            (folder / "constraint_0_name").write_text("long_term\n")
            (folder / "constraint_0_power_limit_uw").write_text("125000000\n")
            (folder / "constraint_0_max_power_uw").write_text("125000000\n")
        for control_type in (self.root / POWERCAP).iterdir():
            (control_type / "enabled").write_text("1\n")
        # The flat view holds links to everything, control types and children alike: a reader must not count twice.
        for folder in sorted((self.root / POWERCAP).rglob("intel-rapl*")):
            (flat / folder.name).symlink_to(os.path.relpath(folder, flat))


def _number(energy_uj: int) -> bytes:
    return b"%0*d\n" % (WIDTH, energy_uj)


def obey(machine: Machine, line: str) -> None:
    word, key, value = line.split()
    zone, now_s = machine.zone(key), machine.clock()
    if word == "power":
        zone.run_at(float(value), now_s)
    elif word == "wrap_in":
        zone.wrap_in(float(value), now_s)
    else:
        raise SystemExit(f"unknown command {line!r}")


def main(root: str, layout: str, period_s: str) -> None:
    with PlainTree(Path(root), Machine(layout)) as tree:
        print("ready", flush=True)  # noqa: T201  a program's answer
        while True:
            tree.refresh()
            if select.select([sys.stdin], [], [], float(period_s))[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                obey(tree.machine, line)
                tree.refresh()
                print("done", flush=True)  # noqa: T201  a program's answer


if __name__ == "__main__":
    main(*sys.argv[1:])
