import platform
import re
import socket

import pytest

from energygate.measure.machine import PROTOCOL, Roots, describe_machine
from energygate.meters.base import Hardware

XEON = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
METERS = {"rapl": {"kind": "counter", "domains": ["package-0"], "constants": {}}}


def cpuinfo(model=XEON, *, flags="fpu msr", **more):
    keys = {"vendor_id": "GenuineIntel", "cpu family": "6", "model": "106", "model name": model} | more
    keys |= {"stepping": "6", "microcode": "0xd0003b9", "flags": flags}
    lines = "".join(f"{key}\t: {value}\n" for key, value in keys.items())
    return f"processor\t: 0\n{lines}\nprocessor\t: 1\n{lines}\n"


ZONE = "sys/devices/virtual/powercap/intel-rapl/intel-rapl:0"


@pytest.fixture
def tree(tmp_path):
    """A bare-metal server of two sockets with two cores each, as its kernel describes it; a dict changes its files."""

    def make(**changes):
        cpus = {
            f"sys/devices/system/cpu/cpu{n}/topology/{name}": value
            for n in range(8)
            for name, value in (("physical_package_id", f"{n % 2}"), ("core_id", f"{n // 2 % 2}"))
        }
        policies = {
            f"sys/devices/system/cpu/cpufreq/policy{n}/{name}": value
            for n in range(2)
            for name, value in (("scaling_governor", "performance"), ("scaling_driver", "intel_pstate"))
        }
        files = {
            "proc/cpuinfo": cpuinfo(),
            "proc/meminfo": "MemTotal:       263726160 kB\nMemFree: 1 kB\n",
            "sys/devices/system/cpu/online": "0-7\n",
            "sys/devices/system/cpu/smt/active": "1\n",
            "sys/devices/system/cpu/intel_pstate/no_turbo": "0\n",
            f"{ZONE}/name": "package-0\n",
            f"{ZONE}/constraint_0_power_limit_uw": "205000000\n",
            f"{ZONE}/constraint_1_power_limit_uw": "246000000\n",
            f"{ZONE}/intel-rapl:0:0/name": "dram\n",
            f"{ZONE}/intel-rapl:0:0/constraint_0_power_limit_uw": "41000000\n",
            "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
            "sys/class/dmi/id/product_name": "PowerEdge R650\n",
            "sys/class/dmi/id/bios_version": "1.9.2\n",
            "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
            **cpus,
            **policies,
            **changes.get("files", {}),
        }
        folder = tmp_path / f"tree-{len(list(tmp_path.iterdir()))}"
        for name, text in files.items():
            if text is not None:
                (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return Roots(sysfs=folder / "sys", proc=folder / "proc", root=folder)

    return make


def describe(roots, *, meters=METERS, gpus=()):
    hardware = Hardware(
        hard={"gpus": [{"model": gpu} for gpu in gpus], "gpu_driver": {"major": "570", "cuda": "12.8"}},
        soft={"persistence": ["on" for _ in gpus]},
    )
    return describe_machine(roots, meters=meters, hardware=hardware if gpus else None)


def test_the_hard_keys_are_what_the_kernel_says(tree):
    assert describe(tree(), gpus=("NVIDIA H100",)).hard == {
        "arch": platform.machine(),
        "cpu": {"vendor": "GenuineIntel", "model_name": XEON, "family": "6", "model": "106"},
        "sockets": 2,
        "cores": 4,
        "threads": "0-7",
        "smt": True,
        "memory_gib": 256,
        "governor": ["performance"],
        "cpufreq_driver": ["intel_pstate"],
        "epp": None,
        "turbo": True,
        "power_limits_w": {"package-0": [205, 246]},
        "virtual": "none",
        "gpus": [{"model": "NVIDIA H100"}],
        "gpu_driver": {"major": "570", "cuda": "12.8"},
        "meters": METERS,
        "protocol": PROTOCOL,
    }


def test_the_soft_keys_are_what_may_change_without_another_machine(tree):
    soft = describe(tree()).soft
    assert soft["host"] == socket.gethostname()
    assert (soft["microcode"], soft["stepping"], soft["bios"], soft["clocksource"]) == (
        "0xd0003b9",
        "6",
        "1.9.2",
        "tsc",
    )
    assert (soft["kernel"], soft["python"]) == (platform.release(), platform.python_version())
    assert set(soft) == {
        "host",
        "kernel",
        "kernel_parameters",
        "microcode",
        "stepping",
        "bios",
        "clocksource",
        "huge_pages",
        "container",
        "python",
        "energygate",
    }


def test_what_a_meter_knows_of_the_hardware_is_among_the_keys(tree):
    assert describe(tree(), gpus=("NVIDIA H100",)).soft["persistence"] == ["on"]


def test_a_machine_that_says_nothing_of_itself_has_unknown_keys_and_no_zeros(tmp_path):
    machine = describe_machine(Roots(sysfs=tmp_path / "sys", proc=tmp_path / "proc", root=tmp_path), meters={})
    assert machine.hard == {
        "arch": platform.machine(),
        "cpu": {"vendor": None, "model_name": None, "family": None, "model": None},
        "sockets": None,
        "cores": None,
        "threads": None,
        "smt": None,
        "memory_gib": None,
        "governor": None,
        "cpufreq_driver": None,
        "epp": None,
        "turbo": None,
        "power_limits_w": None,
        "virtual": "none",
        "gpus": [],
        "gpu_driver": None,
        "meters": {},
        "protocol": PROTOCOL,
    }
    assert machine.label == f"{platform.machine().replace('_', '-')}-1s"


NO_PSTATE = {"sys/devices/system/cpu/intel_pstate/no_turbo": None}
BOOST = "sys/devices/system/cpu/cpufreq/boost"


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"sys/devices/system/cpu/intel_pstate/no_turbo": "1\n"}, False),
        (NO_PSTATE | {BOOST: "1\n"}, True),
        (NO_PSTATE | {BOOST: "0\n"}, False),
        (NO_PSTATE, None),
    ],
)
def test_turbo_means_the_same_whichever_file_tells_it(tree, files, turbo):
    assert describe(tree(files=files)).hard["turbo"] == turbo


