"""What energygate and its peers say of the same counters in the same seconds, against the truth.

The counters are simulated (tests/rig), so that the true energy of every window is known. In each case every meter is a
process of its own that sees the same tree in place of /sys. One after the other they begin a window, in milliseconds,
so that none takes the processor from another; they end it in the reverse order, and each is held to the truth between
its own two instants. Then what a window costs each, on counters that stand still.

    python meters_vs_peers.py [--quick] [--write]      --write puts the tables into README.md
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Self

import peers
from claims import Claim, give_up, settle

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # for the simulated machine

from rig import lookalike, mount, namespace
from rig.adapters import UNPRIVILEGED
from rig.layouts import POWER_W
from rig.machine import Machine
from rig.plain import PlainTree

OURS = "energygate"
HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
BEGIN, END = "<!-- meters_vs_peers: begin -->\n", "<!-- meters_vs_peers: end -->\n"
WINDOW_S = 2.0
TOLERANCE = 0.005
DISTURBED_S = 0.005  # of reading at both ends, which takes a tenth of that
ATTEMPTS = 5
PATIENCE_S = 120.0  # with a process that says nothing
INSIDE_OR_AROUND = ("core", "uncore", "psys")  # may be shown beside what counts
GPU_W, GPU_IDLE_W, GPU_PERIOD_S = 210.0, 60.0, 0.1
HIGHEST_US = 30.0
TURNS = 8
WINDOWS_A_TURN = {"CodeCarbon": 3}  # tens of milliseconds each; others 100


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: a machine, what happens to it, and what energygate must do.

    Attributes
    ----------
    before, during : tuples of commands to the machine
        As the windows begin, and so many seconds later.
    """

    title: str
    layout: str = "one"
    sockets: int = 1
    vendor: str | None = None
    mode: str = "0400"
    before: tuple[str, ...] = ()
    during: tuple[tuple[float, str], ...] = ()
    quick: bool = False

    @property
    def denied(self) -> bool:
        """Whether the counters may not be read."""
        return self.mode == "0000"

    @property
    def any_time(self) -> bool:
        """Whether it is the same at all times, so that perun's window need not begin with the others'."""
        return not self.before and not self.during


CASES = (
    Case(title="one package, 50 W", quick=True),
    Case(title="wrap in the middle", before=("wrap_in intel-rapl:0 1.0",)),
    Case(title="wrap 30 ms before the end", before=("wrap_in intel-rapl:0 1.97",), quick=True),
    Case(title="wrap on one of two sockets", layout="server2", sockets=2, before=("wrap_in intel-rapl:0 1.0",)),
    Case(title="two sockets with DRAM", layout="server2", sockets=2, quick=True),
    Case(title="package, core, DRAM", layout="clientdram"),
    Case(title="client: psys, core, uncore, mmio twin", layout="client", quick=True),
    Case(title="AMD package and core", layout="amd", vendor="AuthenticAMD"),
    Case(title="AMD, two dies that mirror one counter", layout="amd-dies", vendor="AuthenticAMD"),
    Case(title="Intel, two dies of one package", layout="intel-dies"),
    Case(title="DRAM on one socket alone", layout="asymdram", sockets=2),
    Case(title="zones 0 and 2", layout="gap", sockets=2),
    Case(title="twelve zones, ids to `b`", layout="hex", sockets=2),
    Case(title="`energy_uj` 0400, another user", mode="0000", quick=True),
    Case(title="reads fail from 0.9 to 1.5 s", during=((0.9, "error all EIO"), (1.5, "error all none"))),
)


@dataclass(frozen=True, kw_only=True)
class GpuCase:
    """One row of a GPU at 210 W: `gpu` as in lookalike.py; `lost_after_s` into the window.

    `left_out` are those that ask for functions that the look-alike does not have.
    """

    title: str
    gpu: dict[str, Any] = field(default_factory=dict)
    lost_after_s: float | None = None
    left_out: tuple[str, ...] = ()
    quick: bool = False


