"""The environment of pyRAPL and CodeCarbon (`make .venv/.adapters`), and a process in it that drives their meters."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = Path(sys.prefix) / "adapters/bin/python"
# Without the capabilities root may not read what its mode forbids.
UNPRIVILEGED = ("setpriv", *(f"--{kind}=-dac_override,-dac_read_search" for kind in ("bounding-set", "inh-caps")))


def missing():
    """What is not here, or None."""
    return None if PYTHON.exists() else f"environment {PYTHON.parent.parent} (make .venv/.adapters)"


class AdapterChild:
    """`ask("open")` runs a command of adapter_child.py; `said` is what came out at its standard error."""

    def __init__(self, process):
        self._process = process

    def ask(self, command):
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def ask_all(self, commands):
        return [self.ask(command) for command in commands.split(", ")][-1]

    @property
    def said(self):
        """Ends it, and gives what it wrote to the terminal."""
        return self._process.communicate()[1]


@contextmanager
def started(words, *, cwd, env):
    """A child of these words: `started([PYTHON, CHILD, "pyrapl", "/sys", cpuinfo], ...)`."""
    paths = {"PYTHONPATH": f"{ROOT}:{HERE.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, text=True, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | paths | env
    ) as process:
        yield AdapterChild(process)
        process.communicate()