def test_policies_with_different_governors_are_all_named(tree):
    files = {"sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave\n"}
    assert describe(tree(files=files)).hard["governor"] == ["performance", "powersave"]


@pytest.mark.parametrize(
    ("kib", "gib"),
    [
        (263_726_160, 256),
        (260_046_849, 256),
        (260_046_848, 248),
        (268_435_456, 256),
        (16_303_428, 16),
        (16_249_782, 16),  # 15.497 GiB of 16
        (16_260_268, 16),  # 15.507
        (8_000_000, 8),
        (33_554_432, 32),
        (33_554_433, 40),
    ],
)
def test_memory_is_what_is_installed_whatever_the_kernel_keeps_for_itself(tree, kib, gib):
    assert describe(tree(files={"proc/meminfo": f"MemTotal: {kib} kB\n"})).hard["memory_gib"] == gib


DMI = "sys/class/dmi/id"


@pytest.mark.parametrize(
    ("files", "virtual"),
    [
        ({"proc/cpuinfo": cpuinfo(flags="fpu hypervisor")}, "Dell Inc. PowerEdge R650"),
        (
            {
                "proc/cpuinfo": cpuinfo(flags="fpu hypervisor"),
                f"{DMI}/sys_vendor": None,
                f"{DMI}/product_name": "KVM\n",
            },
            "KVM",
        ),
        (
            {"proc/cpuinfo": cpuinfo(flags="hypervisor"), f"{DMI}/sys_vendor": None, f"{DMI}/product_name": None},
            "unknown",
        ),
        ({"sys/hypervisor/type": "xen\n", f"{DMI}/sys_vendor": None, f"{DMI}/product_name": None}, "xen"),
        ({f"{DMI}/sys_vendor": "QEMU\n", f"{DMI}/product_name": "KVM Virtual Machine\n"}, "QEMU KVM Virtual Machine"),
        ({f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "c7g.metal\n"}, "none"),
        ({"proc/cpuinfo": cpuinfo(flags="nohypervisorhere")}, "none"),
    ],
)
def test_a_virtual_machine_is_named_by_its_hypervisor(tree, files, virtual):
    assert describe(tree(files=files)).hard["virtual"] == virtual


