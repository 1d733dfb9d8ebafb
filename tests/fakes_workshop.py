"""A simulated machine to calibrate the estimate on, moved by hand."""

import os
from contextlib import contextmanager

from fakes_meters import HandClock
from rig.machine import Machine
from rig.plain import PlainTree

from energygate.measure.calibrate import Calibrator
from energygate.meters.rapl.powercap import Powercap

HZ = os.sysconf("SC_CLK_TCK")


class Workshop:
    """Two processors and a counter that draws 20 W and 9 W for each busy one; both move with the hand clock.

    `foreign` is how many processors others keep busy.
    """

    def __init__(self, folder, host):
        self.clock = HandClock()
        self.busy = 0
        self.foreign = 0.0
        self.used_s = self.own_s = 0.0
        self.proc = folder / "proc"
        self.proc.mkdir()
        machine = Machine("clientdram", clock=self.clock.now_s, period_s=0.0, busy=lambda: self.used_s)
        machine.obey("power intel-rapl:0 20 9")
        self.tree = PlainTree(folder / "sysfs", machine)
        self.meter = Powercap(self.tree.root, host=host, clock=self.clock.now_s, sleep=self.sleep)
        self.levels = []
        self.write()

    def now_s(self):
        """Monotonic seconds."""
        return self.clock.now_s()

    def sleep(self, seconds):
        """Let time pass: the processors work, the counters and the kernel's count follow."""
        self.clock.sleep(seconds)
        self.own_s += self.busy * seconds
        self.used_s += (self.busy + self.foreign) * seconds
        self.tree.refresh()
        self.write()

    def write(self):
        """Say how busy the processors were, as the kernel does."""
        ticks = f"{round(self.used_s * HZ)} 0 0 0 0 0 0 0 0 0"
        (self.proc / "stat").write_text(f"cpu  {ticks}\ncpu0 {ticks}\ncpu1 {ticks}\n")

    @contextmanager
    def keep_busy(self, count):
        """Keep that many busy while it lasts."""
        self.busy = count
        yield
        self.busy = 0

    @property
    def calibrator(self):
        """What measures here."""
        return Calibrator(
            meter=self.meter,
            processors=2,
            proc=self.proc,
            busy=self.keep_busy,
            own_s=lambda _: self.own_s,
            clock=self,
        )

    def measure(self):
        """Each level."""
        self.levels = list(self.calibrator.measure())
        return self.levels
