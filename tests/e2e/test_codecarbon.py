import os
from functools import partial

import pytest
from rig import lookalike
from rig.adapters import UNPRIVILEGED
from rig.contract import CHECKS

RAPL, LOAD = "CodeCarbon's reading of RAPL", "CodeCarbon's model of the load, no counter"
WINDOW = "begin, sleep 0.1"  # CodeCarbon leaves out what is younger than 0.05 s


@pytest.fixture
def codecarbon(fuse_powercap, at_real_paths, adapter_child):
    """Start a child that sees a tree in place of /sys: `tree, child = codecarbon("one")`."""

    def start(layout, *, mode="0400", inside=(), **env):
        tree = fuse_powercap(layout, f"--mode={mode}")
        tree.command("power all 0")  # what the tests add is then all there is
        wrap = partial(at_real_paths, tree.root, *inside)
        return tree, adapter_child("codecarbon", wrap=wrap, **env)

    return start


def cpu(detail):
    return [["cpu-codecarbon", "cpu", 0.05, 0.0, detail]]


def test_it_is_an_estimate_even_where_it_reads_a_counter_and_memory_is_left_out(codecarbon):
    tree, child = codecarbon("clientdram")
    assert child.ask("open") == cpu(RAPL)
    assert child.ask("say") == [
        "estimate",
        {"version": child.ask("version codecarbon"), "cpu-codecarbon": RAPL},
        [f"cpu-codecarbon is {RAPL}."],
    ]
    child.ask_all(WINDOW)
    tree.command("add intel-rapl:0 20")
    tree.command("add intel-rapl:0:1 5")
    assert child.ask("end") == pytest.approx({"cpu-codecarbon": 20}, abs=1e-3)
    assert child.said == ""


def test_it_says_so_where_it_cannot_read_the_counter_and_models_the_load(codecarbon):
    _, child = codecarbon("one", mode="0000", inside=UNPRIVILEGED)
    assert child.ask("open") == cpu(LOAD)
    assert child.ask("say")[2] == [f"cpu-codecarbon is {LOAD}."]
    child.ask_all(WINDOW)
    assert child.ask("end")["cpu-codecarbon"] > 0
    assert child.said == ""


def test_nothing_is_not_zero_joules(codecarbon):
    _, child = codecarbon("one")
    child.ask_all(f"open, {WINDOW}")
    assert child.ask("end") == {
        "raised": "MeasurementInvalid",
        "text": "read_error: CodeCarbon says 0.0 kWh for cpu-codecarbon, as it does for what it cannot read: the "
        "energy is unknown.",
    }


def test_a_configuration_of_codecarbon_changes_nothing_and_sends_nothing(codecarbon, tmp_path):
    settings = {"PUE": "2", "EMISSIONS_ENDPOINT": "http://127.0.0.1:9/", "SAVE_TO_API": "true", "FORCE_CPU_POWER": "99"}
    tree, child = codecarbon("one", **{f"CODECARBON_{name}": value for name, value in settings.items()})
    (tmp_path / "cwd/.codecarbon.config").write_text("[codecarbon]\nsave_to_file = true\nco2_signal_api_token = t\n")
    assert child.ask("open") == cpu(RAPL)
    child.ask_all(WINDOW)
    tree.command("add intel-rapl:0 20")
    assert child.ask("end") == pytest.approx({"cpu-codecarbon": 20}, abs=1e-3)
    assert child.ask("touched") == []
    assert [path.name for path in (tmp_path / "cwd").iterdir()] == [".codecarbon.config"]
    assert child.said == ""


def test_what_stops_it_from_starting_is_said(adapter_child, tmp_path):
    child = adapter_child("codecarbon")
    (config := tmp_path / "cwd/.codecarbon.config").write_text("no section\n")
    assert child.ask("open") == {
        "raised": "MeterUnavailable",
        "text": "CodeCarbon does not start: MissingSectionHeaderError: File contains no section headers. file: "
        f"'{config}', line: 1 'no section\\n'. Without it there is no estimate. Use --energy-meters=estimate, which "
        "needs nothing; or rapl and nvml, which measure.",
    }
    assert child.said == ""


def test_it_is_not_added_to_a_counter(codecarbon):
    _, child = codecarbon("one")
    child.ask("open")
    assert child.ask("beside_rapl") == {
        "raised": "ConfigError",
        "text": "rapl and codecarbon both count the energy of: cpu. An estimate beside a counter of the same part "
        "counts it twice. Name one of them in --energy-meters. To compare them, measure with one after the other: "
        "--energy-mode=measure.",
    }


def test_closing_ends_what_runs(adapter_child):
    child = adapter_child("codecarbon")
    child.ask_all("open, begin, begin, close")
    assert child.ask("alive") == []
    assert child.said == ""


def test_codecarbon_keeps_the_contract(adapter_child):
    child = adapter_child("codecarbon")
    assert {check: child.ask(f"check {check}") for check in CHECKS} == dict.fromkeys(CHECKS, "kept")


@pytest.fixture
def gpus(nvml_state, nvml_library, tmp_path):
    """The environment of a process that sees these GPUs; CodeCarbon looks for them by the program `nvidia-smi`."""
    (folder := tmp_path / "bin").mkdir()
    (folder / "nvidia-smi").write_text("#!/bin/sh\n")
    (folder / "nvidia-smi").chmod(0o755)

    def start(*gpus):
        state = nvml_state(list(gpus))
        return state, lookalike.environment(nvml_library, state.path) | {"PATH": f"{folder}:{os.environ['PATH']}"}

    return start


@pytest.mark.nvml
def test_all_gpus_together_are_one_domain(adapter_child, gpus):
    state, env = gpus({"power_w": 0.0}, {"power_w": 0.0})
    child = adapter_child("codecarbon", **env)
    assert child.ask("open")[1] == ["gpu-codecarbon", "gpu", 0.1, 0.0, "CodeCarbon's reading of NVML"]
    child.ask_all(WINDOW)
    state.set(0, base_mj=1e6 + 30_000)
    state.set(1, base_mj=2e6 + 12_000)
    assert child.ask("end")["gpu-codecarbon"] == pytest.approx(42)


@pytest.mark.nvml
def test_a_gpu_without_a_counter_is_not_zero_joules(adapter_child, gpus):
    _, env = gpus({"energy_ok": 0, "power_w": 0.0})
    child = adapter_child("codecarbon", **env)
    child.ask_all(f"open, {WINDOW}")
    assert child.ask("end")["text"].startswith("read_error: CodeCarbon says 0.0 kWh for gpu-codecarbon")