@pytest.mark.parametrize(
    ("model", "gpus", "label"),
    [
        (XEON, (), "intel-xeon-gold-6338-2s"),
        ("AMD EPYC 7763 64-Core Processor", (), "amd-epyc-7763-2s"),
        ("12th Gen Intel(R) Core(TM) i7-12700", (), "12th-gen-intel-core-i7-12700-2s"),
        (
            "AMD EPYC 7763 64-Core Processor",
            ("NVIDIA H100", "NVIDIA A100", "NVIDIA H100"),
            "amd-epyc-7763-2s-1x-nvidia-a100-2x-nvidia-h100",
        ),
    ],
)
def test_the_label_is_a_slug_for_people(tree, model, gpus, label):
    assert describe(tree(files={"proc/cpuinfo": cpuinfo(model)}), gpus=gpus).label == label


def test_the_fingerprint_is_the_same_however_its_keys_are_ordered(tree):
    both = {"rapl": {"kind": "counter", "domains": []}, "nvml": {"kind": "counter", "domains": []}}
    turned = {name: dict(reversed(both[name].items())) for name in reversed(both)}
    first, second = describe(tree(), meters=both), describe(tree(), meters=turned)
    assert first.fingerprint == second.fingerprint
    assert re.fullmatch("[0-9a-f]{12}", first.fingerprint)


@pytest.mark.parametrize(
    "files",
    [
        {"proc/cpuinfo": cpuinfo("Intel(R) Xeon(R) Gold 6348")},
        {"proc/cpuinfo": cpuinfo(flags="hypervisor")},
        {"proc/cpuinfo": cpuinfo(vendor_id="AuthenticAMD")},
        {"proc/meminfo": "MemTotal: 131863080 kB\n"},
        {"sys/devices/system/cpu/online": "0-3\n"},
        {"sys/devices/system/cpu/smt/active": "0\n"},
        {"sys/devices/system/cpu/cpu7/topology/core_id": "9\n"},
        {"sys/devices/system/cpu/cpu7/topology/physical_package_id": "9\n"},
        {"sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave\n"},
        {"sys/devices/system/cpu/cpufreq/policy1/scaling_driver": "acpi-cpufreq\n"},
        {"sys/devices/system/cpu/cpufreq/policy0/energy_performance_preference": "balance_power\n"},
        {"sys/devices/system/cpu/intel_pstate/no_turbo": "1\n"},
        {f"{ZONE}/constraint_0_power_limit_uw": "165000000\n"},
    ],
    ids=lambda files: next(iter(files)).rpartition("/")[2],
)
def test_the_fingerprint_changes_with_every_hard_key(tree, files):
    assert describe(tree(files=files)).fingerprint != describe(tree()).fingerprint


def test_the_fingerprint_changes_with_the_meters_and_the_gpus(tree):
    estimate = {"estimate": {"kind": "estimate", "constants": {"watts_per_core": 5.0}}}
    other = {"estimate": {"kind": "estimate", "constants": {"watts_per_core": 6.0}}}
    found = {
        describe(tree()).fingerprint,
        describe(tree(), meters=estimate).fingerprint,
        describe(tree(), meters=other).fingerprint,
        describe(tree(), gpus=("NVIDIA H100",)).fingerprint,
        describe(tree(), gpus=("NVIDIA H100", "NVIDIA H100")).fingerprint,
    }
    assert len(found) == 5


@pytest.mark.parametrize(
    "files",
    [
        {"sys/class/dmi/id/bios_version": "2.0\n"},
        {"proc/cpuinfo": cpuinfo().replace("0xd0003b9", "0xd0003ff")},
        {"proc/meminfo": "MemTotal:       263700000 kB\n"},
        {f"{ZONE}/intel-rapl:0:0/constraint_0_power_limit_uw": "30000000\n"},
    ],
    ids=["bios", "microcode", "memory", "dram limit"],
)
def test_the_fingerprint_stays_where_only_soft_things_change(tree, files):
    assert describe(tree(files=files)).fingerprint == describe(tree()).fingerprint


def test_each_package_has_its_own_power_limits_and_the_mmio_twin_has_none(tree):
    zones = "sys/devices/virtual/powercap"
    files = {
        f"{zones}/intel-rapl/intel-rapl:0/name": "package-0\n",
        f"{zones}/intel-rapl/intel-rapl:0/constraint_0_power_limit_uw": "204999999\n",
        f"{zones}/intel-rapl/intel-rapl:0/constraint_1_power_limit_uw": None,
        f"{zones}/intel-rapl/intel-rapl:1/name": "psys\n",
        f"{zones}/intel-rapl/intel-rapl:1/constraint_0_power_limit_uw": "1000000\n",
        f"{zones}/intel-rapl/intel-rapl:a/name": "package-1\n",
        f"{zones}/intel-rapl/intel-rapl:a/constraint_0_power_limit_uw": "165000000\n",
        f"{zones}/intel-rapl/intel-rapl:a/constraint_1_power_limit_uw": "198000000\n",
        f"{zones}/intel-rapl-mmio/intel-rapl-mmio:0/name": "package-0\n",
        f"{zones}/intel-rapl-mmio/intel-rapl-mmio:0/constraint_0_power_limit_uw": "9000000\n",
    }
    assert describe(tree(files=files)).hard["power_limits_w"] == {"package-0": [205, None], "package-1": [165, 198]}


