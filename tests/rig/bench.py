"""The RAPL meter on a machine to which things happen, with a ledger of every reading that it takes.

Each event is a method. `i` picks one of the zones that the meter counts.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rig.layouts import COUNTED
from rig.ledger import Ledger, bound_w
from rig.machine import Machine
from rig.plain import FakeClock, PlainTree
from rig.zone import Zone

from energygate.errors import MeasurementInvalid
from energygate.meters.base import Window
from energygate.meters.rapl.powercap import Powercap

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_FAILS = "/proc/self/mem"  # nothing is mapped at offset 0: EIO


class Bench:
    """One meter, opened; `stack` takes it down."""

    def __init__(self, layout, *, bits, positions, host, stack: ExitStack):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY)))
        self.clock = FakeClock()
        self.machine = Machine(layout, clock=self.clock)
        for zone, position in zip(self.machine.zones, positions, strict=False):
            zone.bits = bits
            zone.put(int(position * zone.range_uj), self.clock())
        self.tree = stack.enter_context(PlainTree(folder / "sysfs", self.machine))
        self.meter = Powercap(self.tree.root, host=host, clock=self.clock, sleep=self.tree.pass_time)
        stack.callback(self.meter.close)
        self.meter.open()
        self.ledgers = {key: Ledger(self.machine.zone(key)) for keys in COUNTED[layout].values() for key in keys}
        self._keep_alive_s = 10.0 if bits == 32 else 0.5
        self._due_s = self.clock() + self._keep_alive_s
        self._held = {key: _descriptor(self.tree.energy_file(key)) for key in self.ledgers}
        self._sound = {key: os.dup(held) for key, held in self._held.items()}
        for descriptor in self._sound.values():
            stack.callback(os.close, descriptor)
        self._unreadable: set[str] = set()
        self._removed: set[str] = set()

    def window(self, events) -> dict[str, float] | None:
        """Joules by domain of a window in which these events happen, or None where it is invalid."""
        for ledger in self.ledgers.values():
            ledger.clear()
        start = self._read()
        for name, *arguments in events:
            getattr(self, name)(*arguments)
            self.tree.refresh()
        self._note()  # the end's reading; those after it only look whether the counters move
        try:
            return dict(self.meter.end(start).energy_j)
        except MeasurementInvalid:
            return None

    def run(self, seconds):
        """Let time pass, with the keep-alive readings in it."""
        end_s = self.clock() + seconds
        while self._due_s <= end_s:
            self._pass_until(self._due_s)
            self._due_s += self._keep_alive_s
            self._read()
        self._pass_until(end_s)

    def stop(self, seconds):
        """Let time pass without a reading, as for a process that is stopped."""
        self.tree.pass_time(seconds)
        self._due_s = max(self._due_s, self.clock())

    def power(self, i, fraction):
        """From half a watt to nine tenths of what a counter may show."""
        zone = self._zone(i)
        zone.run_at(0.5 + 0.9 * fraction * bound_w(zone), self.clock())

    def freeze(self, i):
        self._zone(i).freeze(self.clock())

    def thaw(self, i):
        self._zone(i).thaw()

    def jump(self, i, fraction):
        """Put the counter elsewhere: a reset, or a broken one."""
        zone = self._zone(i)
        zone.put(int(fraction * zone.range_uj), self.clock())

    def lose(self, i):
        """Let reading fail with EIO."""
        key = self._zone(i).key
        _show_other(self._held[key], _FAILS)
        self._unreadable.add(key)

    def garble(self, i, text):
        """Let the file hold something else than the counter."""
        key = self._zone(i).key
        if key not in self._removed:
            self.machine.zone(key).error = 1  # it is not refreshed
            self.tree.energy_file(key).write_bytes(text)
            self._unreadable.add(key)

    def heal(self, i):
        key = self._zone(i).key
        if key not in self._removed:
            self.machine.zone(key).error = 0
            self.tree.energy_file(key).write_bytes(b"")  # a longer text would stay behind the number
            os.dup2(self._sound[key], self._held[key])
            self._unreadable.discard(key)

    def remove(self, i):
        """Unplug the zone, and what is below it, for good."""
        for key in [key for key in self.ledgers if f"{key}:".startswith(f"{self._zone(i).key}:")]:
            self.tree.energy_file(key).unlink(missing_ok=True)
            _show_other(self._held[key], _FAILS)
            self._unreadable.add(key)
            self._removed.add(key)

    def _zone(self, i: int) -> Zone:
        ledgers = list(self.ledgers.values())
        return ledgers[i % len(ledgers)].zone

    def _read(self):
        """Read every counter: the start of a window does it as the keep-alive thread does."""
        reading = self.meter.begin(Window())
        self._note()
        return reading

    def _note(self):
        for key, ledger in self.ledgers.items():
            ledger.note(self.clock(), readable=key not in self._unreadable)

    def _pass_until(self, at_s):
        self.tree.pass_time(max(0.0, at_s - self.clock()))


def _descriptor(path: Path) -> int:
    """The descriptor on which this process reads that file."""
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink() and os.readlink(link) == str(path) and _reads(link):  # noqa: PTH115  a descriptor may be gone
            return int(link.name)
    raise LookupError(path)


def _reads(link: Path) -> bool:
    flags = Path("/proc/self/fdinfo", link.name).read_text().split("flags:")[1].split()[0]
    return int(flags, 8) & os.O_ACCMODE == os.O_RDONLY


def _show_other(descriptor: int, path: str) -> None:
    """Let a descriptor that somebody holds read another file."""
    other = os.open(path, os.O_RDONLY)
    os.dup2(other, descriptor)
    os.close(other)
