"""What the thread that watches for wrap-arounds costs: CPU time of its wake-ups, over an hour of them.

The thread is energygate's own, on simulated counters of two sockets. It wakes far more often here than in use, so that
an hour's wake-ups fit into seconds, and rarely enough that each finds the processor doing something else.
"""

import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, process_time

from claims import Claim, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the simulated machine

from rig.machine import Machine
from rig.plain import PlainTree

from energygate.meters.counters import Counter, CounterBank
from energygate.meters.keep_alive import KeepAlive
from energygate.meters.rapl.energy_files import open_files
from energygate.meters.rapl.zones import find_zones

HIGHEST_SHARE = 0.001
LAYOUT = "server2"
SHORTEST_S = 0.5  # the thread never wakes more often, whatever the counter
HOUR_S = 3600.0
WAKE_UPS = 360  # as many as in an hour with a counter that leaves 10 s between them
EVERY_S = 0.02


def main() -> int:
    """Measure, print, and settle the claims."""
    with tempfile.TemporaryDirectory(prefix="energygate-keep-alive-") as name:
        root = Path(name)
        with PlainTree(root, Machine(LAYOUT)), ExitStack() as resources:
            files = open_files(find_zones(root), resources)
            counters = [Counter(file.zone.spec, file.read_uj, at_s=monotonic()) for file in files]
            bank = CounterBank(counters, clock=monotonic)
            wake_up_s = cpu_seconds(bank) / WAKE_UPS
    return report(wake_up_s, counters=len(counters), own_s=bank.keep_alive_s)


def cpu_seconds(bank: CounterBank) -> float:
    """CPU time of this process, which does nothing else, for all wake-ups."""
    done, left = threading.Event(), [WAKE_UPS]

    def refresh() -> None:
        bank.refresh()
        left[0] -= 1
        if not left[0]:
            done.set()

    began_s = process_time()
    with KeepAlive(refresh, every_s=EVERY_S, name="benchmark"):
        done.wait()
        return process_time() - began_s


def report(wake_up_s: float, *, counters: int, own_s: float) -> int:
    """Print the cost of an hour, and settle that its share of a core is small."""
    print(f"Keep-alive of {counters} counters, {WAKE_UPS} wake-ups {EVERY_S * 1000:.0f} ms apart\n")
    print(f"one wake-up: {wake_up_s * 1e6:.0f} µs of CPU time")
    shares = {}
    for what, every_s in {"these counters": own_s, "the hastiest counter": SHORTEST_S}.items():
        shares[what] = wake_up_s / every_s
        hour_s = wake_up_s * HOUR_S / every_s
        print(f"{what}, a wake-up each {every_s:g} s: {hour_s:.3f} CPU s an hour, {shares[what]:.4%} of a core")
    return settle(
        Claim(f"{what}: less than {HIGHEST_SHARE:.1%} of a core: {share:.4%}", share < HIGHEST_SHARE)
        for what, share in shares.items()
    )


if __name__ == "__main__":
    sys.exit(main())
