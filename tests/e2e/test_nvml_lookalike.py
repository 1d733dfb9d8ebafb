"""The NVML meter in a process of its own, through the real bindings, against the look-alike."""

import time

import pytest

pytestmark = pytest.mark.nvml

H100 = "NVIDIA H100 80GB HBM3"
UUIDS = [f"GPU-{i:08x}-0000-0000-0000-{i:012x}" for i in range(2)]
GPU_0 = f"gpu-0 ({H100}, {UUIDS[0]})"
FAST = {"energy_period": 0.01, "power_w": 210.0}
ANOTHER_METER = "or leave GPUs out with --energy-meters=rapl."


@pytest.fixture
def gpus(nvml_state):
    return nvml_state([FAST])


def refused(what, *, by="MeterUnavailable"):
    return {"raised": by, "text": what}


def invalid(text):
    return {"raised": "MeasurementInvalid", "text": text}


def test_a_window_holds_the_energy_between_two_refreshes_just_after_its_ends(nvml_state, nvml_child):
    gpus, child = nvml_state([{"energy_period": 0.1, "power_w": 210.0}]), nvml_child()
    [[name, part, interval_s, resolution_j, detail]] = child.ask("open")
    assert (name, part, resolution_j, detail) == ("gpu-0", "gpu", 0.001, f"{H100} {UUIDS[0]}")
    assert interval_s == pytest.approx(0.1, rel=0.5)
    before_j = gpus.true_j(0)
    child.ask("begin")
    begun_j = gpus.true_j(0)
    gpus.run_at(0, 400.0)
    time.sleep(0.35)
    gpus.run_at(0, 210.0)
    ending_j = gpus.true_j(0)
    energy_j = child.ask("end")["gpu-0"]
    # Both ends lie at a refresh inside the call: this needs no allowance for a period of 100 ms, which is 21 J.
    assert ending_j - begun_j - 0.01 <= energy_j <= gpus.true_j(0) - before_j + 0.01


def test_two_gpus_are_aligned_each_to_its_own_counter(nvml_state, nvml_child):
    nvml_state([{"energy_period": 0.05, "power_w": 100.0}, {"energy_period": 0.02, "power_w": 300.0}])
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    energy_j = child.ask("end")
    # A multiple of what one period is worth, and at least one of it.
    assert energy_j["gpu-0"] >= 5.0
    assert energy_j["gpu-0"] / 5.0 == pytest.approx(round(energy_j["gpu-0"] / 5.0), abs=1e-3)
    assert energy_j["gpu-1"] >= 6.0
    assert energy_j["gpu-1"] / 6.0 == pytest.approx(round(energy_j["gpu-1"] / 6.0), abs=1e-3)


def test_gpus_are_numbered_by_pci_bus_id(nvml_state, nvml_child):
    nvml_state([{**FAST, "bus": "00000000:C1:00.0"}, {**FAST, "bus": "00000000:1A:00.0"}])
    assert [(name, detail.rpartition(" ")[2]) for name, *_, detail in nvml_child().ask("open")] == [
        ("gpu-0", UUIDS[1]),
        ("gpu-1", UUIDS[0]),
    ]


