"""The powercap tree as ordinary files.

A test writes values itself, or moves a `FakeClock` and lets the machine's counters follow. As a program it refreshes
the files from the real clock until it is told to stop:

    python plain.py DIR LAYOUT PERIOD_S      the machine's commands (machine.py) on stdin, one a line, each answered by
                                             `done`; and `truth`, answered by the machine's true energy as JSON

Values are written in place with a fixed width, so that no reader sees an empty or a torn number. It costs about a tenth
of a core at 1 kHz. Files carry the caller as owner, who may write them until `mode` is commanded. A file whose reading
is told to fail is empty: ordinary files have no errno to give.
"""

import json
import os
import select
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rig.machine import Machine
from rig.tree import Energy, Folder, Link, Range, Text, nodes
from rig.zone import Zone

WIDTH = 12  # digits of the largest range, 262143328850


class FakeClock:
    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class HeldFile:
    """An `energy_uj` open for writing, and what was last shown of its zone beside the count."""

    zone: Zone
    descriptor: int
    shown: tuple


class PlainTree:
    """A sysfs root for one machine; leaving it gives its descriptors back."""

    def __init__(self, root: Path, machine: Machine) -> None:
        self.root = root
        self.machine = machine
        for path, node in nodes(machine.zones).items():
            self._make(root / path, node)
        self._held = [
            HeldFile(zone, os.open(self.energy_file(zone), os.O_WRONLY), self._facts(zone)) for zone in machine.zones
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._held:
            os.close(held.descriptor)

    def energy_file(self, zone: Zone | str) -> Path:
        return self._folder(zone) / "energy_uj"

    def refresh(self) -> None:
        """Let every counter show the machine's present."""
        for held in self._held:
            if held.shown != self._facts(held.zone):
                self._show_facts(held)
            if not held.zone.error:
                os.pwrite(held.descriptor, _number(self.machine.raw_uj(held.zone)), 0)

    def pass_time(self, seconds: float) -> None:
        """Move the fake clock, and the counters with it."""
        self.machine.clock.sleep(seconds)
        self.refresh()

    def command(self, line: str) -> None:
        """Tell the machine: `power intel-rapl:0 120`; the files show it when this returns."""
        self.machine.obey(line)
        self.refresh()

    def write(self, zone: str, energy_uj: int) -> None:
        """Let a counter show this value."""
        descriptor = next(held.descriptor for held in self._held if held.zone.key == zone)
        os.pwrite(descriptor, _number(energy_uj), 0)

    def _folder(self, zone: Zone | str) -> Path:
        return self.root / (self.machine.zone(zone) if isinstance(zone, str) else zone).path

    def _make(self, path: Path, node: Folder | Link | Text | Energy | Range) -> None:
        match node:
            case Folder():
                path.mkdir(parents=True, exist_ok=True)
            case Link():
                path.symlink_to(node.target)
            case Text():
                path.write_text(node.text)
            case Energy():
                path.write_bytes(_number(self.machine.raw_uj(node.zone)))
            case Range():
                path.write_text(f"{self.machine.range_uj(node.zone)}\n")

    def _facts(self, zone: Zone) -> tuple:
        return self.machine.range_uj(zone), zone.range_error, zone.error, zone.mode

    def _show_facts(self, held: HeldFile) -> None:
        *_, mode_before = held.shown
        held.shown = range_uj, range_error, error, mode = self._facts(held.zone)
        (self._folder(held.zone) / "max_energy_range_uj").write_text("" if range_error else f"{range_uj}\n")
        if error:
            os.ftruncate(held.descriptor, 0)
        if mode != mode_before:
            self.energy_file(held.zone).chmod(mode)


def _number(energy_uj: int) -> bytes:
    return b"%0*d\n" % (WIDTH, energy_uj)


def answer(machine: Machine, line: str) -> str:
    """What the program says to a line from its standard input."""
    if line == "truth":
        return json.dumps(machine.truth())
    try:
        machine.obey(line)
    except (ValueError, TypeError) as wrong:
        return f"refused: {wrong}"
    return "done"


def main(root: str, layout: str, period_s: str) -> None:
    with PlainTree(Path(root), Machine(layout)) as tree:
        print("ready", flush=True)  # noqa: T201  a program's answer
        while True:
            tree.refresh()
            if select.select([sys.stdin], [], [], float(period_s))[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                said = answer(tree.machine, line.strip())
                tree.refresh()
                print(said, flush=True)  # noqa: T201  a program's answer


if __name__ == "__main__":
    main(*sys.argv[1:])
