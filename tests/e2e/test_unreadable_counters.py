"""Counters that exist and that this user may not read, as a shell sees it: the reason, the fix, exit code 5."""

import json
import os
import subprocess
import sys

import pytest
from rig.adapters import UNPRIVILEGED

from energygate.meters.host import Host
from energygate.meters.rapl.texts import permission

SUITE = 'version: 1\nsuites:\n  - {name: one, kind: command, command: ["touch", "ran"]}\n'


@pytest.fixture
def counters(powercap):
    """A machine whose counters root alone may read, as the kernel has them since 2020."""
    tree = powercap("server2")
    for zone in tree.machine.zones:
        tree.energy_file(zone).chmod(0)
    return tree


@pytest.fixture
def energygate(tmp_path):
    """Run the command line as a user to whom modes apply, in a folder with one suite, on a machine without a GPU."""
    (tmp_path / "a.energy.yml").write_text(SUITE)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libnvidia-ml.so.1").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENERGYGATE_")}
    drop = UNPRIVILEGED if os.geteuid() == 0 else ()

    def run(*arguments):
        done = subprocess.run(
            [*drop, sys.executable, "-m", "energygate", *map(str, arguments)],
            cwd=tmp_path,
            env=kept | {"LD_LIBRARY_PATH": str(tmp_path / "lib")},
            capture_output=True,
            text=True,
            check=False,
        )
        if "setpriv" in done.stderr:
            pytest.skip(f"{done.stderr.strip()}: this would have shown what a user hears who may not read the counters")
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def denied(counters):
    return f"Cannot read {counters.energy_file('intel-rapl:0')}: permission denied."


def test_a_run_that_asks_for_them_ends_with_the_commands_that_open_them(energygate, counters, tmp_path):
    done = energygate("run", "a.energy.yml", "--mode", "measure", "--meters", "rapl", "--sysfs", counters.root)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(
        f"error: {denied(counters)} Without it package energy is unknown, so this run cannot be gated. Give the "
        f"runner's group read access (docs/measuring.md#rapl-permission):\n{permission(Host().user)}\n"
    )
    assert not (tmp_path / "ran").exists()


def test_a_run_that_takes_what_it_finds_says_so_and_decides_nothing(energygate, counters):
    done = energygate(
        "run", "a.energy.yml", "--meters", "auto", "--sysfs", counters.root, "--trials", "2", "--save", "run.json"
    )
    assert done.returncode == 5
    assert f"rapl: not used: {denied(counters)}\n" in done.stderr
    assert "NO HARDWARE COUNTER can be used here" in done.stderr
    assert done.stdout.splitlines()[-1] == "energy: FAILED, 1 of 1 benchmark invalid"


def test_doctor_names_the_counter_and_prints_what_is_to_be_typed(energygate, counters):
    done = energygate("doctor", "--sysfs", counters.root)
    assert (done.returncode, done.stderr) == (5, "")
    shown = done.stdout.splitlines()
    typed = [line for line in permission(Host().user).splitlines() if not line.endswith(":")]
    first = shown.index(typed[0])
    assert [line for line in shown[first:] if line in typed] == typed


def test_doctor_says_the_same_to_a_program(energygate, counters):
    done = energygate("doctor", "--json", "--sysfs", counters.root)
    [rapl] = [meter for meter in json.loads(done.stdout)["meters"] if meter["name"] == "rapl"]
    assert (done.returncode, rapl["usable"], rapl["domains"]) == (5, False, [])
    assert denied(counters) in json.dumps(rapl)
    assert json.dumps(permission(Host().user))[1:-1] in json.dumps(rapl)
