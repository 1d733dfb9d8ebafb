"""What one RAPL window costs: begin + end, energygate's against pyRAPL's, on the same simulated counters.

The counters are plain files that stand still, so what is timed is the readers' own work and two reads of a file per
counter, and not a processor's. Each reader is a process of its own and they take turns; what counts is the median
of single windows, so that time for which a busy machine took the processor away does not.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Self

from claims import Claim, give_up, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the simulated machine

from rig.machine import Machine
from rig.plain import PlainTree

HIGHEST_US = 30.0
LAYOUTS = {"1 socket, 2 counters": ("clientdram", 1), "2 sockets, 4 counters": ("server2", 2)}
PAIRS = 6  # of fresh processes
TURNS = 10
WINDOWS_A_TURN = 100
STEP_UJ = 1_000_000

HERE = Path(__file__).resolve().parent
CONTESTANT = str(HERE / "rapl_contestant.py")
PEERS = HERE.parent / "build" / "bench-peers" / f"pyrapl-py{sys.version_info.major}.{sys.version_info.minor}"
PYRAPL = "pyRAPL==0.2.3.1"
INSTALL_S = 60.0
# Pairs that do the same: what measures for a user, and the bare readings.
RIVALS = {
    "energygate MeterGroup.begin, end": "pyRAPL Measurement.begin, end",
    "energygate Powercap.begin, end": "pyRAPL Sensor.energy, twice",
}


class NotComparedError(Exception):
    """Why pyRAPL cannot take part here."""


def main() -> int:
    """Measure on each layout, print, and settle the claims."""
    folder, kind = files_folder()
    missing, peer_python = "", None
    try:
        check_namespace(folder)
        peer_python = install_pyrapl()
    except NotComparedError as error:
        missing = str(error)
    spent_us = {}
    for title, (layout, sockets) in LAYOUTS.items():
        with simulated(folder, layout, sockets) as tree:
            spent_us[title] = measure(tree, peer_python)
    return report(spent_us, where=f"{folder} ({kind})", missing=missing)


def files_folder() -> tuple[Path, str]:
    """Where the counters' files go, and what that is."""
    shm = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it
    return (shm, "tmpfs") if shm.is_dir() else (Path(tempfile.gettempdir()), "the temporary folder; no /dev/shm here")


def in_place_of_sys(root: Path, command: Sequence[str]) -> list[str]:
    """Give a command for which `root` is /sys, in a mount namespace of its own that ends with it.

    pyRAPL's code stays as it is, with its paths; so does the machine's own /sys.
    """
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    namespace = ["unshare", *user, "--mount", "--propagation", "private"]
    return [*namespace, "sh", "-c", 'mount --bind "$0" /sys && exec "$@"', str(root), *command]


