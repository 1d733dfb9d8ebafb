import threading
from pathlib import Path

import pytest

from energygate.errors import ConfigError, MeterUnavailable
from energygate.meters.base import Window
from energygate.meters.options import EstimateOptions
from energygate.meters.select import MeterOptions, open_meters

LINE = '{"energy_j": {"package-0": 2.0}, "duration_s": 1.0}\n'


@pytest.fixture
def options(powercap, host, clock):
    return MeterOptions(sysfs=powercap("server2").root, host=host, clock=clock)


def test_rapl_is_opened_by_name(options):
    with open_meters(["rapl"], options).group as group:
        assert [info.name for info in group.infos] == ["rapl"]
        assert [domain.name for domain in group.domains] == ["package-0", "dram-0", "package-1", "dram-1"]


def test_the_estimate_is_opened_by_name_with_its_constants(clock):
    options = MeterOptions(estimate=EstimateOptions(watts_per_core=8.0), clock=clock)
    with open_meters(["estimate"], options).group as group:
        assert group.meters[0].constants == {"watts_per_core": 8.0, "base_w": 0.0, "calibrated": None}


def test_a_replay_is_opened_by_its_file(tmp_path):
    (file := tmp_path / "windows.jsonl").write_text(LINE)
    with open_meters([f"replay:{file}"], MeterOptions()).group as group:
        assert group.end(group.begin(Window())).energy_j == {"package-0": 2.0}
        assert group.is_replay


@pytest.mark.parametrize("names", [["volts"], ["auto", "rapl"], ["replay"], []])
def test_a_name_that_is_not_known_is_refused_with_the_list(options, names):
    wrong = names[0] if names else ""
    with pytest.raises(ConfigError) as refused:
        open_meters(names, options)
    assert str(refused.value) == (
        f"--energy-meters names {wrong!r}. There is no such meter to be had alone or beside others. Allowed: auto, "
        "rapl, nvml, pyrapl, prometheus, codecarbon, estimate, replay:FILE; auto and replay:FILE stand alone."
    )


def test_prometheus_without_its_block_says_what_to_write(options):
    with pytest.raises(ConfigError) as refused:
        open_meters(["prometheus"], options)
    assert str(refused.value) == (
        "The meter prometheus is asked for, and nothing says where it is. Without an address and a preset there is "
        'nothing to scrape. Add to energygate.yml: prometheus: {url: "http://127.0.0.1:9090", preset: node_exporter}. '
        "From Python, give open_meters the same: prometheus={...}."
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
    with pytest.raises(ConfigError, match=r"Name one of them in --energy-meters\."):
        open_meters(["rapl", second], options)
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert "energygate-rapl" not in {thread.name for thread in threading.enumerate()}


def test_a_named_meter_that_cannot_open_gives_its_own_reason_and_closes_the_others(tmp_path, host):
    with pytest.raises(MeterUnavailable, match=f"^No RAPL counters in {tmp_path}"):
        open_meters(["estimate", "rapl"], MeterOptions(sysfs=tmp_path, host=host))


def test_the_real_machine_is_the_default():
    assert MeterOptions().sysfs == Path("/sys")
