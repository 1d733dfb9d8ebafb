import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rig.fixtures import make_host
from rig.plain import PlainTree

from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Window
from energygate.meters.powercap import Powercap

WINDOW = Window(benchmark="b")
ROOT = Path(__file__).parents[3]
CORRECT_W = {
    "one": {"package-0": 50},
    "client": {"package-0": 50},
    "clientdram": {"package-0": 50, "dram-0": 6},
    "server2": {"package-0": 50, "dram-0": 6, "package-1": 40, "dram-1": 5},
    "asymdram": {"package-0": 50, "dram-0": 6, "package-1": 40},
    "amd": {"package-0": 50},
    "amd-dies": {"package-0": 68},
    "intel-dies": {"package-0": 90},
    "hex": {f"package-{i}": 10 for i in range(12)},
    "gap": {"package-0": 50, "package-1": 40},
}

TEXT_P = """\
Cannot read {path}: permission denied. Without it package energy is unknown, so this run cannot be gated. Give the \
runner's group read access (docs/measuring.md#rapl-permission):
sudo groupadd -f energygate && sudo usermod -aG energygate runner
sudo tee /etc/udev/rules.d/60-energygate.rules <<'EOF'
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chgrp energygate /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod g+r /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod a+r /sys%p/max_energy_range_uj"
EOF
sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=powercap --action=add
# then restart the runner's service, so that it has the new group
Without udev rules, the same with tmpfiles:
sudo tee /etc/tmpfiles.d/energygate.conf <<'EOF'
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
EOF
sudo systemd-tmpfiles --create /etc/tmpfiles.d/energygate.conf
"""


def refusal(meter):
    with pytest.raises(MeterUnavailable) as refused:
        meter.open()
    return str(refused.value)


@pytest.mark.parametrize("layout", CORRECT_W)
def test_every_layout_is_read_right(powercap, rapl, layout):
    tree = powercap(layout)
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    tree.pass_time(2.0)
    energy_j = meter.end(start).energy_j
    assert energy_j == pytest.approx({domain: 2.0 * power_w for domain, power_w in CORRECT_W[layout].items()}, abs=2e-4)
    assert list(energy_j) == [domain.name for domain in meter.domains] == list(CORRECT_W[layout])


def test_domains_say_how_finely_they_are_counted(powercap, rapl):
    assert rapl(powercap("clientdram")).domains == (
        Domain(
            name="package-0",
            part="cpu",
            update_interval_s=0.001,
            resolution_j=262143328850 / 0xFFFFFFFF / 1e6,
            detail="intel-rapl:0",
        ),
        Domain(
            name="dram-0",
            part="dram",
            update_interval_s=0.001,
            resolution_j=65712999613 / 0xFFFFFFFF / 1e6,
            detail="intel-rapl:0:1",
        ),
    )


def test_amd_shows_the_package_on_every_die_so_the_lowest_is_read(powercap, rapl, tmp_path):
    tree = powercap("amd-dies")
    meter = rapl(tree, host=make_host(tmp_path, vendor="AuthenticAMD"))
    start = meter.begin(WINDOW)
    tree.pass_time(1.0)
    assert meter.end(start).energy_j == pytest.approx({"package-0": 68.0}, abs=1e-4)
    assert [domain.detail for domain in meter.domains] == ["intel-rapl:0"]


def test_dies_that_repeat_each_other_are_told_by_their_counters_whatever_the_vendor(powercap, rapl):
    assert [domain.detail for domain in rapl(powercap("amd-dies")).domains] == ["intel-rapl:0"]
    assert [domain.detail for domain in rapl(powercap("intel-dies")).domains] == ["intel-rapl:0 + intel-rapl:1"]


@pytest.mark.parametrize("before_end_s", [1.97, 1.0, 0.03, 0.0])
@pytest.mark.parametrize("zone", ["intel-rapl:0", "intel-rapl:1", "intel-rapl:1:0"])
def test_a_wrap_anywhere_gives_back_the_energy_used(powercap, rapl, clock, zone, before_end_s):
    tree = powercap("server2")
    tree.machine.zone(zone).wrap_in(2.0 - before_end_s, clock())
    tree.refresh()
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    raw_uj = int(tree.energy_file(zone).read_text())
    tree.pass_time(2.0)
    assert int(tree.energy_file(zone).read_text()) < raw_uj
    assert meter.end(start).energy_j == pytest.approx(
        {"package-0": 100.0, "dram-0": 12.0, "package-1": 80.0, "dram-1": 10.0}, abs=2e-4
    )


