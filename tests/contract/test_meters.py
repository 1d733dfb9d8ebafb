import json

import pytest
from rig.contract import CHECKS

from energygate.meters.estimate import Estimate
from energygate.meters.options import EstimateOptions
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.replay import Replay


@pytest.fixture
def make_rapl(powercap, host, clock):
    return lambda: Powercap(powercap("server2").root, host=host, clock=clock)


@pytest.fixture
def make_estimate(clock):
    return lambda: Estimate(EstimateOptions(), clock=clock)


@pytest.fixture
def make_replay(tmp_path, clock):
    (file := tmp_path / "windows.jsonl").write_text(
        (json.dumps({"energy_j": {"package-0": 2.0, "gpu-0": 3.0}, "duration_s": 1.0}) + "\n") * 3
    )
    return lambda: Replay(file, clock=clock)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["rapl", "estimate", "replay"])
def test_every_meter_keeps_the_contract(request, name, check):
    meter = request.getfixturevalue(f"make_{name}")()
    try:
        CHECKS[check](meter)
    finally:
        meter.close()


@pytest.mark.nvml
@pytest.mark.parametrize("check", CHECKS)
def test_nvml_keeps_the_contract(nvml_state, nvml_child, check):
    nvml_state([{"energy_period": 0.01}, {"energy_period": 0.02}])
    assert nvml_child().ask(f"check {check}") == "kept"
