"""`energygate doctor` as a shell starts it, on simulated hardware."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from rig import lookalike
from rig.fixtures import skip
from rig.forked import run_energygate

from energygate.measure.calibrate import Calibrator, fit
from energygate.meters.rapl.powercap import Powercap


@pytest.fixture
def doctor(tmp_path):
    """Run it in an empty folder: exit code and both streams."""

    def run(*arguments, wrap=(), **environ):
        if not wrap:
            code, out, err = run_energygate("doctor", *arguments, cwd=tmp_path, env=inherited() | environ)
            assert "Traceback" not in err, err
            return code, out, err
        with start(tmp_path, *arguments, wrap=wrap, **environ) as process:
            out, err = process.communicate()
        assert "Traceback" not in err, err
        return process.returncode, out, err

    return run


def inherited():
    return {name: value for name, value in os.environ.items() if not name.startswith(("ENERGYGATE_", "RUNNER_"))}


def start(folder, *arguments, wrap=(), **environ):
    command = [sys.executable, "-m", "energygate", "doctor", *map(str, arguments)]
    return subprocess.Popen(
        [*wrap, *command],
        cwd=folder,
        env=inherited() | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_counter_that_works_is_shown_with_its_watts(doctor, live_powercap):
    code, out, err = doctor("--sysfs", live_powercap("one").root)
    assert (code, err) == (0, "")
    assert out.startswith("energygate doctor: 1 of ")
    assert "\nrapl        package-0    " in out
    assert out.splitlines()[-1] == "Energy can be measured here by rapl."


def test_the_document_holds_nothing_else(doctor, live_powercap):
    code, out, err = doctor("--sysfs", live_powercap("server2").root, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    [rapl, nvml] = document["meters"]
    assert (document["usable"], rapl["name"], rapl["usable"], nvml["usable"]) == (True, "rapl", True, False)
    powers_w = {domain["name"]: domain["power_w"] for domain in rapl["domains"]}
    assert powers_w == pytest.approx({"package-0": 50, "dram-0": 6, "package-1": 40, "dram-1": 5}, rel=0.05)


def test_without_a_counter_it_is_5_with_the_reason(doctor, tmp_path):
    (empty := tmp_path / "sysfs").mkdir()
    code, out, err = doctor("--sysfs", empty)
    assert (code, err) == (5, "")
    assert "\nrapl        not usable [1]: No RAPL counters in" in out
    assert out.splitlines()[-1].endswith("`allow_estimates: true`.")
    assert doctor("--sysfs", empty, "--quiet") == (
        5,
        (
            "No hardware counter can be used here, so a run measures no energy: it estimates it from CPU seconds, "
            "labelled so. That decides only with `allow_estimates: true`.\n"
        ),
        "",
    )


def test_the_configuration_is_read_and_one_that_is_broken_is_named(doctor, tmp_path, live_powercap):
    root = live_powercap("one").root
    (tmp_path / "energygate.yml").write_text(f"version: 1\nsysfs: {root}\ntrials: {{min_time: 4}}\nmeters: [rapl]\n")
    code, out, _ = doctor("--json")
    assert (code, json.loads(out)["meters"][0]["trial_s"]) == (0, 4.0)
    (tmp_path / "energygate.yml").write_text("version: 1\nrapl: {virtual: maybe}\n")
    code, out, err = doctor()
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tmp_path}/energygate.yml:2: rapl.virtual: ")


def test_a_hosted_runner_is_told_what_it_is(doctor, tmp_path):
    (empty := tmp_path / "sysfs").mkdir()
    _, out, _ = doctor("--sysfs", empty, RUNNER_ENVIRONMENT="github-hosted", ImageOS="ubuntu24")
    assert "This is a GitHub-hosted runner (ubuntu24)." in out
    assert "    runs-on: [self-hosted, energy]\n" in out


@pytest.mark.nvml
def test_gpus_are_shown_beside_the_processor(doctor, live_powercap, nvml_library, nvml_state, tmp_path):
    nvml_state([{"energy_period": 0.02, "power_w": 210.0}, {"energy_period": 0.02, "power_w": 1.0}])
    environ = lookalike.environment(nvml_library, tmp_path / "gpus")
    code, out, err = doctor("--sysfs", live_powercap("one").root, **environ)
    assert (code, err) == (0, "")
    assert out.startswith("energygate doctor: 2 of 2 hardware counters usable")
    assert "\nnvml        gpu-0        2" in out
    assert re.search(r"gpu-1 shows [\d.]+ W, which is not between 5 and 735 W\.", out)
    assert out.splitlines()[-1] == "Energy can be measured here by rapl and nvml."


@pytest.mark.alone
def test_calibration_gives_back_the_watts_of_the_machine(live_powercap, host):
    tree = live_powercap("server2", period_s=0.005)
    tree.command("power intel-rapl:0 20 9")
    tree.command("power intel-rapl:1 12")
    meter = Powercap(tree.root, host=host)
    # Others' work costs power on this machine too, so the line holds beside them, as long as there is one.
    levels = list(Calibrator(meter=meter, seconds=0.5, most_foreign=1.0).measure())
    if max(level.busy for level in levels) < 3 * min(level.busy for level in levels):
        reason = "the machine is busy: this would have shown that calibration gives back the watts that were planted"
        skip(reason, unless="ENERGYGATE_REQUIRE_QUIET")
    found = fit(levels)
    assert found.watts_per_core == pytest.approx(9.0, rel=0.1)
    assert found.base_w == pytest.approx(32.0, rel=0.1)


def test_a_calibration_without_a_counter_is_refused_with_the_counters_reason(doctor, tmp_path):
    (empty := tmp_path / "sysfs").mkdir()
    code, out, err = doctor("--calibrate", "--sysfs", empty)
    assert (code, out) == (5, "")
    assert err.startswith(f"error: No RAPL counters in {empty}")
    assert not (tmp_path / "energygate.yml").exists()


def test_an_interrupted_calibration_leaves_nothing_running_and_nothing_written(tmp_path, live_powercap):
    tree = live_powercap("one")
    with start(tmp_path, "--calibrate", "--sysfs", tree.root) as process:
        assert process.stderr.readline().endswith("let nothing else run.\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "interrupted")
    assert not (tmp_path / "energygate.yml").exists()
