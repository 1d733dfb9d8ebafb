import platform
import re
import socket

import pytest

from energygate.measure.machine import PROTOCOL, Roots, describe_machine

XEON = "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz"
METERS = {"rapl": {"kind": "counter", "domains": ["package-0"], "constants": {}}}


def cpuinfo(model=XEON, *, flags="fpu msr", **more):
    keys = {"vendor_id": "GenuineIntel", "cpu family": "6", "model": "106", "model name": model} | more
    keys |= {"stepping": "6", "microcode": "0xd0003b9", "flags": flags}
    lines = "".join(f"{key}\t: {value}\n" for key, value in keys.items())
    return f"processor\t: 0\n{lines}\nprocessor\t: 1\nmodel name\t: another\n"


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
            "sys/class/powercap/intel-rapl:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw": "205000000\n",
            "sys/class/powercap/intel-rapl:0/constraint_1_power_limit_uw": "246000000\n",
            "sys/class/powercap/intel-rapl:0:0/name": "dram\n",
            "sys/class/powercap/intel-rapl:0:0/constraint_0_power_limit_uw": "41000000\n",
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
        return Roots(sysfs=folder / "sys", proc=folder / "proc")

    return make


def describe(roots, *, meters=METERS, gpus=()):
    return describe_machine(roots, meters=meters, gpus=gpus)


def test_the_hard_keys_are_what_the_kernel_says(tree):
    assert describe(tree(), gpus=("NVIDIA H100",)).hard == {
        "arch": platform.machine(),
        "cpu": {"vendor": "GenuineIntel", "model_name": XEON, "family": "6", "model": "106"},
        "sockets": 2,
        "cores": 4,
        "threads": "0-7",
        "smt": "1",
        "memory_gib": 248,
        "governor": ["performance"],
        "cpufreq_driver": ["intel_pstate"],
        "epp": [],
        "turbo": "1",
        "power_limits_w": [205, 246],
        "virtual": "none",
        "gpus": ["NVIDIA H100"],
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
        "microcode",
        "stepping",
        "bios",
        "clocksource",
        "python",
        "energygate",
    }


def test_a_machine_that_says_nothing_of_itself_has_unknown_keys_and_no_zeros(tmp_path):
    machine = describe_machine(Roots(sysfs=tmp_path / "sys", proc=tmp_path / "proc"), meters={})
    assert machine.hard == {
        "arch": platform.machine(),
        "cpu": {"vendor": None, "model_name": None, "family": None, "model": None},
        "sockets": None,
        "cores": None,
        "threads": None,
        "smt": None,
        "memory_gib": None,
        "governor": [],
        "cpufreq_driver": [],
        "epp": [],
        "turbo": None,
        "power_limits_w": [],
        "virtual": "none",
        "gpus": [],
        "meters": {},
        "protocol": PROTOCOL,
    }
    assert machine.label == f"{platform.machine().replace('_', '-')}-1s"


NO_PSTATE = {"sys/devices/system/cpu/intel_pstate/no_turbo": None}
BOOST = "sys/devices/system/cpu/cpufreq/boost"


@pytest.mark.parametrize(
    ("files", "turbo"),
    [
        ({"sys/devices/system/cpu/intel_pstate/no_turbo": "1\n"}, "0"),
        (NO_PSTATE | {BOOST: "1\n"}, "1"),
        (NO_PSTATE | {BOOST: "0\n"}, "0"),
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
        (263_726_160, 248),
        (260_000_000, 248),
        (268_435_456, 256),
        (16_303_428, 16),
        (8_000_000, 8),
        (33_554_432, 32),
        (35_000_000, 32),
    ],
)
def test_memory_is_rounded_so_that_a_kernel_that_keeps_more_for_itself_is_the_same_machine(tree, kib, gib):
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
        {"sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw": "165000000\n"},
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
        {"sys/class/powercap/intel-rapl:0:0/constraint_0_power_limit_uw": "30000000\n"},
    ],
    ids=["bios", "microcode", "memory", "dram limit"],
)
def test_the_fingerprint_stays_where_only_soft_things_change(tree, files):
    assert describe(tree(files=files)).fingerprint == describe(tree()).fingerprint
