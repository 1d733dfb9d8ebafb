import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rig.fixtures import make_host
from rig.layouts import POWER_W
from rig.plain import PlainTree

from energygate.errors import MeasurementInvalid, MeterUnavailable
from energygate.meters.base import Domain, Window
from energygate.meters.options import RaplOptions
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.rapl.texts import CONTAINER, permission

WINDOW = Window(benchmark="b")
ROOT = Path(__file__).parents[4]
DENIED = """\
Cannot read {path}: permission denied. Without it package energy is unknown, so this run cannot be gated. Give the \
runner's group read access (docs/measuring.md#rapl-permission):
"""
UNKNOWN = "Without it package energy is unknown, so this run cannot be gated."
OTHER_METER = f"{UNKNOWN} Use bare metal, or another meter with --energy-meters."
SETTLED = f"{UNKNOWN} Try again once drivers have settled, or use another meter with --energy-meters."


def zone_folder(tree, zone="intel-rapl:0"):
    return tree.energy_file(zone).parent


def section_of(title):
    """A section of the documentation."""
    documented = (ROOT / "docs/measuring.md").read_text()
    return documented.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def refusal(meter):
    with pytest.raises(MeterUnavailable) as refused:
        meter.open()
    return str(refused.value)


@pytest.mark.parametrize("layout", [layout for layout, watts in POWER_W.items() if watts])
def test_every_layout_is_read_right(powercap, rapl, layout):
    tree = powercap(layout)
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    tree.pass_time(2.0)
    energy_j = meter.end(start).energy_j
    assert energy_j == pytest.approx({domain: 2.0 * power_w for domain, power_w in POWER_W[layout].items()}, abs=2e-4)
    assert list(energy_j) == [domain.name for domain in meter.domains] == list(POWER_W[layout])


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
    assert meter.notes == ("intel-rapl:1 repeats intel-rapl:0, so package-0 is counted once.",)


def test_dies_that_repeat_each_other_are_told_by_their_counters_whatever_the_vendor(powercap, rapl):
    mirrored, separate = rapl(powercap("amd-dies")), rapl(powercap("intel-dies"))
    assert [domain.detail for domain in mirrored.domains] == ["intel-rapl:0"]
    assert mirrored.notes == ("intel-rapl:1 repeats intel-rapl:0, so package-0 is counted once.",)
    assert [domain.detail for domain in separate.domains] == ["intel-rapl:0 + intel-rapl:1"]
    assert separate.notes == ()


def test_what_was_noted_is_noted_once_when_it_is_opened_again(powercap, rapl):
    meter = rapl(powercap("amd-dies"))
    meter.open()
    assert meter.notes == ("intel-rapl:1 repeats intel-rapl:0, so package-0 is counted once.",)


@pytest.mark.parametrize(
    ("layout", "first", "second", "name", "domain"),
    [
        ("server2", "intel-rapl:0", "intel-rapl:1", "package-0", "package-0"),
        ("clientdram", "intel-rapl:0:0", "intel-rapl:0:1", "dram", "dram-0"),
    ],
)
def test_two_counters_of_one_name_are_not_guessed_about(powercap, host, layout, first, second, name, domain):
    tree = powercap(layout)
    for zone in (first, second):
        (zone_folder(tree, zone) / "name").write_text(f"{name}\n")
    assert refusal(Powercap(tree.root, host=host)) == (
        f"{zone_folder(tree, first)} and {second} both say that they count {domain}. Their sum may count its energy "
        "twice, and one of them may miss a part of it. Look at their `name` files, and use another meter with "
        "--energy-meters."
    )


def test_only_a_package_with_a_number_as_the_kernel_writes_it_is_one(powercap, host):
    tree = powercap("hex")
    odd = [b"package-\xd9\xa3", b"package-" + b"9" * 4000, b"package-0-die-", b"Package-0", b"\x1b[2Jx\ny", b"psys\n"]
    for zone, name in zip(tree.machine.zones, odd * 2, strict=True):
        (tree.root / zone.path / "name").write_bytes(name)
    many = f"package-??, package-{'9' * 56}, package-0-die-, Package-0, ?[2Jx?y, psys"
    assert refusal(Powercap(tree.root, host=host)) == (
        f"No package among the RAPL counters in {tree.root}, only {many}, {many}. Those hold more or less than the "
        "processors' energy, so they are not measured by accident. Use a machine with package counters, or another "
        "meter with --energy-meters."
    )


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


