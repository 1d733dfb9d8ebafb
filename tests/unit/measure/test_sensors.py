import pytest

from energygate.measure.sensors import Sensed, Sensors, settings_changed, throttled_between


@pytest.fixture
def files(tmp_path):
    """Write files of sysfs by their path."""

    def write(**by_path):
        for path, content in by_path["files"].items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{content}\n")
        return tmp_path

    return write


CPU = "devices/system/cpu"


def a_thread(cpu, *, package, core, throttled=0):
    return {
        f"{CPU}/cpu{cpu}/topology/physical_package_id": package,
        f"{CPU}/cpu{cpu}/topology/core_id": core,
        f"{CPU}/cpu{cpu}/thermal_throttle/core_throttle_count": throttled,
        f"{CPU}/cpu{cpu}/thermal_throttle/package_throttle_count": throttled,
    }


TWO_SOCKETS = {
    key: value
    for cpu, (package, core) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1), (0, 0), (0, 1), (1, 0), (1, 1)])
    for key, value in a_thread(cpu, package=package, core=core).items()
}


def test_a_machine_without_sensors_has_none(tmp_path):
    assert Sensors(tmp_path).look() == Sensed()


def test_throttling_is_counted_once_for_each_core_and_each_package(files):
    sensors = Sensors(files(files=TWO_SOCKETS))
    before = sensors.look()
    assert len(before.throttles) == 4 + 2
    hot = {key: 5 for key in TWO_SOCKETS if key.endswith("cpu1/thermal_throttle/core_throttle_count")}
    hot |= {key: 1 for key in TWO_SOCKETS if key.endswith("cpu2/thermal_throttle/package_throttle_count")}
    files(files=hot)
    assert throttled_between(before, sensors.look()) == 5 + 1


def test_threads_whose_place_is_unknown_are_each_counted(files):
    places = {key: value for key, value in TWO_SOCKETS.items() if "topology" not in key}
    assert len(Sensors(files(files=places)).look().throttles) == 16


def test_a_processor_that_was_switched_off_in_the_window_is_left_out(files):
    sysfs = files(files=a_thread(0, package=0, core=0) | a_thread(1, package=0, core=1))
    sensors = Sensors(sysfs)
    before = sensors.look()
    (sysfs / CPU / "cpu1/thermal_throttle/core_throttle_count").unlink()
    assert throttled_between(before, sensors.look()) == 0


def test_where_throttling_is_not_counted_it_is_unknown():
    assert throttled_between(Sensed(), Sensed()) is None


SETTINGS = {
    f"{CPU}/cpufreq/policy0/scaling_governor": "performance",
    f"{CPU}/cpufreq/policy1/scaling_governor": "performance",
    f"{CPU}/cpufreq/policy0/energy_performance_preference": "performance",
    f"{CPU}/intel_pstate/no_turbo": "1",
    "devices/virtual/powercap/intel-rapl/intel-rapl:0/name": "package-0",
    "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw": "125000000",
    "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_1_power_limit_uw": "150000000",
    "devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:0/name": "dram",
    "devices/virtual/powercap/intel-rapl/intel-rapl:0/intel-rapl:0:0/constraint_0_power_limit_uw": "7000000",
}


def test_what_the_processors_are_set_to_is_read(files):
    assert Sensors(files(files=SETTINGS)).look().settings == {
        "governor": ["performance"],
        "epp": ["performance"],
        "turbo": False,
        "power_limits_w": {"package-0": [125, 150]},
    }


@pytest.mark.parametrize(("boost", "turbo"), [("1", True), ("0", False)])
def test_boost_of_other_drivers_is_turbo_too(files, boost, turbo):
    assert Sensors(files(files={f"{CPU}/cpufreq/boost": boost})).look().settings == {"turbo": turbo}


def test_every_setting_that_changed_is_named_with_both_values(files):
    sensors = Sensors(files(files=SETTINGS))
    before = sensors.look()
    assert settings_changed(before, sensors.look()) == ()
    changes = {
        f"{CPU}/cpufreq/policy1/scaling_governor": "powersave",
        f"{CPU}/intel_pstate/no_turbo": "0",
        "devices/virtual/powercap/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw": "95000000",
    }
    files(files=changes)
    assert settings_changed(before, sensors.look()) == (
        "governor: performance \N{RIGHTWARDS ARROW} performance, powersave",
        "power_limits_w.package-0: 125, 150 \N{RIGHTWARDS ARROW} 95, 150",
        "turbo: False \N{RIGHTWARDS ARROW} True",
    )


def hwmon(number, name, **labels):
    files = {f"class/hwmon/hwmon{number}/name": name}
    for i, (label, milli) in enumerate(labels.items(), start=1):
        files[f"class/hwmon/hwmon{number}/temp{i}_label"] = label.replace("_", " ")
        files[f"class/hwmon/hwmon{number}/temp{i}_input"] = milli
    return files


@pytest.mark.parametrize(
    ("present", "degrees"),
    [
        pytest.param(hwmon(0, "coretemp", Package_id_0=51000, Core_0=70000), 51.0, id="the package, not a core"),
        pytest.param(hwmon(0, "k10temp", Tctl=44125), 44.125, id="AMD"),
        pytest.param(
            hwmon(0, "coretemp", Package_id_0=40000) | hwmon(1, "coretemp", Package_id_1=62000), 62.0, id="the hottest"
        ),
        pytest.param(hwmon(0, "nvme", Composite=90000), None, id="another device"),
        pytest.param(
            {"class/thermal/thermal_zone0/type": "acpitz", "class/thermal/thermal_zone0/temp": 27800}
            | {"class/thermal/thermal_zone1/type": "x86_pkg_temp", "class/thermal/thermal_zone1/temp": 48000},
            48.0,
            id="the thermal zone of a package, not that of the board",
        ),
        pytest.param({"class/thermal/thermal_zone0/type": "cpu-thermal"}, None, id="a zone that cannot be read"),
        pytest.param(
            {"class/thermal/thermal_zone0/type": "cpu-thermal", "class/thermal/thermal_zone0/temp": -5000},
            -5.0,
            id="a cold Arm board",
        ),
    ],
)
def test_the_temperature_is_that_of_the_hottest_processor(files, present, degrees):
    assert Sensors(files(files=present)).look().temperature_c == degrees