def test_a_counter_that_starts_again_is_a_reset(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.restart_counter(0)
    answer = child.ask("end")
    assert answer["raised"] == "MeasurementInvalid"
    assert answer["text"].startswith(f"counter_reset: {GPU_0} fell by ")
    child.ask("begin")
    assert child.ask("end")["gpu-0"] > 0


def test_a_lost_gpu_is_named(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, lost_at=time.monotonic())
    lost = invalid(f"gpu_lost: The energy counter of {GPU_0} cannot be read: GPU is lost. Its energy is unknown.")
    assert child.ask("end") == lost
    child.ask("begin")
    assert child.ask("end") == lost


def test_another_error_in_a_window_is_a_read_error(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, energy_error=999)
    assert child.ask("end") == invalid(
        f"read_error: The energy counter of {GPU_0} cannot be read: Unknown Error. Its energy is unknown."
    )


def test_a_counter_that_stands_still_in_a_window_is_a_read_error(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    gpus.run_at(0, 0.0)
    child.ask("begin")
    answer = child.ask("end")
    assert answer["raised"] == "MeasurementInvalid"
    assert answer["text"].startswith(f"read_error: {GPU_0} did not change for ")


def test_more_power_than_the_limit_allows_is_implausible(nvml_state, nvml_child):
    gpus, child = nvml_state([{**FAST, "limit_w": 300.0}]), nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, base_mj=9e9, base_s=time.monotonic())
    answer = child.ask("end")
    assert answer["text"].startswith(f"implausible: {GPU_0} rose by ")
    assert "more than 450 W: it was set back or is broken" in answer["text"]


@pytest.mark.parametrize("limit", [{"limit_ok": 0}, {"mig_ok": 0}])
def test_what_a_gpu_does_not_support_is_an_answer(nvml_state, nvml_child, limit):
    nvml_state([{**FAST, **limit}])
    assert [name for name, *_ in nvml_child().ask("open")] == ["gpu-0"]


@pytest.mark.parametrize(
    ("gpu", "text"),
    [
        (
            {"mig": 1},
            (
                "gpu-1 ({}) is in MIG mode. NVML counts the energy of the board, not of a slice. Switch it off: `sudo "
                "nvidia-smi -i 00000000:02:00.0 -mig 0`."
            ),
        ),
        (
            {"virt": 2},
            "gpu-1 ({}) is a vGPU. The guest has no energy counter of its own. Use passthrough or bare metal.",
        ),
        (
            {"energy_ok": 0},
            (
                "gpu-1 ({}) has no energy counter. NVML counts energy from Volta on, and not on Tegra; without it GPU "
                f"energy is unknown. Use such a GPU, {ANOTHER_METER}"
            ),
        ),
        (
            {"power_w": 0.0},
            (
                "The energy counter of gpu-1 ({}) changed 0 times in 3 s. A counter that stands still would show no "
                f"energy whatever runs. Update the driver, {ANOTHER_METER}"
            ),
        ),
        (
            {"energy_error": 15},
            "NVML failed: GPU is lost. Without NVML the energy of GPUs is unknown. See `nvidia-smi`.",
        ),
    ],
)
def test_one_gpu_that_cannot_be_measured_refuses_the_meter(nvml_state, nvml_child, gpu, text):
    nvml_state([FAST, {**FAST, "name": "Tesla P100", **gpu}])
    assert nvml_child().ask("open") == refused(text.format(f"Tesla P100, {UUIDS[1]}"))


def test_a_machine_without_a_gpu_is_told_so(nvml_state, nvml_child):
    nvml_state([])
    assert nvml_child().ask("open") == refused(
        f"NVML shows no GPU. There is nothing to measure. Use a machine with an NVIDIA GPU, {ANOTHER_METER}"
    )


def test_a_driver_that_is_not_loaded_is_told_so(tmp_path, nvml_child):
    assert nvml_child(state=tmp_path / "nowhere").ask("open") == refused(
        "The NVIDIA driver is installed and not loaded. Without NVML the energy of GPUs is unknown. Load it: `sudo "
        "modprobe nvidia`, and see `nvidia-smi`."
    )


def test_a_library_that_cannot_be_loaded_is_told_so(tmp_path, nvml_child):
    (tmp_path / "libnvidia-ml.so.1").touch()
    assert nvml_child(library=tmp_path).ask("open") == refused(
        "The library libnvidia-ml.so.1 is not here: no NVIDIA driver is installed, or the container was started "
        "without it. Without NVML the energy of GPUs is unknown. Install the driver (Docker: `--gpus all`). Use a "
        f"machine with an NVIDIA GPU, {ANOTHER_METER}"
    )


def test_another_failure_to_start_is_told_in_the_words_of_the_driver(nvml_state, nvml_child):
    nvml_state([FAST], init_error=18)
    assert nvml_child().ask("open") == refused(
        "NVML does not start: RM has detected an NVML/RM version mismatch. Without NVML the energy of GPUs is unknown. "
        "See `nvidia-smi`."
    )


def test_auto_takes_both_counters_where_both_open(gpus, powercap, nvml_child):
    energy_j, *notes = nvml_child(sysfs=powercap("server2").root).ask("auto")
    assert list(energy_j) == ["package-0", "dram-0", "package-1", "dram-1", "gpu-0"]
    assert notes == ["rapl: measures package-0, dram-0, package-1, dram-1.", "nvml: measures gpu-0."]


def test_auto_says_why_a_counter_is_not_used(nvml_state, powercap, nvml_child):
    nvml_state([])
    _energy_j, *notes = nvml_child(sysfs=powercap("one").root).ask("auto")
    assert notes == [
        "rapl: measures package-0.",
        "nvml: not used: NVML shows no GPU.",
    ]


def test_auto_without_any_counter_gives_every_reason_and_the_way_on(nvml_state, tmp_path, nvml_child):
    nvml_state([])
    assert nvml_child().ask("auto") == refused(
        "No hardware energy counter can be used here. Without one nothing is measured. Mend one of those below, run on "
        "bare metal, or accept numbers by model: --energy-allow-estimates with --energy-meters=estimate.\n"
        f"rapl: No RAPL counters in {tmp_path}. Without it package energy is unknown, so this run cannot be gated. "
        "Load the driver: `sudo modprobe intel_rapl_msr` (`intel_rapl` before Linux 5.3). AMD needs Linux 5.8, family "
        "19h 5.11; ARM has none.\n"
        "nvml: NVML shows no GPU. There is nothing to measure. Use a machine with an NVIDIA GPU, "
        f"{ANOTHER_METER}",
        by="NoCounter",
    )


def test_a_probe_reads_the_power_of_what_can_be_used(nvml_state, tmp_path, nvml_child):
    nvml_state([{**FAST, "power_w": 210.0}])
    rapl, [name, usable, power_w, what] = nvml_child().ask("probe")
    assert rapl == ["rapl", False, {}, f"No RAPL counters in {tmp_path}."]
    assert (name, usable, what, list(power_w)) == ("nvml", True, "", ["gpu-0"])
    assert power_w["gpu-0"] > 0