def test_a_package_without_limits_has_no_entry_as_on_amd(tree):
    limits = {f"{ZONE}/constraint_{i}_power_limit_uw": None for i in (0, 1)}
    assert describe(tree(files=limits)).hard["power_limits_w"] is None


def test_dies_that_number_their_cores_alike_have_cores_of_their_own(tree):
    dies = {f"sys/devices/system/cpu/cpu{n}/topology/die_id": f"{n // 4}\n" for n in range(8)}
    assert (describe(tree(files=dies)).hard["sockets"], describe(tree(files=dies)).hard["cores"]) == (2, 8)


def test_a_processor_that_is_switched_off_is_no_core(tree):
    topology = ("physical_package_id", "core_id")
    off = {f"sys/devices/system/cpu/cpu{n}/topology/{name}": None for n in (3, 7) for name in topology}
    hard = describe(tree(files=off | {"sys/devices/system/cpu/online": "0-2,4-6\n"})).hard
    assert (hard["cores"], hard["threads"]) == (3, "0-2,4-6")


def test_a_package_that_the_kernel_does_not_know_is_no_socket(tree):
    unknown = {f"sys/devices/system/cpu/cpu{n}/topology/physical_package_id": "-1\n" for n in range(8)}
    hard = describe(tree(files=unknown)).hard
    assert (hard["sockets"], hard["cores"]) == (None, None)


def arm(*parts):
    return "\n".join(
        f"processor\t: {n}\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: {part}\nCPU revision\t: 1\n"
        for n, part in enumerate(parts)
    )


def test_an_arm_processor_is_told_by_its_numbers(tree):
    machine = describe(tree(files={"proc/cpuinfo": arm("0xd0c", "0xd0c")}))
    assert machine.hard["cpu"] == {"vendor": "0x41", "model_name": None, "family": "8", "model": "0xd0c"}
    assert (machine.label, machine.soft["stepping"]) == ("arm-0x41-0xd0c-2s", "1")


def test_big_and_little_cores_are_both_named(tree):
    files = {"proc/cpuinfo": arm("0xd08", "0xd03", "0xd08"), "proc/device-tree/model": "Example Board 4\0"}
    machine = describe(tree(files=files))
    assert (machine.hard["cpu"]["model"], machine.label) == ("0xd03, 0xd08", "example-board-4-2s")


def test_only_boot_parameters_that_change_what_work_costs_are_kept_and_no_secret(tree):
    line = (
        "BOOT_IMAGE=/vmlinuz root=UUID=1 ro mitigations=auto,nosmt processor.max-cstate=1 intel_pstate=disable "
        'token=secret password="a mitigations=off b" isolcpus=1-3 nosmt idle=$(secret) quiet -- idle=poll\n'
    )
    assert describe(tree(files={"proc/cmdline": line})).soft["kernel_parameters"] == [
        "idle",
        "intel_pstate=disable",
        "isolcpus=1-3",
        "mitigations=auto,nosmt",
        "nosmt",
        "processor.max-cstate=1",
    ]


def test_huge_pages_are_what_stands_in_brackets(tree):
    files = {"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n"}
    assert describe(tree(files=files)).soft["huge_pages"] == "madvise"


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": 'engine="podman"'}, "podman"),
        ({"run/systemd/container": "lxc\n"}, "lxc"),
        ({}, None),
    ],
)
def test_a_container_is_told_by_the_mark_of_its_runtime(tree, files, container):
    assert describe(tree(files=files)).soft["container"] == container


def test_bytes_that_are_no_text_are_no_fault(tree):
    roots = tree()
    (roots.sysfs / "class/dmi/id/bios_version").write_bytes(b"1.\xff\n")
    assert describe(roots).soft["bios"] == "1.\N{REPLACEMENT CHARACTER}"
