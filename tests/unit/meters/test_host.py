import os
from dataclasses import replace
from pathlib import Path

import pytest
from rig.fixtures import make_host

from energygate.meters.host import Host

ON_THE_BUS = "sys/bus/pci/devices/0000:01:00.0"
SYSFS = "23 27 0:22 / /sys rw,relatime - sysfs sysfs rw\n"


def mounted(host, folder, kind):
    """The machine, with the file system that holds the folder said to be of that type."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    host.mountinfo.write_text(f"{SYSFS}30 27 {number} / {folder} ro,nosuid shared:5 master:1 - {kind} {kind} ro\n")
    return host


def register(host, controls):
    """The machine, with these model-specific registers: 0xBC and what follows it."""
    host.msr.write_bytes(b"\xff" * 0xBC + controls)
    return host


def test_what_lies_below_its_own_sysfs_is_this_machines_whatever_is_mounted_there(tmp_path):
    (folder := tmp_path / "sys/devices/virtual/powercap").mkdir(parents=True)
    host = mounted(make_host(tmp_path, sysfs=tmp_path / "sys"), folder, "fuse")
    assert host.owns(folder)


def test_a_link_into_its_own_sysfs_is_this_machines(tmp_path):
    (tmp_path / "sys/devices").mkdir(parents=True)
    (link := tmp_path / "elsewhere").symlink_to(tmp_path / "sys/devices")
    assert make_host(tmp_path, sysfs=tmp_path / "sys").owns(link)


@pytest.mark.parametrize(
    ("kind", "own"), [("sysfs", True), ("tmpfs", False), ("fuse.powercap", False), ("ext4", False)]
)
def test_another_path_is_this_machines_where_sysfs_is_mounted_on_it(tmp_path, kind, own):
    (folder := tmp_path / "host/sys").mkdir(parents=True)
    assert mounted(make_host(tmp_path), folder, kind).owns(folder) is own


@pytest.mark.parametrize("text", [None, "", "23 27\n", SYSFS])
def test_a_path_whose_mount_is_not_listed_is_not_this_machines(tmp_path, text):
    host = make_host(tmp_path)
    if text is not None:
        host.mountinfo.write_text(text)
    assert not host.owns(tmp_path)


def test_this_kernels_list_of_mounts_is_understood(tmp_path):
    sysfs = Path("/sys/kernel")
    if " - sysfs " not in Path("/proc/self/mountinfo").read_text() or not sysfs.is_dir():
        pytest.skip("no sysfs mounted: this would have shown that it is recognised at another path than /sys")
    host = Host(sysfs=tmp_path / "elsewhere")
    assert host.owns(sysfs)
    assert not host.owns(tmp_path)


@pytest.mark.parametrize(
    ("mount", "masked"),
    [
        ("31 23 0:40 / /sys/devices/virtual/powercap ro,relatime - tmpfs tmpfs ro\n", True),
        ("31 23 0:40 / /sys/devices/virtual/powercap ro,relatime - sysfs sysfs ro\n", False),
        ("31 23 0:40 / /sys/devices/virtual/dmi ro,relatime - tmpfs tmpfs ro\n", False),
    ],
)
def test_counters_are_masked_by_a_tmpfs_over_them(tmp_path, mount, masked):
    host = make_host(tmp_path)
    host.mountinfo.write_text(SYSFS + mount)
    assert host.masks_counters is masked


@pytest.mark.parametrize(
    ("vendor", "flags", "controls", "answer"),
    [
        ("GenuineIntel", "fpu sgx", b"\1\0\0\0\0\0\0\0", "on"),
        ("GenuineIntel", "fpu sgx", b"\2\0\0\0\0\0\0\0", "off"),
        ("GenuineIntel", "fpu sgx", b"", "possible"),
        ("GenuineIntel", "fpu sgx_lc", b"", "off"),
        ("AuthenticAMD", "fpu sgx", b"\1\0\0\0\0\0\0\0", "off"),
    ],
)
def test_the_register_says_whether_counters_are_filtered_and_sgx_only_hints_at_it(
    tmp_path, vendor, flags, controls, answer
):
    host = register(make_host(tmp_path, vendor=vendor, flags=flags), controls)
    assert host.energy_filter == answer


def test_a_processor_without_the_register_is_judged_by_its_flags(tmp_path):
    host = make_host(tmp_path, flags="fpu sgx")
    assert replace(host, msr=tmp_path / "none").energy_filter == "possible"
    assert replace(host, msr=tmp_path).energy_filter == "possible"  # it opens, and reading it fails
    assert replace(host, msr=tmp_path, cpuinfo=tmp_path / "none").energy_filter == "off"


def test_the_first_processors_entry_counts(tmp_path):
    host = make_host(tmp_path, vendor="AuthenticAMD")
    host.cpuinfo.write_text(host.cpuinfo.read_text() + "\n" + "processor\t: 1\nflags\t\t: hypervisor\n" * 1000)
    assert host.mirrors_dies
    assert host.virtual_machine is None


def test_a_name_in_the_firmware_is_shown_without_control_characters_and_not_whole(tmp_path):
    (dmi := tmp_path / "own/class/dmi/id").mkdir(parents=True)
    (dmi / "sys_vendor").write_bytes(b"QEMU\x1b[31m\xff\n")
    (dmi / "product_name").write_text("x" * 5000)
    assert make_host(tmp_path, sysfs=tmp_path / "own").virtual_machine == f"QEMU?[31m? {'x' * 64}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"dev/nvidiactl": ""}, True),
        ({"dev/nvhost-gpu": ""}, True),
        ({f"{ON_THE_BUS}/vendor": "0x10de", f"{ON_THE_BUS}/class": "0x030200"}, True),
        ({f"{ON_THE_BUS}/vendor": "0x10de", f"{ON_THE_BUS}/class": "0x0c0330"}, False),
        ({f"{ON_THE_BUS}/vendor": "0x1002", f"{ON_THE_BUS}/class": "0x030000"}, False),
    ],
    ids=["nothing", "driver", "Tegra", "GPU", "another chip of NVIDIA's", "GPU of another vendor"],
)
def test_an_nvidia_gpu_is_known_by_its_place_on_the_bus_or_its_driver(tmp_path, files, expected):
    for name, text in files.items():
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert make_host(tmp_path, sysfs=tmp_path / "sys").has_nvidia_gpu is expected
