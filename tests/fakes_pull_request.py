"""A project whose code draws energy from simulated counters: recorded, and gated in a pull request, as users do it."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from fakes_git import ROOT, Repository
from rig import drawing

JOULES = 5.0
REFRESHED_S = 0.01  # and whenever code draws
IDLE_W = 0.01  # so that the counter never stands still, and how long something takes is in no number
PRODUCT = "from rig.drawing import draw\n\n\ndef encode():\n    draw({joules} * {factor})\n"
BENCH = """\
from product import encode

def test_encode(energy):
    for trial in energy.trials():
        with trial:
            encode()
"""
CONFIG = """\
version: 1
meters: [rapl]
noise: {{foreign: 100%, pressure: 100%, steal: 100%}}
confirm: {confirm}
"""


class Verdict(NamedTuple):
    """How a gated session ended: pytest's status, and the row of its only benchmark."""

    status: int
    outcome: str
    how: str
    blocks: int


class PullRequest:
    """A repository beside its machine. The seed fixes what is drawn, and in which order blocks are measured."""

    def __init__(self, folder, *, seed):
        self.repository = Repository(folder / "project")
        self.repository.write("test_bench.py", BENCH)
        self.change(1.0)
        self._folder = folder
        self._seed = str(seed)
        self._sessions = 0

    def change(self, factor, *, confirm="{}"):
        """Commit code that draws so many times what the first did, and how it is confirmed."""
        self.repository.write("energygate.yml", CONFIG.format(confirm=confirm))
        self.repository.write("product.py", PRODUCT.format(joules=JOULES, factor=factor))
        self.repository.commit()

    def record(self, *options):
        """Add a session to the baselines."""
        done = self._pytest("--energy-mode=record", *options)
        assert done.returncode == 0, done.stdout

    def gate(self, *options):
        """Judge the last commit, with the one before it to measure again beside."""
        report = self._folder / "report.json"
        report.unlink(missing_ok=True)
        done = self._pytest("--energy-against=HEAD~1", f"--energy-report=json:{report}", *options)
        assert report.exists(), done.stdout
        (row,) = json.loads(report.read_text())["comparisons"]
        return Verdict(done.returncode, row["outcome"], row["how"], row["blocks"])

    def _pytest(self, *options):
        self._sessions += 1
        where = [f"--energy-{name}={self._folder / name}" for name in ("sysfs", "baselines")]
        alone = ("-p", "no:cacheprovider")
        words = [sys.executable, "-m", "pytest", *alone, "--energy", *where, f"--energy-min-time={drawing.WINDOW_S}"]
        return subprocess.run(
            [*words, *options],
            cwd=self.repository.folder,
            env=self._environ(),
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _environ(self):
        return {
            **self.repository.environ,
            "ENERGYGATE_SEED": self._seed,
            "PYTEST_ADDOPTS": "-p energygate",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            drawing.FOLDER: str(self._folder),
            drawing.SEED: self._seed,
            drawing.SESSION: str(self._sessions),
        }


@contextmanager
def pull_request(folder, *, seed):
    """Give one on a machine of its own, whose counters another process keeps."""
    (sysfs := folder / "sysfs").mkdir()
    os.mkfifo(commands := folder / "commands")
    with ExitStack() as stack:
        held = stack.enter_context(commands.open("r+b", buffering=0))  # it ends when nobody has it open any more
        words = [sys.executable, ROOT / "tests/rig/plain.py", sysfs, "one", str(REFRESHED_S)]
        with commands.open("rb") as reading:
            machine = stack.enter_context(subprocess.Popen(words, stdin=reading, stdout=subprocess.PIPE, text=True))
        stack.callback(held.close)
        assert machine.stdout.readline() == "ready\n"
        held.write(f"power {drawing.ZONE} {IDLE_W}\n".encode())
        assert machine.stdout.readline() == "done\n"
        yield PullRequest(folder, seed=seed)
