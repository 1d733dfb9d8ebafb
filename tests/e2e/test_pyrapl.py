import os
from functools import partial

import pytest
from rig.adapters import UNPRIVILEGED
from rig.contract import CHECKS
from rig.fixtures import make_host

FIX = (
    " It would leave energy out, or give other energy than that of these processors. Use --energy-meters=rapl, which "
    "reads them."
)


@pytest.fixture
def pyrapl(fuse_powercap, at_real_paths, adapter_child):
    """Start a child that sees a tree in place of /sys: `tree, child = pyrapl("server2", sockets=2)`."""

    def start(layout, *options, sockets=1, mode="0400", inside=(), **more):
        if sockets > (os.cpu_count() or 1):
            pytest.skip("one processor: this would have shown how pyRAPL reads two sockets")
        tree = fuse_powercap(layout, f"--mode={mode}")
        tree.command("power all 0")  # what the tests add is then all there is
        wrap = partial(at_real_paths, tree.root, *inside, sockets=sockets)
        return tree, adapter_child("pyrapl", *options, wrap=wrap, **more)

    return start


def refused(child):
    answer = child.ask("open")
    assert answer["raised"] == "MeterUnavailable"
    return answer["text"]


def test_its_slots_are_the_domains_of_rapl(pyrapl):
    tree, child = pyrapl("server2", sockets=2)
    package_j, dram_j = 262143328850 / 0xFFFFFFFF / 1e6, 65712999613 / 0xFFFFFFFF / 1e6
    assert child.ask("open") == [
        ["package-0", "cpu", 0.001, package_j, "intel-rapl:0"],
        ["dram-0", "dram", 0.001, dram_j, "intel-rapl:0:0"],
        ["package-1", "cpu", 0.001, package_j, "intel-rapl:1"],
        ["dram-1", "dram", 0.001, dram_j, "intel-rapl:1:0"],
    ]
    child.ask("begin")
    for zone, energy_j in (("0", 5), ("0:0", 1), ("1", 4), ("1:0", 2)):
        tree.command(f"add intel-rapl:{zone} {energy_j}")
    assert child.ask("end") == pytest.approx({"package-0": 5, "dram-0": 1, "package-1": 4, "dram-1": 2}, abs=2e-4)
    assert child.ask("say") == ["counter", {}, []]
    assert child.said == ""


@pytest.mark.parametrize("layout", ["one", "client", "clientdram", "amd"])
def test_what_is_inside_the_package_or_around_it_is_not_added(pyrapl, layout):
    tree, child = pyrapl(layout)
    child.ask_all("open, begin")
    tree.command("add all 2")
    memory = {"dram-0": 2} if layout == "clientdram" else {}
    assert child.ask("end") == pytest.approx({"package-0": 2, **memory}, abs=2e-4)


def test_a_wrap_inside_the_window_gives_back_the_energy_used(pyrapl):
    tree, child = pyrapl("server2", sockets=2)
    tree.command("set intel-rapl:1 262143328000")
    child.ask_all("open, begin")
    tree.command("add all 3")
    used_j = {"package-0": 3, "dram-0": 3, "package-1": 3, "dram-1": 3}
    assert child.ask("end") == pytest.approx(used_j, abs=2e-4)


def test_a_read_that_fails_costs_its_window_and_no_other(pyrapl):
    tree, child = pyrapl("one")
    child.ask_all("open, begin")
    tree.command("error intel-rapl:0 EIO")
    assert child.ask("end") == {
        "raised": "MeasurementInvalid",
        "text": "read_error: pyRAPL cannot read a counter: Input/output error. Package energy is unknown.",
    }
    tree.command("error intel-rapl:0 none")
    child.ask_all("begin, end, begin")
    tree.command("add intel-rapl:0 2")
    assert child.ask("end") == pytest.approx({"package-0": 2}, abs=2e-4)


def test_memory_on_one_socket_alone_is_refused_because_it_reads_none(pyrapl):
    _, child = pyrapl("asymdram", sockets=2)
    assert refused(child) == (
        "pyRAPL does not read these counters: it reads package-0, package-1, and there are package-0, dram-0, "
        f"package-1.{FIX}"
    )


