import pytest

from energygate.measure.cpu_settings import CpuSettings
from energygate.measure.machine import Roots, describe_machine
from energygate.measure.sensors import Sensors

CPU = "devices/system/cpu"
NOTHING = {"governor": None, "epp": None, "turbo": None, "power_limits_w": None}


@pytest.fixture
def sysfs(tmp_path):
    def make(files):
        for path, content in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        return tmp_path

    return make


def zones(folder):
    """Two packages with their limits, and what is no package."""
    names = {"intel-rapl:0": "package-0", "intel-rapl:1": "package-1", "intel-rapl:2": "psys", "intel-rapl:0:0": "dram"}
    return {
        path: content
        for zone, name in names.items()
        for path, content in {
            f"{folder}/{zone}/name": name,
            f"{folder}/{zone}/constraint_0_power_limit_uw": 205_000_001,
            f"{folder}/{zone}/constraint_1_power_limit_uw": 246_000_000,
        }.items()
    }


def test_what_the_processors_are_set_to_is_read(sysfs):
    files = {
        f"{CPU}/cpufreq/policy0/scaling_governor": "powersave",
        f"{CPU}/cpufreq/policy1/scaling_governor": "performance",
        f"{CPU}/cpufreq/policy0/energy_performance_preference": "balance_power",
        f"{CPU}/intel_pstate/no_turbo": "1",
        "devices/virtual/powercap/intel-rapl/intel-rapl:0/name": "package-0",
        "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw": "125000000",
    }
    assert CpuSettings(sysfs(files)).read() == {
        "governor": ["performance", "powersave"],
        "epp": ["balance_power"],
        "turbo": False,
        "power_limits_w": {"package-0": [125, None]},
    }


def test_what_the_kernel_does_not_say_is_unknown(tmp_path):
    assert CpuSettings(tmp_path).read() == NOTHING


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"intel_pstate/no_turbo": "0"}, True),
        ({"intel_pstate/no_turbo": "1", "cpufreq/boost": "1"}, False),
        ({"cpufreq/boost": "1"}, True),
        ({"cpufreq/boost": "0"}, False),
        ({"cpufreq/boost": "?"}, None),
    ],
)
def test_turbo_is_told_by_whichever_switch_the_driver_has(sysfs, files, turbo):
    root = sysfs({f"{CPU}/{name}": text for name, text in files.items()})
    assert CpuSettings(root).read() == NOTHING | {"turbo": turbo}


@pytest.mark.parametrize("folder", ["devices/virtual/powercap/intel-rapl", "class/powercap/intel-rapl"])
def test_the_power_limits_that_are_watched_are_those_that_tell_machines_apart(sysfs, folder):
    root = sysfs(zones(folder))
    limits_w = {"package-0": [205, 246], "package-1": [205, 246]}
    assert Sensors(root).look().settings == {"power_limits_w": limits_w}
    assert describe_machine(Roots(sysfs=root, proc=root, root=root), meters={}).hard["power_limits_w"] == limits_w


def test_a_limit_that_changes_is_read_anew(sysfs):
    settings = CpuSettings(sysfs(zones("class/powercap/intel-rapl")))
    sysfs({"class/powercap/intel-rapl/intel-rapl:1/constraint_1_power_limit_uw": 95_000_000})
    assert settings.read()["power_limits_w"] == {"package-0": [205, 246], "package-1": [205, 95]}
