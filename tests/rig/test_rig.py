"""The rig itself: what it shows is what it says is true."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rig.busy import busy_cores
from rig.layouts import LAYOUTS, POWER_W
from rig.machine import Machine
from rig.plain import PlainTree

from energygate.meters.base import Window

RAPL = "devices/virtual/powercap/intel-rapl"
ENERGY = f"{RAPL}/intel-rapl:0/energy_uj"
RANGE = f"{RAPL}/intel-rapl:0/max_energy_range_uj"
UNIT_J = 61.035e-6


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
        """Seconds and joules of a reading that took less than 1 ms: a busy machine needs a few more."""
        while True:
            before_s = time.monotonic()
            energy_j = int(self.text()) / 1e6
            after_s = time.monotonic()
            if after_s - before_s < 0.001:
                return (before_s + after_s) / 2, energy_j

    def window(self, seconds):
        """Seconds and joules from now on."""
        start_s, start_j = self.read()
        time.sleep(seconds)
        end_s, end_j = self.read()
        return end_s - start_s, end_j - start_j


@pytest.fixture(params=["fuse_powercap", "live_powercap"])
def served(request):
    """A factory of trees that another process serves, each way."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def made(tmp_path, clock):
    """Make a machine with exact counters on the fake clock, its busy core seconds in a list, and its tree."""
    busy_s = [7.0]
    machine = Machine("one", clock=clock, period_s=0.0, busy=lambda: busy_s[0])
    with PlainTree(tmp_path / "sysfs", machine) as tree:
        yield tree, busy_s


# The machine


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_zone_counts_its_own_power_in_kernel_units(layout, clock):
    machine = Machine(layout, clock=clock, period_s=0.0)
    before = [machine.raw_uj(zone) for zone in machine.zones]
    clock.sleep(10.0)
    used_j = [(machine.raw_uj(zone) - uj) / 1e6 for zone, uj in zip(machine.zones, before, strict=True)]
    assert used_j == pytest.approx([10 * zone.power_w for zone in machine.zones], abs=1e-4)
    assert used_j == pytest.approx(list(machine.truth()["used_j"].values()), abs=1e-4)


@pytest.mark.parametrize("layout", [layout for layout, power_w in POWER_W.items() if power_w])
def test_a_correct_reader_says_of_every_layout_what_is_written_there(layout, powercap, rapl):
    tree = powercap(layout)
    meter = rapl(tree)
    start = meter.begin(Window())
    tree.pass_time(2.0)
    used_j = {domain: 2.0 * power_w for domain, power_w in POWER_W[layout].items()}
    assert meter.end(start).energy_j == pytest.approx(used_j, abs=3e-4)


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


# Its commands, exactly


def used_j(tree):
    return tree.machine.truth()["used_j"]["intel-rapl:0"]


def shown_j(tree):
    return int(tree.energy_file("intel-rapl:0").read_text()) / 1e6


def test_work_costs_energy_from_the_moment_it_is_told_to(made):
    tree, busy_s = made
    tree.command("power all 20 15")
    before_j = shown_j(tree), used_j(tree)
    busy_s[0] += 4.0
    tree.pass_time(3.0)
    expected_j = 3.0 * 20 + 4.0 * 15
    assert (shown_j(tree) - before_j[0], used_j(tree) - before_j[1]) == pytest.approx(
        (expected_j, expected_j), abs=1e-4
    )
    tree.command("power all 0")
    busy_s[0] += 4.0
    tree.pass_time(1.0)
    assert shown_j(tree) - before_j[0] == pytest.approx(expected_j, abs=1e-4)


def test_declared_work_is_exact_to_one_unit(made):
    tree, _ = made
    before_j = shown_j(tree)
    tree.command("add intel-rapl:0 10.5")
    assert shown_j(tree) - before_j == pytest.approx(10.5, abs=UNIT_J)
    assert used_j(tree) == 10.5


