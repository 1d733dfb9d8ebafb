"""A user's project in a folder of its own, measured from replayed windows: exact, and quick."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from rig.forked import import_everything

import_everything()  # extension modules load once per process, and classes are compared: runs in it must find them

AROUND_100_J = (99.4, 100.7, 100.0, 99.9, 100.3, 99.8)
"""Six trials that differ as trials do."""

BENCH = """\
def test_encode(energy):
    energy(sum, [1, 2])

def test_decode(energy):
    energy(sum, [3, 4])
"""
ENCODE, DECODE = "test_bench.py::test_encode", "test_bench.py::test_decode"


def environment():
    """Give the variables of a child: nothing decides but what a test sets, and no other plugin is loaded."""
    ours = ("ENERGYGATE_", "PYTEST_", "GIT_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p energygate",
        "PYTHONDONTWRITEBYTECODE": "1",  # a test file that is written anew within a second is read anew
        "TERM": "xterm",
    }


def write_windows(folder, factors):
    """Record the windows of one session: six of each benchmark, so many times about 100 J."""
    lines = [
        json.dumps({"benchmark": name, "energy_j": {"package-0": factor * joules}, "duration_s": 3.0})
        for name, factor in factors.items()
        for joules in AROUND_100_J
    ]
    (folder / "windows.jsonl").write_text("\n".join(lines))


MEASURE = ("--energy", "--energy-meters=replay:windows.jsonl", "--energy-trials=6")


@pytest.fixture(scope="session")
def stored_sessions(tmp_path_factory):
    """The baselines of BENCH: three sessions, recorded through the plugin, that differ as days do."""
    folder = tmp_path_factory.mktemp("stored")
    (folder / "test_bench.py").write_text(BENCH)
    for factor in (1.0, 1.004, 0.997):
        write_windows(folder, {ENCODE: factor, DECODE: factor})
        command = [sys.executable, "-m", "pytest", "-q", *MEASURE, "--energy-mode=record"]
        subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return folder / "baselines"


class Project:
    """A folder with BENCH and the windows of one session, and pytest to run there."""

    def __init__(self, path, pytester, stored_sessions):
        self.path = path
        self._pytester = pytester
        self._stored_sessions = stored_sessions
        self.write("test_bench.py", BENCH)
        self.session()

    def write(self, file, text):
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def session(self, *, test_encode=1.0, test_decode=1.0):
        """Replace the windows: so many times about 100 J."""
        write_windows(self.path, {ENCODE: test_encode, DECODE: test_decode})

    def session_of(self, *benchmarks):
        """Replace the windows by some of these benchmarks, about 100 J each."""
        write_windows(self.path, dict.fromkeys(benchmarks, 1.0))

    def one_test(self, body, *, windows=AROUND_100_J):
        """Replace BENCH by one test, `test_it`, of this body, and the windows by these joules."""
        indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
        self.write("test_bench.py", f"import pytest\n\ndef test_it(energy):\n{indented}\n")
        lines = [json.dumps({"energy_j": {"package-0": joules}, "duration_s": 3.0}) for joules in windows]
        self.write("windows.jsonl", "\n".join(lines))

    def with_baselines(self):
        """Store three sessions of BENCH."""
        shutil.copytree(self._stored_sessions, self.path / "baselines")

    def run(self, *arguments):
        """Run pytest in this process, with modules and plugins of its own."""
        return self._pytester.runpytest_inprocess(*arguments)

    def run_alone(self, *arguments):
        """Run pytest in a process of its own: for what is imported, interrupts, and what ends a process."""
        return self._pytester.runpytest_subprocess(*arguments)

    def energy(self, *arguments):
        """Run `pytest --energy` on the windows, with six trials unless the arguments say otherwise."""
        return self.run(*MEASURE, *arguments)

    def stored(self):
        return sorted(path.relative_to(self.path) for path in self.path.glob("baselines/*/*"))

    def json(self, file):
        return json.loads((self.path / file).read_text())

    @staticmethod
    def section(result):
        """The lines of the energy section, without its heading and what pytest itself writes below."""
        found = re.search(r"^=+ energy =+\n(.*?)^(?:[=!]|\d+ )", f"{result.stdout.str()}\n=", re.DOTALL | re.MULTILINE)
        assert found, result.stdout.str()
        return [line for line in found[1].splitlines() if line]

    @classmethod
    def verdict(cls, result):
        """The last line of the energy section."""
        return cls.section(result)[-1]

    @staticmethod
    def usage_error(result):
        """What pytest says before it does anything: the sentences of a usage error."""
        assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str() + result.stderr.str()
        assert "passed" not in result.stdout.str()
        return " ".join(line.removeprefix("ERROR: ") for line in result.errlines if line)


@pytest.fixture
def live_powercap(live_powercap, project):
    """Live counters, and a configuration by which nothing that runs beside the tests is noise."""
    project.write("energygate.yml", "version: 1\nnoise: {foreign: 100%, pressure: 100%, steal: 100%}\n")
    return live_powercap


@pytest.fixture
def project(pytester, monkeypatch, stored_sessions):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # as in a child
    wanted = environment()
    for name in os.environ.keys() - wanted.keys():
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        if name not in {"HOME", "USERPROFILE"}:  # pytester gave the child a home of its own
            monkeypatch.setenv(name, value)
    return Project(pytester.path, pytester, stored_sessions)
