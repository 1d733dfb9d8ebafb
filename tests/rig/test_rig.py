"""The rig itself: what it shows is what it says is true."""

import os
import time

import pytest
from rig.machine import LAYOUTS, Machine

ENERGY = "devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj"


class Held:
    """A descriptor that is read as the kernel's files are."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def text(self):
        return os.pread(self.fd, 32, 0)

    def read(self):
        """Seconds and joules; the clock is read on both sides."""
        before_s = time.monotonic()
        energy_j = int(self.text()) / 1e6
        return (before_s + time.monotonic()) / 2, energy_j


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_zone_counts_its_own_power_in_kernel_units(layout, clock):
    machine = Machine(layout, clock=clock, period_s=0.0)
    before = [machine.raw_uj(zone) for zone in machine.zones]
    clock.sleep(10.0)
    used_j = [(machine.raw_uj(zone) - uj) / 1e6 for zone, uj in zip(machine.zones, before, strict=True)]
    assert used_j == pytest.approx([10 * zone.power_w for zone in machine.zones], abs=1e-4)


@pytest.mark.parametrize(
    ("layout", "zone", "range_uj"),
    [
        ("server2", "intel-rapl:0", 262143328850),
        ("server2", "intel-rapl:0:0", 65712999613),
        ("amd", "intel-rapl:0", 65532610987),
    ],
)
def test_ranges_are_as_the_kernel_says_them(layout, zone, range_uj, clock):
    assert Machine(layout, clock=clock).zone(zone).range_uj == range_uj


def test_a_counter_wraps_when_it_is_told_to(clock):
    machine = Machine("one", clock=clock)
    [zone] = machine.zones
    zone.wrap_in(0.3, clock())
    before_uj = machine.raw_uj(zone)
    clock.sleep(0.299)
    assert machine.raw_uj(zone) > before_uj > zone.range_uj - 15_100_000
    clock.sleep(0.002)
    assert machine.raw_uj(zone) < 100_000


def test_a_counter_is_refreshed_once_a_period(clock):
    machine = Machine("one", clock=clock, period_s=1.0)
    [zone] = machine.zones
    seen_uj = []
    for _ in range(8):
        seen_uj.append(machine.raw_uj(zone))
        clock.sleep(0.25)
    assert len(set(seen_uj)) == 2


def test_the_writer_refreshes_files_that_never_tear_or_run_backwards(live_powercap):
    with Held(live_powercap("one").root / ENERGY) as held:
        start_s, start_j = last_s, last_j = held.read()
        while last_j < start_j + 50.0:
            assert len(held.text()) == 13
            now_s, now_j = held.read()
            assert now_j >= last_j
            last_s, last_j = now_s, now_j
    # The writer can be scheduled away, so that the files are late.
    assert (last_j - start_j) / (last_s - start_s) == pytest.approx(50.0, rel=0.15)


def test_the_writer_takes_commands(live_powercap):
    tree = live_powercap("one")
    with Held(tree.root / ENERGY) as held:
        tree.command("wrap_in intel-rapl:0 0.1")
        _, before_j = held.read()
        tree.command("power intel-rapl:0 10000")
        while held.read()[1] > before_j - 1000:
            pass
    assert before_j > 262_000


@pytest.mark.nvml
def test_the_look_alike_steps_its_counter_once_a_period(nvml_state, nvml_child):
    gpus, child = nvml_state([{"energy_period": 0.1, "power_w": 210.0}]), nvml_child()
    child.ask("open")
    before_j = gpus.true_j(0)
    child.ask("begin")
    energy_j = child.ask("end")["gpu-0"]
    assert energy_j / 21.0 == pytest.approx(round(energy_j / 21.0), abs=1e-3)
    assert 21.0 - 0.01 <= energy_j <= gpus.true_j(0) - before_j + 0.01