@pytest.mark.parametrize(
    ("command", "raw_uj"),
    [("set intel-rapl:0 5000", 5000), ("set all 262143328850", 262143328850), ("bits all 24", 1500e6 - 1023997378.56)],
)
def test_a_counter_that_is_put_elsewhere_keeps_its_truth(command, raw_uj, made):
    tree, _ = made
    tree.pass_time(2.0)
    tree.command("power all 0")
    tree.command("set all 1500000000")
    before_j = used_j(tree)
    tree.command(command)
    assert shown_j(tree) == pytest.approx(raw_uj / 1e6, abs=UNIT_J)
    assert used_j(tree) == before_j


def test_a_narrow_counter_has_a_short_range_and_wraps_at_it(made):
    tree, _ = made
    tree.command("bits all 24")
    assert (tree.root / RANGE).read_text() == "1023997317\n"
    before_j = shown_j(tree)
    tree.pass_time(3 * 1024 / 50)
    assert shown_j(tree) == pytest.approx(before_j, abs=0.02)


def test_a_frozen_counter_stands_still_and_catches_up(made):
    tree, _ = made
    before_j = shown_j(tree)
    tree.command("freeze all 1")
    tree.pass_time(1.0)
    assert (shown_j(tree), used_j(tree)) == (before_j, 50.0)
    tree.command("freeze all 0")
    assert shown_j(tree) - before_j == pytest.approx(50.0, abs=UNIT_J)


def test_a_period_can_be_told(made):
    tree, _ = made
    tree.command("period all 10")
    before_j = shown_j(tree)
    tree.pass_time(9.0)
    assert shown_j(tree) == before_j
    tree.pass_time(1.0)
    assert shown_j(tree) - before_j == pytest.approx(500.0, abs=UNIT_J)


@pytest.mark.parametrize(
    ("file", "text"), [("cpuacct.usage", "2500000000\n"), ("cpu.stat", "usage_usec 2500000\nx 1\n")]
)
def test_busy_time_of_a_cgroup_is_read_from_either_version(file, text, tmp_path):
    (tmp_path / file).write_text(text)
    assert busy_cores(tmp_path)() == 2.5


def test_busy_time_of_the_machine_grows_with_work():
    busy_s = busy_cores()
    before_s, mine_s = busy_s(), time.process_time()
    while time.process_time() < mine_s + 0.1:
        pass
    assert busy_s() >= before_s + 0.05  # counted in hundredths, at ticks


# What readers of a tree walk through


def test_a_tree_has_the_links_that_libraries_follow(powercap):
    root = powercap("client").root
    flat = root / "class/powercap"
    for link in flat.iterdir():
        assert (link / "subsystem").resolve() == flat
        assert (link / "uevent").read_text() == ""
    zone = flat / "intel-rapl:0:0"
    assert (zone / "device").resolve() == flat.joinpath("intel-rapl:0").resolve()
    assert (zone / "device/device").resolve() == flat.joinpath("intel-rapl").resolve()
    package = [(flat / f"intel-rapl:0/constraint_{i}_name").read_text() for i in (0, 1)]
    assert package == ["long_term\n", "short_term\n"]
    assert (zone / "constraint_0_power_limit_uw").read_text() == "125000000\n"


def contents(folder):
    """Every path below it, and what a reader sees of it that does not change."""
    return {
        path.relative_to(folder): path.readlink() if path.is_symlink() else path.is_dir() or _text(path)
        for parent, folders, files in os.walk(folder)
        for path in (Path(parent, name) for name in [*folders, *files])
    }


def _text(path):
    return path.name if path.name == "energy_uj" else path.read_text()


def test_a_mounted_tree_holds_the_same_as_one_of_files(fuse_powercap, powercap):
    mounted, plain = fuse_powercap("client").root, powercap("client").root
    assert contents(mounted / "class") == contents(plain / "class")
    assert contents(mounted / "devices") == contents(plain / "devices")


# Trees that live


@pytest.mark.parametrize(("seconds", "times", "bound"), [(0.1, 5, 0.03), (1.0, 2, 0.005)])
def test_a_mounted_counter_tells_the_energy_of_a_window(seconds, times, bound, fuse_powercap):
    with Held(fuse_powercap("one").root / ENERGY) as held:
        for _ in range(times):
            duration_s, energy_j = held.window(seconds)
            assert energy_j == pytest.approx(50.0 * duration_s, rel=bound)


