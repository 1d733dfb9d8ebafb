"""Energy that code draws from the simulated machine it runs on, more or less of it each time.

    draw(5.0)     about 5 J; when it returns the counter shows them, and a window around it was long enough

The machine is a folder with `sysfs`, with `commands`, a pipe into the program that keeps the counters (plain.py), and
with `draws`, which has a byte for each execution. How much more or less is used comes from the seed, the session and
the number of the execution alone: the same seed uses the same energy, however fast this machine is.
"""

import math
import os
import time
from pathlib import Path
from random import Random

from rig.layouts import INTEL

FOLDER, SEED, SESSION = "SIMULATED_MACHINE", "SIMULATED_SEED", "SIMULATED_SESSION"  # variables
EXECUTION_SD, SESSION_SD = 0.02, 0.01  # in logs: from one execution to the next, from one session to the next
ZONE = "intel-rapl:0"
WINDOW_S = 0.1  # a hundred refreshes of the counter


def draw(energy_j: float) -> None:
    began_s = time.monotonic()
    folder = Path(os.environ[FOLDER])
    counter = folder / "sysfs" / INTEL / ZONE / "energy_uj"
    drawn_j = energy_j * math.exp(noise(os.environ[SEED], os.environ[SESSION], _number(folder / "draws")))
    before_uj = int(counter.read_text())
    (folder / "commands").write_text(f"add {ZONE} {drawn_j}\n")
    while int(counter.read_text()) - before_uj < 0.99e6 * drawn_j:  # all of it at once, in steps of the counter
        time.sleep(0.001)
    time.sleep(max(0.0, WINDOW_S - (time.monotonic() - began_s)))


def noise(seed: str, session: str, execution: int) -> float:
    """What the log of the energy is more or less by: the session's share is the same for all its executions."""
    of_session = Random(f"{seed}, session {session}").gauss(0.0, SESSION_SD)
    return of_session + Random(f"{seed}, execution {execution}").gauss(0.0, EXECUTION_SD)


def _number(draws: Path) -> int:
    with draws.open("ab") as file:
        file.write(b".")
        return file.tell()