def test_the_flat_class_folder_is_read_where_there_is_no_device_folder(powercap, rapl, tmp_path):
    tree = powercap("client")
    (flat := tmp_path / "flat/class/powercap").mkdir(parents=True)
    (flat / "intel-rapl").symlink_to(tree.root / "devices/virtual/powercap/intel-rapl")
    tree.root = tmp_path / "flat"
    assert [domain.name for domain in rapl(tree).domains] == ["package-0"]


def test_without_a_range_a_counter_that_falls_is_a_reset(powercap, rapl):
    tree = powercap("one")
    (tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0/max_energy_range_uj").unlink()
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    tree.write("intel-rapl:0", 5)
    with pytest.raises(MeasurementInvalid, match=r"^counter_reset: "):
        meter.end(start)


def test_the_largest_readable_limit_raises_the_bound(powercap, rapl):
    tree = powercap("one")
    folder = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0"
    (folder / "constraint_0_power_limit_uw").write_text("900000000\n")
    (folder / "constraint_0_max_power_uw").write_text("no data\n")
    meter = rapl(tree)
    for power_w, code in ((1790, None), (1850, "implausible")):
        start = meter.begin(WINDOW)
        tree.machine.zone("intel-rapl:0").run_at(power_w, tree.machine.clock())
        tree.pass_time(1.0)
        if code is None:
            assert meter.end(start).energy_j == pytest.approx({"package-0": 1790}, abs=1e-4)
        else:
            with pytest.raises(MeasurementInvalid, match=f"^{code}: "):
                meter.end(start)


def test_a_zone_that_is_removed_while_it_is_held_is_a_read_error(powercap, rapl):
    tree = powercap("server2")
    # A process's own file answers as a removed zone does once the process is gone: the held descriptor fails.
    process = subprocess.Popen(["sleep", "600"])
    energy_file = tree.energy_file("intel-rapl:1")
    energy_file.unlink()
    energy_file.symlink_to(f"/proc/{process.pid}/oom_score_adj")
    meter = rapl(tree)
    whole = meter.begin(WINDOW)
    assert set(meter.end(whole).energy_j) == {"package-0", "dram-0", "package-1", "dram-1"}
    start = meter.begin(WINDOW)
    process.kill()
    process.wait()
    with pytest.raises(MeasurementInvalid) as invalid:
        meter.end(start)
    assert str(invalid.value) == (
        f"read_error: {energy_file} exists and cannot be read: No such process. The energy of package-1 is unknown."
    )


def test_a_file_without_a_number_is_a_read_error(powercap, rapl):
    tree = powercap("one")
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    os.truncate(tree.energy_file("intel-rapl:0"), 0)
    with pytest.raises(MeasurementInvalid, match=r"exists and cannot be read: it holds no number\."):
        meter.end(start)


def test_a_counter_that_gives_no_number_at_all_cannot_be_used(powercap, host):
    tree = powercap("one")
    os.truncate(tree.energy_file("intel-rapl:0"), 0)
    assert refusal(Powercap(tree.root, host=host)) == (
        f"{tree.energy_file('intel-rapl:0')} exists and cannot be read: it holds no number. The energy of package-0 is "
        "unknown. Without it package energy is unknown, so this run cannot be gated. Use bare metal, or another meter "
        "with --energy-meters."
    )


READER = """
import sys
from pathlib import Path
from energygate.errors import MeterUnavailable
from energygate.meters.host import Host
from energygate.meters.powercap import Powercap
try:
    Powercap(Path(sys.argv[1]), host=Host(cpuinfo=Path(sys.argv[2]), user="runner")).open()
except MeterUnavailable as refusal:
    print(refusal)
"""


@pytest.mark.parametrize("file", ["energy_uj", "max_energy_range_uj"])
@pytest.mark.parametrize("zone", ["intel-rapl:0", "intel-rapl:0/intel-rapl:0:0"])
def test_a_counter_that_only_root_may_read_is_refused_with_the_commands_that_open_it(powercap, host, zone, file):
    path = powercap("server2").root / "devices/virtual/powercap/intel-rapl" / zone / file
    path.chmod(0)
    root = path.parents[zone.count("/") + 5]
    command = [sys.executable, "-c", READER, root, host.cpuinfo]
    if os.geteuid() == 0:
        dropped = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}", *command]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "setpriv" in answer.stderr:
        pytest.skip(f"{answer.stderr.strip()}: this would have shown the text for a counter that may not be read")
    assert (answer.stdout, answer.stderr) == (TEXT_P.format(path=path), "")


