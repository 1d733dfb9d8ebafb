"""A side measured on the look-alike's GPU, while other processes are on it too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rig import lookalike

from energygate.baseline.schema import decode_run
from energygate.measure.assignment import VARIABLE, Assignment

pytestmark = pytest.mark.nvml

HERE, ABOVE = os.getpid(), os.getppid()
H100 = "NVIDIA H100 80GB HBM3, GPU-00000000-0000-0000-0000-000000000000"
ROOT = Path(__file__).parents[2]
BENCH = "import time\n\ndef test_wait(energy):\n    energy(time.sleep, 0.05)\n"


@pytest.fixture
def side(tmp_path, nvml_library, nvml_state):
    """Let pytest measure one trial for a driver, with these processes on the GPU: `side(driver=, pids=)`."""
    (tmp_path / "test_bench.py").write_text(BENCH)
    save = tmp_path / "run.json"

    def measure(*, driver, pids):
        nvml_state([{"energy_period": 0.002, "power_w": 210.0, "pids": pids}])
        assignment = Assignment(save=str(save), tree="/nowhere", driver=driver)
        environ = {
            **lookalike.environment(nvml_library, tmp_path / "gpus"),
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "ENERGYGATE_MIN_TIME": "0.5",
            VARIABLE: assignment.encoded(),
        }
        command = [sys.executable, "-m", "pytest", "-p", "energygate", "--energy", "--energy-meters=nvml"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
        return done, decode_run(save.read_bytes(), origin="run.json") if save.exists() else None

    return measure


def test_a_driver_that_holds_the_gpu_meanwhile_is_no_stranger_to_the_side_that_it_measures(side):
    done, run = side(driver=HERE, pids=[HERE])
    (trial,) = run.benchmarks[0].trials
    assert (done.returncode, trial.invalid, set(trial.energy_j)) == (0, None, {"gpu-0"}), done.stdout


@pytest.mark.parametrize(("driver", "stranger"), [(None, HERE), (HERE, ABOVE)], ids=["no driver", "above the driver"])
def test_a_process_that_is_of_no_drivers_job_refuses_the_side(side, driver, stranger):
    done, run = side(driver=driver, pids=[stranger])
    assert run is None
    assert f"Another process is on gpu-0 ({H100}): pid {stranger}" in done.stderr