@pytest.mark.parametrize("limit", ["4097000000", "18446744073709551615", "0", "-5", "no data"])
def test_a_limit_that_is_none_leaves_the_bound_alone(powercap, rapl, limit):
    tree = powercap("one")
    for what in ("power_limit", "max_power"):
        (zone_folder(tree) / f"constraint_0_{what}_uw").write_text(f"{limit}\n")
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    tree.machine.zone("intel-rapl:0").run_at(1020, tree.machine.clock())
    tree.pass_time(1.0)
    with pytest.raises(MeasurementInvalid, match=r"^implausible: .* rose by 1020 J in 1.00 s, more than 1000 W: "):
        meter.end(start)


def test_a_limit_that_cannot_be_read_is_no_obstacle(powercap, rapl):
    tree = powercap("one")
    (limit := zone_folder(tree) / "constraint_0_power_limit_uw").unlink()
    limit.mkdir()
    assert [domain.name for domain in rapl(tree).domains] == ["package-0"]


@pytest.mark.parametrize("text", ["0\n", "-1\n", "", "lots\n", "2621433288.50\n"])
def test_a_range_that_is_no_range_is_refused(powercap, host, text):
    tree = powercap("one")
    (path := zone_folder(tree) / "max_energy_range_uj").write_text(text)
    assert refusal(Powercap(tree.root, host=host)) == (
        f"{path} exists and cannot be read: it holds no number. {OTHER_METER}"
    )


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
        f"read_error: {energy_file} exists and cannot be read: No such process (ESRCH). The energy of package-1 is "
        "unknown."
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("EIO", "exists and cannot be read: Input/output error (EIO)."),
        ("EINVAL", "exists and cannot be read: Invalid argument (EINVAL)."),
        ("ENODATA", "exists and cannot be read: No data available (ENODATA)."),
        ("ENODEV", "is gone, so the kernel has removed this counter (ENODEV)."),
    ],
)
def test_a_counter_that_fails_costs_the_windows_that_it_fails_in(fuse_powercap, host, error, said):
    tree = fuse_powercap("clientdram", "--mode=0444")
    energy_file = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj"
    meter = Powercap(tree.root, host=host)
    meter.open()
    try:
        start = meter.begin(WINDOW)
        tree.command(f"error intel-rapl:0 {error}")
        for window in (start, meter.begin(WINDOW)):
            with pytest.raises(MeasurementInvalid) as invalid:
                meter.end(window)
            assert str(invalid.value) == f"read_error: {energy_file} {said} The energy of package-0 is unknown."
        tree.command("error intel-rapl:0 none")
        across = meter.begin(WINDOW)
        assert set(meter.end(meter.begin(WINDOW)).energy_j) == {"package-0", "dram-0"}
        assert set(meter.end(across).energy_j) == {"package-0", "dram-0"}
    finally:
        meter.close()


@pytest.mark.parametrize(
    ("command", "file", "said"),
    [
        (
            "error intel-rapl:0 EIO",
            "energy_uj",
            f"exists and cannot be read: Input/output error (EIO). The energy of package-0 is unknown. {OTHER_METER}",
        ),
        (
            "range_error intel-rapl:0 ENODATA",
            "max_energy_range_uj",
            f"exists and cannot be read: No data available (ENODATA). {OTHER_METER}",
        ),
        (
            "range_error intel-rapl:0 ENODEV",
            "max_energy_range_uj",
            f"is gone, so the kernel has removed this counter (ENODEV). {SETTLED}",
        ),
    ],
)
def test_a_counter_that_fails_from_the_start_cannot_be_used(fuse_powercap, host, command, file, said):
    tree = fuse_powercap("one", "--mode=0444")
    tree.command(command)
    path = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0" / file
    assert refusal(Powercap(tree.root, host=host)) == f"{path} {said}"


@pytest.mark.parametrize("file", ["name", "energy_uj"])
def test_a_zone_that_vanishes_while_it_is_opened_is_refused(powercap, host, file):
    tree = powercap("server2")
    (path := zone_folder(tree, "intel-rapl:1") / file).unlink()
    assert refusal(Powercap(tree.root, host=host)) == (
        f"{path} is gone, so the kernel has removed this counter (ENOENT). {SETTLED}"
    )


def test_a_file_without_a_number_is_a_read_error(powercap, rapl):
    tree = powercap("one")
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    os.truncate(tree.energy_file("intel-rapl:0"), 0)
    with pytest.raises(MeasurementInvalid, match=r"exists and cannot be read: it holds no number\."):
        meter.end(start)