def test_psys_alone_is_not_measured_by_accident(powercap, host):
    root = powercap("psys-only").root
    assert refusal(Powercap(root, host=host)) == (
        f"No package among the RAPL counters in {root}, only psys. Those hold more or less than the processors' "
        "energy, so they are not measured by accident. Use a machine with package counters, or another meter with "
        "--energy-meters."
    )


def test_a_virtual_machine_without_counters_is_named(tmp_path):
    (dmi := tmp_path / "own/class/dmi/id").mkdir(parents=True)
    (dmi / "sys_vendor").write_text("QEMU\n")
    (dmi / "product_name").write_text("Standard PC\n")
    host = make_host(tmp_path, flags="fpu hypervisor", sysfs=tmp_path / "own")
    assert refusal(Powercap(tmp_path, host=host)) == (
        f"No RAPL counters in {tmp_path}: this is a virtual machine (QEMU Standard PC). There is no RAPL inside one, "
        "so package energy is unknown here. Use bare metal (EC2: `*.metal`)."
    )


def test_a_container_is_told_how_to_see_the_counters(tmp_path):
    (mark := tmp_path / ".dockerenv").touch()
    assert refusal(Powercap(tmp_path, host=make_host(tmp_path, marks=(mark,)))) == (
        f"No RAPL counters in {tmp_path}: this is a container ({mark} exists). Container runtimes put an empty "
        "read-only tmpfs over /sys/devices/virtual/powercap, so the counters are absent even for root. Docker: "
        "`-v /sys:/host/sys:ro` with `--energy-sysfs=/host/sys`, as root in the container or with `--group-add GID` of "
        "the host's group. Podman: `--security-opt unmask=/sys/devices/virtual/powercap`. Best: run the job on the "
        "host."
    )


def test_an_empty_control_type_is_no_counter(tmp_path, host):
    (tmp_path / "devices/virtual/powercap/intel-rapl").mkdir(parents=True)
    assert refusal(Powercap(tmp_path, host=host)) == (
        f"No RAPL counters in {tmp_path}. Without it package energy is unknown, so this run cannot be gated. Load the "
        "driver: `sudo modprobe intel_rapl_msr` (`intel_rapl` before Linux 5.3). AMD needs Linux 5.8, family 19h 5.11; "
        "ARM has none."
    )


def test_counters_that_a_virtual_machine_shows_of_its_own_are_refused(powercap, tmp_path):
    root = powercap("one").root
    assert refusal(Powercap(root, host=make_host(tmp_path, flags="hypervisor", sysfs=root))) == (
        "This virtual machine (hypervisor flag in /proc/cpuinfo) shows RAPL counters. They are emulated or the host's, "
        "so they do not count this machine's energy. Use bare metal (EC2: `*.metal`)."
    )


def test_a_mounted_tree_is_read_in_a_virtual_machine_too(powercap, rapl, tmp_path):
    meter = rapl(powercap("one"), host=make_host(tmp_path, flags="hypervisor"))
    assert [domain.name for domain in meter.domains] == ["package-0"]


def test_closing_gives_every_descriptor_and_the_thread_back(powercap, rapl):
    tree = powercap("server2")
    before = set(Path("/proc/self/fd").iterdir())
    meter = rapl(tree)
    assert len(set(Path("/proc/self/fd").iterdir()) - before) == 4
    assert "energygate-rapl" in {thread.name for thread in threading.enumerate()}
    meter.close()
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert "energygate-rapl" not in {thread.name for thread in threading.enumerate()}


def test_a_meter_that_does_not_open_holds_nothing(powercap, host):
    tree = powercap("server2")
    os.truncate(tree.energy_file("intel-rapl:1:0"), 0)
    before = set(Path("/proc/self/fd").iterdir())
    refusal(Powercap(tree.root, host=host))
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_the_flat_view_of_the_rig_shows_zones_twice_as_sysfs_does(powercap):
    tree = powercap("client")
    assert isinstance(tree, PlainTree)
    names = sorted(path.name for path in (tree.root / "class/powercap").iterdir())
    assert names == [
        "intel-rapl",
        "intel-rapl-mmio",
        "intel-rapl-mmio:0",
        "intel-rapl:0",
        "intel-rapl:0:0",
        "intel-rapl:0:1",
        "intel-rapl:1",
    ]
    assert re.fullmatch(r"\d{12}\n", tree.energy_file("intel-rapl:0").read_text())
