import pytest

from energygate.measure.plausibility import doubtful_readings
from energygate.meters.base import Domain
from energygate.meters.diagnosis import Probe

PARTS = {"package": "cpu", "dram": "dram", "gpu": "gpu"}


def read(power_w, **conditions):
    domains = tuple(Domain(name=name, part=PARTS[name.partition("-")[0]]) for name in power_w)
    return doubtful_readings(Probe(name="m", kind="counter", domains=domains, power_w=power_w, conditions=conditions))


@pytest.mark.parametrize(
    "power_w",
    [
        {"package-0": 1.0, "dram-0": 0.1, "gpu-0": 5.0},
        {"package-0": 1000.0, "dram-0": 400.0, "gpu-0": 735.0},
        {"dram-0": 5.0, "dram-1": 25.0},
        {},
    ],
)
def test_what_such_hardware_draws_is_no_finding(power_w):
    assert read(power_w, **{"gpu-0": {"power_limit_w": 700.0}}) == ()


@pytest.mark.parametrize(
    ("power_w", "words"),
    [
        ({"package-0": 0.3}, "package-0 shows 0.3 W, which is not between 1 and 1000 W."),
        ({"package-0": 1001.0}, "package-0 shows 1001 W, which is not between 1 and 1000 W."),
        ({"dram-0": 0.0}, "dram-0 shows 0 W, which is not between 0.1 and 400 W."),
        ({"gpu-0": 736.0}, "gpu-0 shows 736 W, which is not between 5 and 735 W."),
        ({"gpu-1": 2500.0}, "gpu-1 shows 2500 W, which is not between 5 and 2000 W."),
    ],
)
def test_what_cannot_be_is_told_with_its_figure_and_how_to_compare(power_w, words):
    [finding] = read(power_w, **{"gpu-0": {"power_limit_w": 700.0}, "gpu-1": {"power_limit_w": None}})
    assert finding.what == words
    assert finding.fix.splitlines()[-1].startswith(("sudo turbostat ", "nvidia-smi "))


def test_memory_of_one_socket_that_draws_five_times_the_others_is_told():
    [finding] = read({"package-0": 50.0, "dram-0": 200.0, "package-1": 50.0, "dram-1": 6.0})
    assert finding.what == "dram-0 shows 200 W and dram-1 6.00 W."