@pytest.mark.parametrize("shown", ["-1", "262143328851", "99999999999999999999", "1_000"])
def test_a_number_that_no_counter_of_its_range_shows_is_a_read_error(powercap, rapl, shown):
    tree = powercap("one")
    meter = rapl(tree)
    start = meter.begin(WINDOW)
    (file := tree.energy_file("intel-rapl:0")).write_text(f"{shown}\n")
    for window in (start, meter.begin(WINDOW)):
        with pytest.raises(MeasurementInvalid) as invalid:
            meter.end(window)
        assert str(invalid.value) == (
            f"read_error: {file} exists and cannot be read: it holds {shown}, and it counts from 0 to 262143328850. "
            "The energy of package-0 is unknown."
        )


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
from energygate.meters.rapl.powercap import Powercap
from energygate.meters.rapl.texts import CONTAINER, permission
try:
    marks = tuple(map(Path, sys.argv[3:]))
    host = Host(cpuinfo=Path(sys.argv[2]), mountinfo=Path(sys.argv[2]), container_marks=marks, user="runner")
    Powercap(Path(sys.argv[1]), host=host).open()
except MeterUnavailable as refusal:
    print(refusal, end="")
"""


def read_without_privileges(root, host, *marks):
    """What a user hears to whom modes apply, which they do not to root."""
    command = [sys.executable, "-c", READER, root, host.cpuinfo, *marks]
    if os.geteuid() == 0:
        dropped = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}", *command]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "setpriv" in answer.stderr:
        pytest.skip(f"{answer.stderr.strip()}: this would have shown the text for a counter that may not be read")
    assert answer.stderr == ""
    return answer.stdout


@pytest.mark.parametrize("file", ["energy_uj", "max_energy_range_uj"])
@pytest.mark.parametrize("zone", ["intel-rapl:0", "intel-rapl:0/intel-rapl:0:0"])
def test_a_counter_that_only_root_may_read_is_refused_with_the_commands_that_open_it(powercap, host, zone, file):
    path = powercap("server2").root / "devices/virtual/powercap/intel-rapl" / zone / file
    path.chmod(0)
    root = path.parents[zone.count("/") + 5]
    assert read_without_privileges(root, host) == DENIED.format(path=path) + permission("runner")


def test_in_a_container_that_is_done_on_the_host(powercap, host, tmp_path):
    tree = powercap("one")
    (path := tree.energy_file("intel-rapl:0")).chmod(0)
    (mark := tmp_path / ".dockerenv").touch()
    assert read_without_privileges(tree.root, host, mark) == (
        f"{DENIED.format(path=path)}{permission('runner')}\n"
        f"This is a container ({mark} exists): do that on its host. {CONTAINER}"
    )


def test_the_documentation_gives_the_same_commands():
    section = section_of("RAPL permission")
    *commands, until_the_next_boot = [line for line in permission("USER").splitlines() if not line.endswith(":")]
    assert "".join(re.findall(r"^```\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)).splitlines() == commands
    assert f"`{until_the_next_boot}`" in section
    assert permission("alice").startswith("sudo groupadd -f energygate && sudo usermod -aG energygate alice\n")


def test_the_documentation_gives_the_same_options_for_containers():
    options = re.findall(r"`(.*?)`", CONTAINER)
    assert len(options) == 4
    assert [option for option in options if f"`{option}`" not in section_of("RAPL in containers")] == []


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
        f"No RAPL counters in {tmp_path}: this is a virtual machine (QEMU Standard PC). Virtual machines have no RAPL, "
        "so package energy is unknown here. Use bare metal (EC2: `*.metal`)."
    )


def test_a_container_is_told_how_to_see_the_counters(tmp_path):
    (mark := tmp_path / ".dockerenv").touch()
    assert refusal(Powercap(tmp_path, host=make_host(tmp_path, marks=(mark,)))) == (
        f"No RAPL counters in {tmp_path}: this is a container ({mark} exists). Container runtimes put an empty "
        f"read-only tmpfs over /sys/devices/virtual/powercap, so the counters are absent even for root. {CONTAINER}"
    )


def test_a_container_without_a_mark_is_known_by_what_lies_over_the_counters(tmp_path, host):
    host.mountinfo.write_text("31 23 0:40 / /sys/devices/virtual/powercap ro - tmpfs tmpfs ro\n")
    assert refusal(Powercap(tmp_path, host=host)) == (
        f"No RAPL counters in {tmp_path}: this is a container (a tmpfs lies over the counters). Container runtimes put "
        "an empty read-only tmpfs over /sys/devices/virtual/powercap, so the counters are absent even for root. "
        f"{CONTAINER}"
    )


def test_a_root_that_is_not_there_is_named(tmp_path, host):
    assert refusal(Powercap(tmp_path / "sys", host=host)) == (
        f"{tmp_path / 'sys'} is not a folder, and sysfs should be mounted there. {UNKNOWN} Correct --energy-sysfs, or "
        "leave it out: it is /sys then."
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
        "so they do not count this machine's energy. Use bare metal (EC2: `*.metal`), or put up with them: `rapl: "
        "{virtual: allow}` in energygate.yml."
    )


def test_counters_of_a_virtual_machine_that_are_allowed_are_noted_and_compared_among_themselves(
    powercap, rapl, tmp_path
):
    tree = powercap("one")
    host = make_host(tmp_path, flags="hypervisor", sysfs=tree.root)
    meter = rapl(tree, host=host, options=RaplOptions(virtual="allow"))
    assert meter.notes == (
        "this virtual machine (hypervisor flag in /proc/cpuinfo) shows counters that are emulated or the host's.",
    )
    assert meter.constants == {"virtual": "allow"}
    assert Powercap(tree.root, host=host).constants == {}


def own(tree, folder, *, flags="fpu sgx", controls=b""):
    """An Intel machine whose own sysfs is the tree."""
    host = make_host(folder, flags=flags, sysfs=tree.root)
    host.msr.write_bytes(bytes(0xBC) + controls)
    return host


def test_counters_that_the_processor_randomises_are_refused(powercap, tmp_path):
    tree = powercap("one")
    assert refusal(Powercap(tree.root, host=own(tree, tmp_path, controls=b"\1" + bytes(7)))) == (
        "This processor randomises its RAPL counters: energy filtering is on (bit 0 of MSR 0xBC). Readings may be "
        "wrong by up to 50 % (INTEL-SA-00389), so a difference may be the filter's. Switch SGX off in the firmware, or "
        "put up with it: `rapl: {filtered: allow}` in energygate.yml."
    )


def test_randomised_counters_that_are_allowed_are_noted_and_compared_among_themselves(powercap, rapl, tmp_path):
    tree = powercap("one")
    host = own(tree, tmp_path, controls=b"\1" + bytes(7))
    meter = rapl(tree, host=host, options=RaplOptions(filtered="allow"))
    assert meter.notes == ("energy filtering is on (bit 0 of MSR 0xBC): readings may be wrong by up to 50 %.",)
    assert meter.constants == {"filtered": "allow"}


def test_counters_that_may_be_randomised_are_noted(powercap, rapl, tmp_path):
    tree = powercap("one")
    host = own(tree, tmp_path)
    [note] = rapl(tree, host=host).notes
    assert note == (
        "this processor has SGX switched on, so its counters may be randomised by up to 50 % (INTEL-SA-00389), and "
        f"{host.msr} does not say. Switch SGX off in the firmware."
    )
    assert rapl(tree, host=own(tree, tmp_path, controls=bytes(8))).notes == ()


def test_what_this_machine_does_to_its_own_counters_says_nothing_of_a_mounted_tree(powercap, rapl, tmp_path):
    meter = rapl(powercap("one"), host=own(powercap("client"), tmp_path, controls=b"\1" + bytes(7)))
    assert meter.notes == ()


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


def test_a_counter_that_wraps_too_often_to_be_watched_is_refused(powercap, rapl):
    tree = powercap("one")
    folder = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0"
    (folder / "max_energy_range_uj").write_text("256000000\n")
    tree.write("intel-rapl:0", 5000)
    with pytest.raises(MeterUnavailable) as refused:
        rapl(tree)
    assert refused.value.what == f"{folder}/energy_uj may wrap every 0.256 s, more often than it can be read."


def test_a_power_limit_that_is_no_number_of_the_kernel_says_nothing(powercap, rapl):
    tree = powercap("one")
    folder = tree.root / "devices/virtual/powercap/intel-rapl/intel-rapl:0"
    (folder / "constraint_0_power_limit_uw").write_text("9" * 4000)
    assert [domain.name for domain in rapl(tree).domains] == ["package-0"]