GPU_CASES = (
    GpuCase(title="GPU, counter refreshed every 100 ms", quick=True),
    GpuCase(
        title="GPU without an energy counter",
        gpu={"name": "Tesla P100-PCIE-16GB", "energy_ok": 0},
        left_out=("Zeus",),
    ),
    GpuCase(title="GPU lost after 1 s", lost_after_s=1.0),
)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one meter said of its window, and the truth between its own two instants, in joules by domain."""

    energy_j: Mapping[str, float | None] = field(default_factory=dict)
    true_j: Mapping[str, float] = field(default_factory=dict)
    took_s: float = 0.0
    extra: str = ""
    raised: str = ""
    text: str = ""

    @property
    def errors(self) -> dict[str, float]:
        """How far it is off, as a fraction, for each domain that is one."""
        return {
            domain: used_j / self._true(domain) - 1
            for domain, used_j in self.energy_j.items()
            if used_j is not None and self._true(domain)
        }

    @property
    def missing(self) -> list[str]:
        """True domains that it does not give."""
        return (
            [] if "everything" in self.energy_j else [domain for domain in self.true_j if domain not in self.energy_j]
        )

    @property
    def invented(self) -> list[str]:
        """Domains that the machine does not have."""
        return [
            domain
            for domain, used_j in self.energy_j.items()
            if used_j is not None and not self._true(domain) and not domain.startswith(INSIDE_OR_AROUND)
        ]

    @property
    def right(self) -> bool:
        """Whether every domain is there and within 0.5 %, and no other."""
        known = None not in self.energy_j.values() and not (self.raised or self.missing or self.invented)
        return known and all(abs(error) <= TOLERANCE for error in self.errors.values())

    @property
    def cell(self) -> str:
        """What the table shows: the sum if all is right, else what is not."""
        if self.raised:
            return f"raises {self.raised}"
        if None in self.energy_j.values():
            return "None"
        if self.right:
            return f"{sum(self.energy_j[domain] or 0 for domain in self.errors):.1f}"
        wrong = [f"**{self._named(domain)}**" for domain in self.errors if abs(self.errors[domain]) > TOLERANCE]
        good = [self._named(domain) for domain in self.errors if abs(self.errors[domain]) <= TOLERANCE]
        invented = [f"**{domain} {self.energy_j[domain]:.1f}**, which is not there" for domain in self.invented]
        missing = [f"**no {domain}**" for domain in self.missing]
        return ", ".join([*_short(wrong, "wrong"), *_short(good, "right"), *invented, *_short(missing, "missing")])

    def _named(self, domain: str) -> str:
        name = "" if domain == "everything" else f"{domain} "
        error = self.errors[domain]
        shown = f" ({error * 100:+.1f} %)" if abs(error) < 10 else ""
        return f"{name}{self.energy_j[domain]:.1f}{shown}"

    def _true(self, domain: str) -> float:
        return sum(self.true_j.values()) if domain == "everything" else self.true_j.get(domain, 0.0)


def _short(domains: list[str], are: str) -> list[str]:
    """Count them where they are many."""
    return domains if len(domains) <= 4 else [f"{len(domains)} domains {are}"]


class Contestant:
    """A meter in a process of its own."""

    def __init__(self, name: str, words: Sequence[str], *, meters: str, **env: str) -> None:
        command = [*words, str(HERE / "peer_contestant.py"), name, meters]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=os.environ | env
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # some have threads that would go on
        self._process.communicate()

    def ask(self, line: str) -> Any:
        """Send a line; give the answer."""
        assert self._process.stdin is not None  # noqa: S101  it is a pipe
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"raised": "nothing: its process ended", "text": ""}
        return self.hear()

    def hear(self) -> Any:
        """Give what it says next."""
        assert self._process.stdout is not None  # noqa: S101  it is a pipe
        watchdog = threading.Timer(PATIENCE_S, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        return json.loads(line) if line else {"raised": "nothing: its process ended", "text": ""}


@contextmanager
def contestants(make: Callable[[str], Contestant], names: Iterable[str]) -> Iterator[dict[str, Contestant]]:
    """Start a contestant of each name, ours last, and wait until all are ready."""
    with ExitStack() as stack:
        started = {name: stack.enter_context(make(name)) for name in reversed([*names])}
        for contestant in started.values():
            contestant.hear()
        yield started


def ask_all(started: Mapping[str, Contestant], line: str) -> dict[str, Any]:
    """Send each of them a line in turn."""
    return {name: contestant.ask(line) for name, contestant in started.items()}


def end_all(started: Mapping[str, Contestant]) -> dict[str, Any]:
    """End the windows in the reverse order: ours, which began last, first."""
    return ask_all(dict(reversed(started.items())), "end")


def main() -> int:
    """Measure, print, and settle the claims."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="six rows and no costs: a minute")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    for what in (mount.missing(), namespace.missing()):
        if what:
            give_up(f"no {what}: the peers read /sys alone, and a tree cannot be put in its place")
    pythons, missing = peers.install()
    pythons = {OURS: Path(sys.executable), **pythons}
    for name, why in missing.items():
        print(f"{name} could not be installed, so it is not compared: {why}")
    table = Table({OURS: f"{OURS}, J", **peers.headings(missing)})
    for case in (case for case in CASES if case.quick or not asked.quick):
        table.add(case.title, *rapl(case, pythons))
    if absent := lookalike.missing():
        print(f"no {absent}: no GPU is compared")
    else:
        with look_alike() as library:
            for gpu in (case for case in GPU_CASES if case.quick or not asked.quick):
                table.add(gpu.title, *on_gpu(gpu, pythons, library))
    tables = [markdown(["case", *table.heads.values()], table.rows)]
    if not asked.quick:
        spent_us = costs(pythons)
        tables.append(markdown(["begin + end, one package", "median, µs"], cost_rows(spent_us)))
        table.claims.extend(cost_claims(spent_us))
    text = "\n".join(tables)
    print(f"\n{text}")
    if asked.write:
        write(text)
    return settle(table.claims)