@pytest.mark.parametrize(
    ("layout", "sockets", "zones"),
    [
        ("gap", 2, "intel-rapl:0, intel-rapl:2"),
        ("intel-dies", 1, "intel-rapl:0, intel-rapl:1"),
        ("amd-dies", 1, "intel-rapl:0, intel-rapl:1"),
    ],
)
def test_zones_that_it_cannot_number_are_refused(pyrapl, layout, sockets, zones):
    _, child = pyrapl(layout, sockets=sockets)
    assert refused(child) == (
        "pyRAPL does not read these counters: it wants one zone for each socket, numbered without gaps, and there are "
        f"{zones}.{FIX}"
    )
    assert child.said == ""


def test_dies_that_it_takes_for_sockets_are_refused(pyrapl):
    _, child = pyrapl("intel-dies", sockets=2)
    assert refused(child).startswith("pyRAPL does not read these counters: it ")


def test_a_processor_that_is_offline_is_named(pyrapl):
    topology = "/sys/devices/system/cpu/cpu0/topology"
    hidden = ("sh", "-c", f'mount -t tmpfs tmpfs {topology} && exec "$@"', "_")
    _, child = pyrapl("one", inside=hidden)
    assert refused(child) == (
        f"pyRAPL does not read these counters: {topology}/physical_package_id: No such file or directory.{FIX}"
    )
    assert child.said == ""


def test_counters_that_only_root_may_read_are_refused_as_by_rapl(pyrapl):
    _, child = pyrapl("one", mode="0000", inside=UNPRIVILEGED)
    text = refused(child)
    assert text.startswith("Cannot read /sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj: permission")
    assert "sudo groupadd -f energygate && sudo usermod -aG energygate runner" in text


def test_counters_of_a_virtual_machine_are_refused_unless_the_configuration_allows_them(pyrapl, tmp_path):
    host = make_host(tmp_path, flags="fpu hypervisor")
    _, child = pyrapl("one", host=host)
    assert refused(child).startswith("This virtual machine (")
    _, child = pyrapl("one", "virtual=allow", host=host)
    assert [domain[0] for domain in child.ask("open")] == ["package-0"]


def test_it_leaves_nothing_behind_and_says_nothing(pyrapl):
    _, child = pyrapl("server2", sockets=2)
    before = child.ask("held")
    assert len(child.ask("open")) == 4
    descriptors, threads, handlers = child.ask("held")
    assert (descriptors - before[0], threads, handlers) == (4, ["MainThread", "energygate-pyrapl"], before[2])
    child.ask_all("begin, end, close")
    assert child.ask("held") == before
    assert child.said == ""


def test_pyrapl_keeps_the_contract(pyrapl):
    _, child = pyrapl("server2", sockets=2)
    assert {check: child.ask(f"check {check}") for check in CHECKS} == dict.fromkeys(CHECKS, "kept")
    assert child.said == ""


def test_it_agrees_with_rapl_on_the_same_seconds(pyrapl):
    tree, child = pyrapl("server2", sockets=2)
    tree.command("power all 50")
    assert child.ask("cross_check 2.0") == [True, ["dram-0", "dram-1", "package-0", "package-1"]]


def test_rapl_and_pyrapl_are_not_added(pyrapl):
    _, child = pyrapl("one")
    child.ask("open")
    assert child.ask("beside_rapl") == {
        "raised": "ConfigError",
        "text": "rapl and pyrapl both measure package-0. Their energy would be counted twice. Name one of them in "
        "--energy-meters.",
    }


def test_its_package_named_tests_is_noticed(adapter_child):
    sentence = adapter_child("pyrapl").ask("shadowed_tests")
    assert sentence.startswith("pyRAPL has installed a package `tests` (/")
    assert sentence.endswith(
        "site-packages/tests), which Python may find instead of your own: `from tests import helpers` then fails. "
        "Delete that folder; or `pip uninstall pyRAPL` and measure with rapl."
    )
