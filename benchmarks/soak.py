"""Whether measuring for long costs more and more: trials through the real session, one a second.

`rapl` reads a plain tree that another process refreshes every millisecond, `nvml` the look-alike where it can be built.
Printed are descriptors, threads and resident memory of this process: at the start, after the warm-up, every minute, at
the end. After the warm-up descriptors and threads may not grow at all. Memory may grow by 2 MiB after the first minute:
what is kept of a trial is about 2 kB, and the allocator takes memory in steps.

    python soak.py [MINUTES]      10 by default
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from claims import Claim, give_up, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the simulated machine

from rig import lookalike

import energygate
from energygate.clock import SystemClock
from energygate.measure.machine import Roots, describe_machine
from energygate.measure.session import Session
from energygate.measure.trials import TrialSettings
from energygate.meters.group import MeterGroup
from energygate.model import Source, Trial

ROOT = Path(__file__).resolve().parent.parent
MINUTES = 10.0
TRIAL_S = 1.0
WARM_UP = 3
GROWTH_KIB = 2048
STATE = "FAKE_NVML_STATE"


class Held(NamedTuple):
    """What the process holds."""

    descriptors: int
    threads: int
    rss_kib: int

    @classmethod
    def now(cls) -> "Held":
        """Read it from procfs."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        descriptors = len(list(Path("/proc/self/fd").iterdir())) - 1  # without the one that lists them
        return cls(descriptors, int(status["Threads"]), int(status["VmRSS"].split()[0]))


class Watcher:
    """Prints what is held when a minute is over, and keeps it."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self.minutes: list[Held] = []
        self.first: Held | None = None
        self.invalid: list[str] = []

    def began(self, name: str) -> None:
        """Hear of the benchmark, the only one."""

    def trial_done(self, name: str, *, done: int, wanted: int, trial: Trial | None) -> None:
        """Hear of one trial; None is a warm-up."""
        if trial is None:
            if done == wanted:
                self.first = show(f"after {WARM_UP} warm-ups")
                self._began_s = time.monotonic()
            return
        if trial.invalid is not None:
            self.invalid.append(f"{name}, trial {trial.index}: {trial.invalid}")
        if time.monotonic() - self._began_s >= 60 * (len(self.minutes) + 1):
            self.minutes.append(show(f"{len(self.minutes) + 1} min"))

    def waiting(self, line: str) -> None:
        """Hear of a long wait."""
        print(line, flush=True)


def show(when: str) -> Held:
    """Print what is held."""
    held = Held.now()
    print(f"{when:>20}{held.descriptors:>13}{held.threads:>9}{held.rss_kib / 1024:>11.2f}", flush=True)
    return held


def main(minutes: float) -> int:
    """Measure for so long, print, and settle the claims."""
    print(f"{'':>20}{'descriptors':>13}{'threads':>9}{'RSS, MiB':>11}")
    show("start")
    watcher = Watcher()
    with plain_tree() as sysfs, energygate.open_meters(names(), sysfs=sysfs) as meters:
        trials = soak(meters, sysfs, watcher, count=max(1, round(minutes * 60 / TRIAL_S)))
        last = show("end")
    print(f"\n{trials} trials of {', '.join(domain.name for domain in meters.domains)}")
    for sentence in watcher.invalid[:3]:
        print(f"invalid: {sentence}")
    return settle(claims(watcher, last))


def names() -> str:
    """Both meters where the look-alike was built before this process started."""
    return "rapl,nvml" if STATE in os.environ else "rapl"


def soak(meters: MeterGroup, sysfs: Path, watcher: Watcher, *, count: int) -> int:
    """Let a session measure `count` trials of a second; give how many it has."""
    session = Session(
        meters=meters,
        machine=describe_machine(Roots(sysfs=sysfs), meters={}, hardware=meters.hardware),
        source=Source(),
        run_id="20261126T000000Z-0000000000",
        started_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        clock=SystemClock(),
        progress=watcher,
    )
    settings = TrialSettings(count=count, warmup=WARM_UP, min_time_s=TRIAL_S, min_time_gpu_s=TRIAL_S, max_invalid=1.0)
    series = session.series("soak", settings)
    for trial in series:
        with trial:
            time.sleep(TRIAL_S)
    session.record(series, definition={"soak": TRIAL_S})
    return len(session.run().benchmarks[0].trials)


def claims(watcher: Watcher, last: Held) -> Iterator[Claim]:
    """Give what the documentation says of a long run."""
    first = watcher.first
    if first is None:
        give_up("no trial was measured")
    for what, before, after in (
        ("descriptors", first.descriptors, last.descriptors),
        ("threads", first.threads, last.threads),
    ):
        yield Claim(f"no more {what} at the end than after the warm-up: {before}, {after}", after <= before)
    if watcher.minutes:
        grown_kib = last.rss_kib - watcher.minutes[0].rss_kib
        sentence = f"RSS grows by at most {GROWTH_KIB} KiB after the first minute: {grown_kib} KiB"
        yield Claim(sentence, grown_kib <= GROWTH_KIB)
    yield Claim(f"every trial is valid: {len(watcher.invalid)} are not", not watcher.invalid)


@contextmanager
def plain_tree() -> Iterator[Path]:
    """Start a tree of two sockets with DRAM, refreshed by another process."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it
    with ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
        words = [sys.executable, str(ROOT / "tests/rig/plain.py"), root, "server2", "0.001"]
        writer = stack.enter_context(subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert writer.stdin is not None  # noqa: S101  it is a pipe
        assert writer.stdout is not None  # noqa: S101  it is a pipe
        stack.callback(writer.stdin.close)
        if writer.stdout.readline() != "ready\n":
            give_up("the simulated counters did not start")
        yield Path(root)


def with_look_alike() -> int:
    """Start this program again where its library path shows the look-alike: it is read when a process starts."""
    with tempfile.TemporaryDirectory() as folder:
        lookalike.build(Path(folder))
        # Refreshed every 5 ms, so that a trial of a second holds enough refreshes.
        state = lookalike.LookAlike(Path(folder) / "gpus", [{"energy_period": 0.005, "power_w": 210.0}])
        env = lookalike.environment(Path(folder), state.path)
        return subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode


if __name__ == "__main__":
    if STATE not in os.environ and not (absent := lookalike.missing()):
        sys.exit(with_look_alike())
    if STATE not in os.environ:
        print(f"no {absent}: rapl alone")
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