def check_namespace(folder: Path) -> None:
    """Try whether this machine allows it."""
    try:
        tried = subprocess.run(in_place_of_sys(folder, ["true"]), capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotComparedError("pyRAPL reads only /sys: not compared: needs unshare, of util-linux") from error
    if tried.returncode != 0:
        why = f"needs root or user namespaces ({last_line(tried.stderr)})"
        raise NotComparedError(f"pyRAPL reads only /sys: not compared: {why}")


def install_pyrapl() -> Path:
    """Python of a virtual environment with pyRAPL alone, which brings a top-level package `tests`; it is kept."""
    python = PEERS / "bin" / "python"
    if (PEERS / "complete").exists():
        return python
    shutil.rmtree(PEERS, ignore_errors=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", PYRAPL]
    for command in ([sys.executable, "-m", "venv", str(PEERS)], pip):
        try:
            subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            timed_out = isinstance(error, subprocess.TimeoutExpired)
            why = f"no end after {INSTALL_S:.0f} s" if timed_out else last_line(error.stderr or error.stdout)
            raise NotComparedError(f"pyRAPL could not be installed: not compared ({why})") from error
    (PEERS / "complete").touch()
    return python


def last_line(text: str) -> str:
    """Give what a failed command said in the end."""
    return (text.strip().splitlines() or ["it did not say why"])[-1]


@contextmanager
def simulated(folder: Path, layout: str, sockets: int) -> Iterator[PlainTree]:
    """Give a sysfs with these counters, and with the processors by which pyRAPL counts sockets."""
    with tempfile.TemporaryDirectory(prefix="energygate-rapl-", dir=folder) as root:
        cpus = Path(root) / "devices/system/cpu"
        for i in range(sockets):
            (cpus / f"cpu{i}" / "topology").mkdir(parents=True)
            (cpus / f"cpu{i}" / "topology" / "physical_package_id").write_text(f"{i}\n")
        (cpus / "present").write_text("0\n" if sockets == 1 else f"0-{sockets - 1}\n")
        with PlainTree(Path(root), Machine(layout)) as tree:
            yield tree


def measure(tree: PlainTree, peer_python: Path | None) -> dict[str, float]:
    """Median microseconds of a window by each way; pyRAPL's only if there is a Python for it."""
    commands = [[sys.executable, CONTESTANT, "energygate", str(tree.root)]]
    if peer_python is not None:
        commands.append(in_place_of_sys(tree.root, [str(peer_python), CONTESTANT, "pyrapl", "/sys"]))
    spent_ns: defaultdict[str, list[int]] = defaultdict(list)
    cpus = sorted(os.sched_getaffinity(0))
    for pair in range(PAIRS):
        with ExitStack() as stack:
            processes = [stack.enter_context(Process(each, tree, cpu=cpus[pair % len(cpus)])) for each in commands]
            for _ in range(TURNS):
                for process in processes:
                    for name, durations_ns in json.loads(process.ask(str(WINDOWS_A_TURN))).items():
                        spent_ns[name] += durations_ns
    return {name: median(durations_ns) / 1e3 for name, durations_ns in spent_ns.items()}


class Process:
    """A contestant on the same processor as its rival, which has shown that it reads our counters.

    It saw each of its own rise by one joule.
    """

    def __init__(self, command: Sequence[str], tree: PlainTree, *, cpu: int) -> None:
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        os.sched_setaffinity(self.child.pid, {cpu})
        self.name = " ".join(command)
        self.tree = tree

    def __enter__(self) -> Self:
        assert self.child.stdout is not None  # noqa: S101  it is a pipe
        if self.child.stdout.readline() != "begun\n":
            give_up(f"{self.name} did not begin:\n{self.child.communicate()[1]}")
        counters = [zone for zone in self.tree.machine.zones if zone.name.startswith(("package", "dram"))]
        for zone in counters:
            now_uj = int(self.tree.energy_file(zone).read_text())
            self.tree.write(zone.path.rpartition("/")[2], now_uj + STEP_UJ)
        seen_j = float(self.ask("end"))
        if abs(seen_j - len(counters)) > 1e-3:
            give_up(f"{self.name} saw {seen_j} J instead of {len(counters)} J: it reads other counters.")
        return self

    def __exit__(self, *_: object) -> None:
        self.child.communicate()

    def ask(self, line: str) -> str:
        """Send a line; give the answer."""
        assert self.child.stdin is not None  # noqa: S101  it is a pipe
        assert self.child.stdout is not None  # noqa: S101  it is a pipe
        self.child.stdin.write(f"{line}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline()


def report(spent_us: Mapping[str, Mapping[str, float]], *, where: str, missing: str) -> int:
    """Print the table and the claims; ratios are to the rival that does the same."""
    print(f"One RAPL window, begin + end: medians of {PAIRS * TURNS * WINDOWS_A_TURN}, interleaved; files in {where}\n")
    print(f"{'':34}" + "".join(f"{title:>24}" for title in spent_us))
    print(f"{'':34}" + f"{'µs':>12}{'to pyRAPL':>12}" * len(spent_us))
    for name in next(iter(spent_us.values())):
        print(f"{name:34}" + "".join(cells(name, measured_us) for measured_us in spent_us.values()))
    if missing:
        print(f"\n{missing}")
    return settle(claim for title, measured_us in spent_us.items() for claim in claims(title, measured_us))


def cells(name: str, measured_us: Mapping[str, float]) -> str:
    """Give microseconds, and the ratio to the rival if there is one."""
    rival_us = measured_us.get(RIVALS.get(name, ""))
    ratio = "" if rival_us is None else f"{measured_us[name] / rival_us:.2f}"
    return f"{measured_us[name]:12.1f}{ratio:>12}"


def claims(title: str, measured_us: Mapping[str, float]) -> Iterator[Claim]:
    """Give what the documentation says of a window on these counters."""
    for ours, rival in RIVALS.items():
        spent_us, rival_us = measured_us[ours], measured_us.get(rival)
        sentence = f"{title}: {ours} ≤ {HIGHEST_US:.0f} µs: {spent_us:.1f}"
        if rival_us is None:
            yield Claim(sentence, spent_us <= HIGHEST_US)
        else:
            yield Claim(
                f"{sentence}, and less than {rival}: {rival_us:.1f}", spent_us <= HIGHEST_US and spent_us < rival_us
            )


if __name__ == "__main__":
    sys.exit(main())