def test_a_mounted_counter_wraps_in_the_middle_of_a_window(fuse_powercap):
    tree = fuse_powercap("one")
    tree.command("wrap_in intel-rapl:0 0.3")
    with Held(tree.root / ENERGY) as held:
        duration_s, energy_j = held.window(1.0)
    assert energy_j < 0
    assert energy_j + 262143.328911 == pytest.approx(50.0 * duration_s, rel=0.005)


def test_a_window_agrees_with_the_truth(served):
    tree = served("server2")
    before = tree.truth()
    with Held(tree.root / RAPL / "intel-rapl:1/intel-rapl:1:0/energy_uj") as held:
        _, inner_j = held.window(0.2)
    after = tree.truth()
    outer_j = after["used_j"]["intel-rapl:1:0"] - before["used_j"]["intel-rapl:1:0"]
    assert outer_j == pytest.approx(5.0 * (after["at_s"] - before["at_s"]))
    assert 0 < inner_j <= outer_j + 5.0 * 0.001


def test_a_held_descriptor_never_tears_or_runs_backwards_when_its_number_grows_a_digit(fuse_powercap):
    tree = fuse_powercap("one")
    with Held(tree.root / ENERGY) as held:
        tree.command("set all 9995000000")  # 0.1 s short of a digit more, which is the slowest that it gets
        texts = [held.text()]
        while len(texts) < 2000 or int(texts[-1]) < 10_005_000_000:
            texts.append(held.text())
    assert all(text.endswith(b"\n") and text[:-1].isdigit() for text in texts)
    assert [len(texts[0]), len(texts[-1])] == [11, 12]
    assert [int(text) for text in texts] == sorted(int(text) for text in texts)


def test_the_text_of_an_open_file_is_made_when_its_start_is_read(fuse_powercap):
    tree = fuse_powercap("one")
    with Held(tree.root / ENERGY) as held:
        tree.command("power all 0")
        tree.command("set all 9999900000")
        start = os.pread(held.fd, 4, 0)
        tree.command("set all 20000000000")
        assert start + os.pread(held.fd, 28, 4) == b"9999900059\n"
        assert held.text() == b"20000000008\n"


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


def test_declared_work_at_rest_is_seen_exactly(served):
    tree = served("one")
    tree.command("power all 0")
    with Held(tree.root / ENERGY) as held:
        _, before_j = held.read()
        tree.command("add intel-rapl:0 10.5")
        assert held.read()[1] - before_j == pytest.approx(10.5, abs=UNIT_J)


def test_a_range_follows_the_bits(served):
    tree = served("one")
    tree.command("bits intel-rapl:0 24")
    assert (tree.root / RANGE).read_text() == "1023997317\n"


def test_a_reading_fails_and_recovers_as_told(fuse_powercap):
    tree = fuse_powercap("one")
    with Held(tree.root / ENERGY) as held:
        tree.command("error intel-rapl:0 EIO")
        with pytest.raises(OSError, match="Input/output error"):
            held.text()
        tree.command("error intel-rapl:0 none")
        assert held.text().endswith(b"\n")
    tree.command("range_error intel-rapl:0 ENODATA")
    with pytest.raises(OSError, match="No data available"):
        (tree.root / RANGE).read_text()


def test_an_ordinary_file_whose_reading_fails_is_empty(live_powercap):
    tree = live_powercap("one")
    tree.command("error intel-rapl:0 EIO")
    tree.command("range_error intel-rapl:0 EIO")
    assert [(tree.root / ENERGY).read_text(), (tree.root / RANGE).read_text()] == ["", ""]
    tree.command("error intel-rapl:0 none")
    assert len((tree.root / ENERGY).read_text()) == 13


def test_work_in_a_cgroup_costs_energy(fuse_powercap, tmp_path):
    usage = tmp_path / "cpuacct.usage"
    usage.write_text("0")
    tree = fuse_powercap("one", f"--cgroup={tmp_path}")
    tree.command("power all 0 20")
    before_j = tree.truth()["used_j"]["intel-rapl:0"]
    usage.write_text("2000000000")
    assert tree.truth()["used_j"]["intel-rapl:0"] - before_j == pytest.approx(40.0)


