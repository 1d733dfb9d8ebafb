"""The environment of pyRAPL and CodeCarbon (`make .venv/.adapters`), and a process in it that drives their meters."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from rig.child import Child

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = Path(sys.prefix) / "adapters/bin/python"
# Without the capabilities root may not read what its mode forbids.
UNPRIVILEGED = ("setpriv", *(f"--{kind}=-dac_override,-dac_read_search" for kind in ("bounding-set", "inh-caps")))


def missing():
    """What is not here, or None."""
    return None if PYTHON.exists() else f"environment {PYTHON.parent.parent} (make .venv/.adapters)"


@contextmanager
def started(words, *, cwd, env):
    """A child of these words: `started([PYTHON, CHILD, "pyrapl", "/sys", cpuinfo], ...)`."""
    paths = {"PYTHONPATH": f"{ROOT}:{HERE.parent}", "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        words, text=True, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | env | paths
    ) as process:
        yield Child(process)
        process.communicate()
