import os

import pytest

from energygate.meters.diagnosis import Finding, Probe
from energygate.meters.options import NvmlOptions, PrometheusOptions
from energygate.meters.probing import meters_to_try, probe
from energygate.meters.select import MeterOptions


def test_a_probe_reads_watts_by_domain(powercap, host, clock):
    tree = powercap("server2")
    options = MeterOptions(sysfs=tree.root, host=host, clock=clock, sleep=tree.pass_time)
    [rapl] = probe(["rapl"], options, seconds=2.0, sleep=tree.pass_time)
    assert (rapl.name, rapl.kind, rapl.usable, rapl.decides) == ("rapl", "counter", True, True)
    assert rapl.power_w == pytest.approx({"package-0": 50, "dram-0": 6, "package-1": 40, "dram-1": 5}, abs=2e-4)
    assert [domain.name for domain in rapl.domains] == ["package-0", "dram-0", "package-1", "dram-1"]


def test_a_probe_of_what_cannot_be_used_says_what_why_and_the_fix(tmp_path, powercap, host, clock):
    options = MeterOptions(sysfs=powercap("psys-only").root, host=host, clock=clock)
    [rapl] = probe(["rapl"], options, sleep=clock.sleep)
    assert rapl == Probe(
        name="rapl",
        kind="counter",
        refusal=Finding(
            what=f"No package among the RAPL counters in {tmp_path}/sysfs-psys-only, only psys.",
            why="Those hold more or less than the processors' energy, so they are not measured by accident.",
            fix="Use a machine with package counters, or another meter with --energy-meters.",
        ),
    )
    assert not rapl.usable


def test_a_probe_whose_reading_fails_is_not_usable(powercap, host, clock):
    tree = powercap("one")

    def lose(_seconds):
        os.truncate(tree.energy_file("intel-rapl:0"), 0)

    [rapl] = probe(["rapl"], MeterOptions(sysfs=tree.root, host=host, clock=clock), sleep=lose)
    assert not rapl.usable
    assert [domain.name for domain in rapl.domains] == ["package-0"]
    assert rapl.refusal == Finding(
        what=f"{tree.energy_file('intel-rapl:0')} exists and cannot be read: it holds no number. The energy of "
        "package-0 is unknown.",
        why="A trial would be invalid for the same reason.",
        fix="See `read_error` in docs/measuring.md.",
    )


def test_an_estimate_that_can_be_opened_decides_nothing():
    [estimate] = probe(["estimate"], MeterOptions(), seconds=0.0)
    assert (estimate.usable, estimate.decides) == (True, False)


@pytest.mark.parametrize(
    ("options", "wanted", "expected"),
    [
        ({}, ["auto"], ("rapl", "nvml")),
        ({}, ["pyrapl"], ("rapl", "nvml", "pyrapl")),
        ({}, ["codecarbon", "rapl"], ("rapl", "nvml", "codecarbon")),
        ({"nvml": NvmlOptions(integrate_power=True)}, ["auto"], ("rapl", "nvml", "nvml-power")),
        (
            {"prometheus": PrometheusOptions(url="http://127.0.0.1:9090", preset="kepler")},
            ["auto"],
            ("rapl", "nvml", "prometheus"),
        ),
    ],
)
def test_what_is_set_up_or_asked_for_is_tried_too(options, wanted, expected):
    tried = meters_to_try(MeterOptions(**options), wanted)
    installed = {name for name in ("pyrapl", "codecarbon") if name in tried} - set(wanted)  # where the extras are
    assert tuple(name for name in tried if name not in installed) == expected