@dataclass(frozen=True)
class Table:
    """Rows and claims as they come; `heads` by contestant."""

    heads: Mapping[str, str]
    rows: list[list[str]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def add(self, title: str, cells: Mapping[str, str], claim: Claim) -> None:
        """Add a row and its claim, and show them at once."""
        self.rows.append([title, *(cells.get(name, "-") for name in self.heads)])
        self.claims.append(claim)
        print(f"{title}: " + "; ".join(f"{name} {cells[name]}" for name in self.heads if name in cells), flush=True)


def rapl(case: Case, pythons: Mapping[str, Path]) -> tuple[dict[str, str], Claim]:
    """Measure one case by all: a cell for each, and whether energygate kept its word."""
    with mount.mounted(case.layout, f"--mode={case.mode}") as tree:
        shown = partial(namespace.command, tree.root, sockets=case.sockets, vendor=case.vendor, bare_metal=True)
        inside = partial(shown, *UNPRIVILEGED) if case.denied else shown

        def make(name: str) -> Contestant:
            return Contestant(name, inside(str(pythons[name])), meters="rapl")

        with contestants(make, [name for name in pythons if name != "perun"]) as started:
            seen = undisturbed(case, tree, started)
            claim = kept_by_us(case, seen[OURS])
            if case.during:
                claim = one_failed_read(tree, started[OURS], case, seen[OURS])
        cells = {name: one.cell for name, one in seen.items()} | remarks(case, seen)
        if case.denied:
            claim, cells[OURS] = refused(case, inside(sys.executable), seen[OURS])
        if "perun" in pythons and case.any_time:
            cells["perun"] = by_perun(case, inside(str(pythons["perun"])))
    return cells, claim


def undisturbed(case: Case, tree: mount.FuseTree, started: Mapping[str, Contestant]) -> dict[str, Seen]:
    """Measure again where other work kept ours from reading: then the truth is not known to 0.5 %."""
    for attempt in range(1, ATTEMPTS + 1):
        seen = window(case, tree, started)
        if seen[OURS].took_s <= DISTURBED_S:
            break
        print(f"  {case.title}: other work took the processor for {seen[OURS].took_s * 1e3:.0f} ms (attempt {attempt})")
    return seen


def window(case: Case, tree: mount.FuseTree, started: Mapping[str, Contestant]) -> dict[str, Seen]:
    """Let all measure the same seconds."""
    for command in case.before:
        tree.command(command)
    began_s, before = time.monotonic(), tree.truth()
    starts = ask_all(started, "begin")
    for after_s, command in case.during:
        sleep_until(began_s + after_s)
        tree.command(command)
    sleep_until(began_s + WINDOW_S)
    check_truth(case.layout, before, tree.truth())
    ends = end_all(started)
    return {name: seen(starts[name], ends[name], case.layout) for name in starts}


def sleep_until(at_s: float) -> None:
    """Wait for a moment of the monotonic clock."""
    time.sleep(max(0.0, at_s - time.monotonic()))


def seen(start: Mapping[str, Any], end: Mapping[str, Any], layout: str) -> Seen:
    """Put a contestant's answers together."""
    for answer in (start, end):
        if "raised" in answer:
            return Seen(raised=answer["raised"], text=answer["text"])
    return Seen(
        energy_j=end["energy_j"],
        true_j=truth_j(layout, end["at_s"] - start["at_s"]),
        took_s=start["took_s"] + end["took_s"],
        extra=end["extra"],
    )


def truth_j(layout: str, elapsed_s: float) -> dict[str, float]:
    """What the machine uses in that time, in joules by domain."""
    return {domain: power_w * elapsed_s for domain, power_w in POWER_W[layout].items()}


def check_truth(layout: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Give up where the machine did not use what it should: then nothing is shown."""
    used_j = sum(after["used_j"].values()) - sum(before["used_j"].values())
    power_w = sum(zone.power_w for zone in Machine(layout).zones)  # those that repeat another too
    meant_j = power_w * (after["at_s"] - before["at_s"])
    if abs(used_j - meant_j) > 1e-6 * meant_j:
        give_up(f"the simulated machine used {used_j} J where {meant_j} J were meant")


def by_perun(case: Case, python: Sequence[str]) -> str:
    """Let perun monitor a script that sleeps; it takes seconds to start, so its window is its own."""
    with tempfile.TemporaryDirectory() as folder:
        results, instants = Path(folder) / "results", Path(folder) / "instants"
        options = ["-f", "json", "--data-out", str(results), "--sampling-period", "0.1"]
        script = [str(HERE / "peer_script.py"), str(WINDOW_S), str(instants)]
        words = [*python, "-m", "perun", "monitor", *options, *script]
        ended = subprocess.run(words, cwd=folder, capture_output=True, check=False, timeout=PATIENCE_S)
        reports = list(results.glob("*.json"))
        if ended.returncode or not reports or not instants.exists():
            return f"fails, status {ended.returncode}"
        energy = json.loads(reports[0].read_text())["metrics"].get("energy")
        began_s, ended_s = json.loads(instants.read_text())
    if energy is None:
        return "no energy, status 0"
    return Seen(energy_j={"everything": energy["sum"]}, true_j=truth_j(case.layout, ended_s - began_s)).cell


def remarks(case: Case, seen: Mapping[str, Seen]) -> dict[str, str]:
    """Give the cells that need what a meter says beside its joules."""
    with_extra = {
        "CodeCarbon": True,
        "Zeus": case.layout == "server2" and case.any_time,
        "pyRAPL": case.title == CASES[0].title,
    }
    return {
        name: f"{one.cell}{one.extra}"
        for name, one in seen.items()
        if with_extra.get(name) and one.extra and not one.raised
    }


def kept_by_us(case: Case, ours: Seen) -> Claim:
    """Check that every domain is within 0.5 % of the truth."""
    true_j = " + ".join(f"{used_j:.1f}" for used_j in ours.true_j.values())
    return Claim(f"{case.title}: {ours.cell or ours.text} J, true {true_j} J", ours.right)


def one_failed_read(tree: mount.FuseTree, ours: Contestant, case: Case, across: Seen) -> Claim:
    """Check that a window that ends while reads fail is invalid, and that those before and after it are right."""
    ours.ask("begin")
    tree.command("error intel-rapl:0 EIO")
    failed = ours.ask("end")
    tree.command("error intel-rapl:0 none")
    start = ours.ask("begin")
    time.sleep(WINDOW_S)
    after = seen(start, ours.ask("end"), case.layout)
    invalid = failed.get("raised") == "MeasurementInvalid" and failed["text"].startswith("read_error: ")
    sentence = (
        f"{case.title}: across {across.cell} J; a window whose end fails is {failed.get('text')}; next {after.cell} J"
    )
    return Claim(sentence, across.right and invalid and after.right)


def refused(case: Case, python: Sequence[str], ours: Seen) -> tuple[Claim, str]:
    """Check that the refusal names the fix, and that doctor ends with 5."""
    ended = subprocess.run([*python, "-m", "energygate", "doctor"], capture_output=True, text=True, check=False)
    fix = "sudo groupadd -f energygate" in ours.text
    sentence = f"{ours.raised}, {'with' if fix else 'without'} the fix; doctor ends with {ended.returncode}"
    return Claim(
        f"{case.title}: {sentence}", ours.raised == "MeterUnavailable" and fix and ended.returncode == 5
    ), sentence


@contextmanager
def look_alike() -> Iterator[Path]:
    """Build the library, with the program by which CodeCarbon looks for GPUs beside it."""
    with tempfile.TemporaryDirectory() as folder:
        lookalike.build(Path(folder))
        program = Path(folder) / "nvidia-smi"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        yield Path(folder)


def on_gpu(case: GpuCase, pythons: Mapping[str, Path], library: Path) -> tuple[dict[str, str], Claim]:
    """Measure one case by all that know GPUs: 2 s at 210 W, then idle."""
    usual = {"energy_period": GPU_PERIOD_S, "power_w": GPU_W, "past_w": GPU_W}
    state = lookalike.LookAlike(library / "gpus", [usual | case.gpu])
    env = lookalike.environment(library, state.path) | {"PATH": f"{library}:{os.environ['PATH']}"}

    def make(name: str) -> Contestant:
        return Contestant(name, [str(pythons[name])], meters="nvml", **env)

    with contestants(make, [name for name in pythons if name not in {"perun", "pyRAPL", *case.left_out}]) as started:
        starts = ask_all(started, "begin")
        began_s = time.monotonic()
        if case.lost_after_s is not None:
            sleep_until(began_s + case.lost_after_s)
            state.set(0, lost_at=time.monotonic())
        sleep_until(began_s + WINDOW_S)
        state.run_at(0, GPU_IDLE_W)
        ended_s = time.monotonic()
        ends = end_all(started)
    found = {name: gpu_seen(starts[name], ends[name], ended_s) for name in starts}
    cells = {name: one.cell for name, one in found.items()}
    ours = found[OURS]
    if ours.raised == "MeasurementInvalid":
        cells[OURS] = f"invalid: {ours.text.partition(':')[0]}"
    elif not ours.raised:
        cells[OURS] = f"{ours.energy_j['gpu-0']:.1f}, with the idle power until the next refresh"
    return cells, gpu_claim(case, ours)


def gpu_seen(start: Mapping[str, Any], end: Mapping[str, Any], idle_from_s: float) -> Seen:
    """Put a contestant's answers together; only what it says of the GPU counts here."""
    for answer in (start, end):
        if "raised" in answer:
            return Seen(raised=answer["raised"], text=answer["text"])
    true_j = GPU_W * (idle_from_s - start["at_s"]) + GPU_IDLE_W * (end["at_s"] - idle_from_s)
    said = {domain: used_j for domain, used_j in end["energy_j"].items() if domain.startswith("gpu")}
    return Seen(energy_j=said or {"everything": None}, true_j={"gpu-0": true_j})


def gpu_claim(case: GpuCase, ours: Seen) -> Claim:
    """Check the window, or the refusal. What alignment catches too much is idle power, for one refresh at most."""
    if case.gpu:
        return Claim(f"{case.title}: {ours.text}", ours.raised == "MeterUnavailable" and case.gpu["name"] in ours.text)
    if case.lost_after_s is not None:
        return Claim(f"{case.title}: {ours.text}", ours.raised == "MeasurementInvalid" and "gpu_lost" in ours.text)
    if ours.raised:
        return Claim(f"{case.title}: {ours.raised}: {ours.text}", kept=False)
    true_j, said_j = ours.true_j["gpu-0"], ours.energy_j["gpu-0"] or 0.0
    caught_j = GPU_IDLE_W * GPU_PERIOD_S
    kept = true_j * (1 - TOLERANCE) <= said_j <= true_j * (1 + TOLERANCE) + caught_j
    return Claim(f"{case.title}: {said_j:.1f} J, true {true_j:.1f} J and at most {caught_j:.0f} J of idle power", kept)


def costs(pythons: Mapping[str, Path]) -> dict[str, float]:
    """Median microseconds of a window by each, taking turns on one processor; the counters stand still."""
    memory = Path("/dev/shm")  # noqa: S108  a fresh folder is made in it
    with ExitStack() as stack:
        root = stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
        tree = stack.enter_context(PlainTree(Path(root), Machine("one")))
        inside = partial(namespace.command, tree.root, bare_metal=True)

        def make(name: str) -> Contestant:
            return Contestant(name, ["taskset", "-c", cpu, *map(str, inside(str(pythons[name])))], meters="rapl")

        cpu = str(min(os.sched_getaffinity(0)))
        started = stack.enter_context(contestants(make, [name for name in pythons if name != "perun"]))
        spent_ns: defaultdict[str, list[int]] = defaultdict(list)
        for turn in range(TURNS + 1):
            for name, contestant in started.items():
                answer = contestant.ask(f"time {WINDOWS_A_TURN.get(name, 100)}")
                if isinstance(answer, list) and turn:  # the first warms up
                    spent_ns[name] += answer
    return {name: median(durations_ns) / 1e3 for name, durations_ns in spent_ns.items()}


def cost_rows(spent_us: Mapping[str, float]) -> list[list[str]]:
    """Sort them, the cheapest first."""
    return [[name, f"{us:.1f}"] for name, us in sorted(spent_us.items(), key=lambda item: item[1])]


def cost_claims(spent_us: Mapping[str, float]) -> Iterator[Claim]:
    """Give what the documentation says of a window's cost."""
    ours_us = spent_us[OURS]
    yield Claim(f"begin + end ≤ {HIGHEST_US:.0f} µs: {ours_us:.1f}", ours_us <= HIGHEST_US)
    rival, least_us = min(((n, us) for n, us in spent_us.items() if n != OURS), key=lambda item: item[1])
    yield Claim(f"begin + end less than every peer's: {ours_us:.1f} µs, {rival} {least_us:.1f}", ours_us < least_us)


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def write(text: str) -> None:
    """Put the tables between the marks of README.md."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}{text}{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