@pytest.mark.parametrize(
    "line",
    ["power intel-rapl:7 1", "sleep intel-rapl:0 1", "power intel-rapl:0", "add intel-rapl:0 much", "error all E"],
)
def test_a_mount_refuses_a_command_that_it_does_not_know(line, fuse_powercap):
    with pytest.raises(OSError, match="Invalid argument"):
        fuse_powercap("one").command(line)


def without_rights(*words):
    """The words, run without root's right to read everything."""
    if os.geteuid() != 0:
        return words
    drop = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *words)


@pytest.mark.parametrize(("mode", "status"), [("0000", 1), ("0400", 0)])
def test_a_mode_keeps_readers_out(mode, status, fuse_powercap):
    root = fuse_powercap("one", f"--mode={mode}").root
    read = subprocess.run(without_rights("cat", root / ENERGY), capture_output=True, text=True, check=False)
    assert read.returncode == status
    assert read.stderr.endswith("Permission denied\n" if status else "")


def test_a_commanded_mode_is_the_files_own(live_powercap):
    tree = live_powercap("one")
    tree.command("mode all 0440")
    assert (tree.root / ENERGY).stat().st_mode & 0o777 == 0o440


# The real paths


def test_a_namespace_shows_the_tree_at_the_real_paths(served, at_real_paths):
    tree = served("server2")
    names = [
        "class/powercap/intel-rapl:1",
        RAPL + "/intel-rapl:0/intel-rapl:0:0",
        "class/powercap/intel-rapl/intel-rapl:0",
    ]
    words = at_real_paths(tree.root, "cat", *[f"/sys/{name}/name" for name in names])
    assert subprocess.check_output(words, text=True) == "package-1\ndram\npackage-0\n"


@pytest.mark.parametrize("folder", ["/sys/class", "/sys/devices/virtual", "/sys/fs/cgroup", "/sys/class/net/lo"])
def test_a_namespace_keeps_what_else_is_in_sysfs(folder, powercap, at_real_paths):
    script = f"import os; print(*os.listdir({folder!r}), sep='\\n')"
    words = at_real_paths(powercap("one").root, sys.executable, "-c", script)
    seen = subprocess.check_output(words, text=True).splitlines()
    assert set(seen) - {"powercap"} == {path.name for path in Path(folder).iterdir()} - {"powercap"}


@pytest.mark.parametrize(("root", "status"), [(".", 3), ("nowhere", 1)])
def test_a_namespace_ends_with_the_status_of_its_command_or_its_own(root, status, powercap, at_real_paths):
    words = at_real_paths(powercap("one").root / root, "sh", "-c", "exit 3")
    assert subprocess.run(words, capture_output=True, check=False).returncode == status


def test_a_namespace_can_have_more_sockets_and_another_processor(powercap, at_real_paths):
    root = powercap("server2").root
    script = (
        "import re, glob; text = open('/proc/cpuinfo').read();"
        "sockets = glob.glob('/sys/devices/system/cpu/cpu*/topology/physical_package_id');"
        "print(sorted({open(path).read() for path in sockets}),"
        "set(re.findall(r'vendor_id\\s*: (.*)', text)), 'hypervisor' in text)"
    )
    words = at_real_paths(root, sys.executable, "-c", script, sockets=2, vendor="AuthenticAMD", bare_metal=True)
    assert subprocess.check_output(words, text=True) == "['0\\n', '1\\n'] {'AuthenticAMD'} False\n"


# The GPUs


@pytest.mark.nvml
def test_the_look_alike_steps_its_counter_once_a_period(nvml_state, nvml_child):
    gpus, child = nvml_state([{"energy_period": 0.1, "power_w": 210.0}]), nvml_child()
    child.ask("open")
    before_j = gpus.true_j(0)
    child.ask("begin")
    energy_j = child.ask("end")["gpu-0"]
    assert energy_j / 21.0 == pytest.approx(round(energy_j / 21.0), abs=1e-3)
    assert 21.0 - 0.01 <= energy_j <= gpus.true_j(0) - before_j + 0.01
