import os
import threading
from pathlib import Path

import pytest

from energygate.errors import ConfigError, MeterUnavailable
from energygate.meters.base import Window
from energygate.meters.estimate import EstimateConstants
from energygate.meters.select import MeterOptions, Probe, open_meters, probe

LINE = '{"energy_j": {"package-0": 2.0}, "duration_s": 1.0}\n'


@pytest.fixture
def options(powercap, host, clock):
    return MeterOptions(sysfs=powercap("server2").root, host=host, clock=clock)


def test_rapl_is_opened_by_name(options):
    with open_meters(["rapl"], options).group as group:
        assert [info.name for info in group.infos] == ["rapl"]
        assert [domain.name for domain in group.domains] == ["package-0", "dram-0", "package-1", "dram-1"]


def test_the_estimate_is_opened_by_name_with_its_constants(clock):
    options = MeterOptions(estimate=EstimateConstants(watts_per_core=8.0), clock=clock)
    with open_meters(["estimate"], options).group as group:
        assert group.meters[0].constants == {"watts_per_core": 8.0, "base_w": 0.0}


def test_a_replay_is_opened_by_its_file(tmp_path):
    (file := tmp_path / "windows.jsonl").write_text(LINE)
    with open_meters([f"replay:{file}"], MeterOptions()).group as group:
        assert group.end(group.begin(Window())).energy_j == {"package-0": 2.0}
        assert group.is_replay


@pytest.mark.parametrize("names", [["volts"], ["auto", "rapl"], ["pyrapl"], ["prometheus"], ["replay"], []])
def test_a_name_that_is_not_known_is_refused_with_the_list(options, names):
    wrong = names[0] if names else ""
    with pytest.raises(ConfigError) as refused:
        open_meters(names, options)
    assert str(refused.value) == (
        f"--energy-meters names {wrong!r}. There is no such meter to be had alone or beside others. Allowed: auto, "
        "rapl, nvml, estimate, replay:FILE; auto and replay:FILE stand alone."
    )


def test_a_replay_stands_alone(options):
    with pytest.raises(ConfigError) as refused:
        open_meters(["rapl", "replay:FILE"], options)
    assert str(refused.value) == (
        "--energy-meters=rapl,replay:FILE mixes a replay with other meters. Recorded and live energy are not of the "
        "same window. Let replay:FILE stand alone."
    )


@pytest.mark.parametrize("second", ["rapl", "estimate"])
def test_meters_that_do_not_go_together_are_closed_again(options, second):
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(ConfigError, match=r"Name one of them in --energy-meters\.$"):
        open_meters(["rapl", second], options)
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert "energygate-rapl" not in {thread.name for thread in threading.enumerate()}


def test_a_named_meter_that_cannot_open_gives_its_own_reason_and_closes_the_others(tmp_path, host):
    with pytest.raises(MeterUnavailable, match=f"^No RAPL counters in {tmp_path}"):
        open_meters(["estimate", "rapl"], MeterOptions(sysfs=tmp_path, host=host))


def test_the_real_machine_is_the_default():
    assert MeterOptions().sysfs == Path("/sys")


def test_a_probe_reads_watts_by_domain(powercap, host, clock):
    tree = powercap("server2")
    rapl, nvml = probe(MeterOptions(sysfs=tree.root, host=host, clock=clock), seconds=2.0, sleep=tree.pass_time)
    assert (rapl.name, rapl.usable, [info.name for info in rapl.infos]) == ("rapl", True, ["rapl"])
    assert rapl.power_w == pytest.approx({"package-0": 50, "dram-0": 6, "package-1": 40, "dram-1": 5}, abs=2e-4)
    assert nvml.name == "nvml"


def test_a_probe_of_what_cannot_be_used_says_what_why_and_the_fix(tmp_path, powercap, host, clock):
    rapl, _ = probe(MeterOptions(sysfs=powercap("psys-only").root, host=host, clock=clock), sleep=clock.sleep)
    assert rapl == Probe(
        name="rapl",
        what=f"No package among the RAPL counters in {tmp_path}/sysfs-psys-only, only psys.",
        why="Those hold more or less than the processors' energy, so they are not measured by accident.",
        fix="Use a machine with package counters, or another meter with --energy-meters.",
    )
    assert not rapl.usable


def test_a_probe_whose_reading_fails_is_not_usable(powercap, host, clock):
    tree = powercap("one")

    def lose(seconds):
        os.truncate(tree.energy_file("intel-rapl:0"), 0)

    rapl, _ = probe(MeterOptions(sysfs=tree.root, host=host, clock=clock), sleep=lose)
    assert not rapl.usable
    assert [info.domains for info in rapl.infos] == [("package-0",)]
    assert rapl.what == (
        f"{tree.energy_file('intel-rapl:0')} exists and cannot be read: it holds no number. The energy of package-0 is "
        "unknown."
    )
