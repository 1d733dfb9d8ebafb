"""What energygate costs a test session that does not measure: CPU time of an empty pytest session.

Each contestant is a process of its own. They take turns, in an order that rotates, and what counts is user + system
CPU time as the kernel accounts it, so that a busy machine changes little.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from claims import Claim, give_up, settle

HIGHEST_RATIO = 1.05
ROUNDS = 30
IMPORT_ROUNDS = 60
WARM_UP = 2
EXIT_OK = 0
EXIT_NO_TESTS = 5  # pytest's answer to an empty session

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
ENERGYGATE = "-p energygate.pytest_plugin"
SESSIONS = {
    "bare pytest": PYTEST,
    "bare pytest again": PYTEST,  # what the ratios are good for
    "-p empty_module": (*PYTEST, "-p", "empty_module"),  # what -p itself costs
    ENERGYGATE: (*PYTEST, "-p", "energygate.pytest_plugin"),
    "-p pytest_benchmark.plugin": (*PYTEST, "-p", "pytest_benchmark.plugin"),
}
IMPORTS = {name: ("-c", name) for name in ("pass", "import typing", "import energygate")}


def main() -> int:
    """Measure, print, and settle the claim."""
    with tempfile.TemporaryDirectory(prefix="energygate-startup-") as name:
        folder = Path(name)
        for file in ("pytest.ini", "test_empty.py", "empty_module.py"):
            (folder / file).touch()
        sessions = take_turns(SESSIONS, folder, rounds=ROUNDS, expected=EXIT_NO_TESTS)
        imports = take_turns(IMPORTS, folder, rounds=IMPORT_ROUNDS, expected=EXIT_OK)
    return report(sessions, imports)


def take_turns(
    commands: Mapping[str, Sequence[str]], folder: Path, *, rounds: int, expected: int
) -> dict[str, list[float]]:
    """CPU milliseconds of each command in each round."""
    cpu_ms: dict[str, list[float]] = {name: [] for name in commands}
    order = list(commands)
    for done in range(WARM_UP + rounds):
        for name in order:
            spent_ms = run(commands[name], folder, expected=expected)
            if done >= WARM_UP:
                cpu_ms[name].append(spent_ms)
        order.append(order.pop(0))
    return cpu_ms


def run(arguments: Sequence[str], folder: Path, *, expected: int) -> float:
    """Run Python with these arguments: CPU milliseconds, user + system."""
    command = [sys.executable, *arguments]
    output = folder / "output.txt"
    with output.open("w") as stream:
        child = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=stream, stderr=stream)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != expected:
        give_up(f"{' '.join(command)} ended with {child.returncode}, not {expected}:\n{output.read_text()}")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def environment(folder: Path) -> dict[str, str]:
    """Give our own without what would change Python or pytest; compiled modules are cached, as for a user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPYCACHEPREFIX": str(folder / "pycache")}


def report(sessions: Mapping[str, Sequence[float]], imports: dict[str, list[float]]) -> int:
    """Print both tables and the claim."""
    bare_ms = sessions["bare pytest"]
    ratios = {name: over(spent_ms, bare_ms) for name, spent_ms in sessions.items()}
    print(f"An empty pytest session, without --energy: CPU time, medians of {ROUNDS} interleaved rounds\n")
    print(f"{'':28}  CPU ms  to bare")
    for name, spent_ms in sessions.items():
        print(f"{name:28}  {median(spent_ms):6.1f}  {ratios[name]:7.3f}")

    python_ms = imports.pop("pass")
    added = (f"{name} {median(spent_ms) - median(python_ms):.1f}" for name, spent_ms in imports.items())
    print(f"\nCPU ms over bare Python's {median(python_ms):.1f}: {', '.join(added)}")
    ratio = ratios[ENERGYGATE]
    return settle([Claim(f"energygate ≤ {HIGHEST_RATIO} times bare pytest: {ratio:.3f}", ratio <= HIGHEST_RATIO)])


def over(spent_ms: Sequence[float], bare_ms: Sequence[float]) -> float:
    """Give the median of the ratios of each round, which slow changes of the machine leave alone."""
    return median(spent / bare for spent, bare in zip(spent_ms, bare_ms, strict=True))


if __name__ == "__main__":
    sys.exit(main())
