"""Fixtures of the simulated hardware, for every test.

`powercap`, `live_powercap`, `fuse_powercap` and `nvml` are factories; what they made is taken down after the test.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from rig import adapters, lookalike, mount, namespace
from rig.child import Child
from rig.lookalike import LookAlike
from rig.machine import Machine
from rig.plain import FakeClock, PlainTree

from energygate.meters.host import Host
from energygate.meters.rapl.powercap import Powercap

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def host(tmp_path):
    """Facts of a bare-metal Intel machine, not of the one that runs the tests."""
    return make_host(tmp_path)


def make_host(folder, *, vendor="GenuineIntel", flags="fpu msr", marks=(), sysfs=None):
    cpuinfo = folder / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n")
    return Host(
        cpuinfo=cpuinfo,
        sysfs=sysfs or folder / "own-sysfs",
        mountinfo=folder / "mountinfo",
        msr=folder / "msr",
        devices=folder / "dev",
        container_marks=marks,
        user="runner",
    )


@pytest.fixture
def powercap(tmp_path, clock):
    """Make a tree of plain files that follows the fake clock exactly: `powercap("server2")`."""
    with ExitStack() as trees:

        def make(layout):
            machine = Machine(layout, clock=clock, period_s=0.0)
            return trees.enter_context(PlainTree(tmp_path / f"sysfs-{layout}", machine))

        yield make


@pytest.fixture
def rapl(host, clock):
    """Open the meter on a tree of plain files: `rapl(tree)`."""
    with ExitStack() as meters:

        def make(tree, *, host=host, options=None):
            meter = Powercap(tree.root, options=options, host=host, clock=clock, sleep=tree.pass_time)
            meters.callback(meter.close)
            meter.open()
            return meter

        yield make


def skip(reason, *, unless):
    """Leave the test out, unless the environment says that this machine has what it needs."""
    if os.environ.get(unless) == "1":
        pytest.fail(f"{unless}=1, but {reason}")
    pytest.skip(reason)


class LiveTree:
    """A tree that another process refreshes from the real clock."""

    def __init__(self, root, writer):
        self.root = root
        self._writer = writer

    def command(self, line):
        """Tell the machine: `power intel-rapl:0 120`; the files show it when this returns."""
        assert self._ask(line) == "done\n"

    def truth(self):
        """Joules used until now: `{"at_s":, "busy_s":, "used_j": {"intel-rapl:0":}}`."""
        return json.loads(self._ask("truth"))

    def _ask(self, line):
        self._writer.stdin.write(f"{line}\n")
        self._writer.stdin.flush()
        return self._writer.stdout.readline()


@pytest.fixture
def live_powercap():
    """Start a tree that lives: `live_powercap("one")`; on tmpfs where there is one."""
    with ExitStack() as stack:

        def start(layout, *, period_s=0.001):
            memory = Path("/dev/shm")
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
            command = [sys.executable, HERE / "plain.py", folder, layout, str(period_s)]
            writer = stack.enter_context(
                subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            stack.callback(writer.stdin.close)
            assert writer.stdout.readline() == "ready\n"
            return LiveTree(Path(folder), writer)

        yield start


@pytest.fixture
def fuse_powercap():
    """Mount a tree: `fuse_powercap("server2", "--mode=0444")`, with the options of fuse.py."""
    if missing := mount.missing():
        reason = f"no {missing}: this would have shown how counters are read that advance on their own"
        skip(reason, unless="ENERGYGATE_REQUIRE_FUSE")
    with ExitStack() as trees:
        yield lambda layout, *options: trees.enter_context(mount.mounted(layout, *options))


@pytest.fixture
def at_real_paths():
    """Words that run a command where /sys shows a tree: `at_real_paths(tree.root, "cat", "/sys/...", sockets=2)`."""
    if missing := namespace.missing():
        reason = f"no {missing}: this would have shown what a library reads that has its paths below /sys written in"
        skip(reason, unless="ENERGYGATE_REQUIRE_NAMESPACE")
    return namespace.command


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    """The folder of the built look-alike."""
    if missing := lookalike.missing():
        reason = f"no {missing}: this would have shown that the NVML meter reads GPUs through the real bindings"
        skip(reason, unless="ENERGYGATE_REQUIRE_NVML")
    folder = tmp_path_factory.mktemp("nvml")
    lookalike.build(folder)
    return folder


@pytest.fixture
def nvml_state(tmp_path):
    """Make GPUs: `nvml_state([{"energy_period": 0.1}])`."""

    def make(gpus, **driver):
        return LookAlike(tmp_path / "gpus", gpus, **driver)

    return make


@pytest.fixture
def nvml_child(tmp_path, nvml_library, host):
    """Start a process that reads the GPUs of `nvml_state`: `nvml_child()`."""
    with ExitStack() as stack:

        def start(*, state=tmp_path / "gpus", sysfs=tmp_path, library=nvml_library):
            command = [sys.executable, "-W", "error", HERE / "nvml_child.py", sysfs, host.cpuinfo]
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    text=True,
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**lookalike.environment(library, state), "PYTHONPATH": f"{ROOT}:{HERE.parent}"},
                )
            )
            stack.callback(process.stdin.close)
            return Child(process)

        yield start


@pytest.fixture
def adapter_child(tmp_path, host):
    """Start a process of adapter_child.py: `adapter_child("codecarbon")`; `wrap` puts words before its own."""
    if missing := adapters.missing():
        reason = f"no {missing}: this would have shown that pyRAPL and CodeCarbon are used right"
        skip(reason, unless="ENERGYGATE_REQUIRE_ADAPTERS")
    (cwd := tmp_path / "cwd").mkdir()
    with ExitStack() as stack:

        def start(meter, *options, wrap=lambda *words: words, sysfs="/sys", host=host, **env):
            child = [str(HERE / "adapter_child.py"), meter, str(sysfs), str(host.cpuinfo), *options]
            words = wrap(str(adapters.PYTHON), "-W", "error", *child)
            return stack.enter_context(adapters.started(words, cwd=cwd, env=env))

        yield start
