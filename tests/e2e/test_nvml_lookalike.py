"""The NVML meter in a process of its own, through the real bindings, against the look-alike."""

import json
import os
import re
import time

import pytest
from rig import lookalike
from rig.contract import CHECKS

pytestmark = pytest.mark.nvml

H100 = "NVIDIA H100 80GB HBM3"
UUIDS = [f"GPU-{i:08x}-0000-0000-0000-{i:012x}" for i in range(2)]
GPU_0 = f"gpu-0 ({H100}, {UUIDS[0]})"
FAST = {"energy_period": 0.01, "power_w": 210.0}
ANOTHER_METER = "or leave GPUs out with --energy-meters=rapl."
UNKNOWN = "Without NVML the energy of GPUs is unknown."
WITHOUT_1 = (
    f"Or leave it out: name the others in energygate.yml, `nvml: {{gpus: [{UUIDS[0]}]}}`, or in CUDA_VISIBLE_DEVICES."
)
INTEGRATE = "`nvml: {integrate_power: true}` in energygate.yml sums up its power readings instead, labelled."
P100 = {"name": "Tesla P100", "energy_ok": 0}


@pytest.fixture
def gpus(nvml_state):
    return nvml_state([FAST])


@pytest.fixture(scope="module")
def old_driver(nvml_library, tmp_path_factory):
    """The folder of a library without the functions that an old driver lacks."""
    folder = tmp_path_factory.mktemp("old-driver")
    lookalike.build(folder, "OLD_DRIVER")
    return folder


def packed(**options):
    """Options as one word."""
    return json.dumps(options, separators=(",", ":"))


def refused(what, *, by="MeterUnavailable"):
    return {"raised": by, "text": what}


def invalid(text):
    return {"raised": "MeasurementInvalid", "text": text}


def half_a_second(child, meanwhile=lambda: None):
    """What a window of half a second gave, and the shortest and the longest that it can have been in seconds."""
    before_s = time.monotonic()
    child.ask("begin")
    begun_s = time.monotonic()
    meanwhile()
    time.sleep(0.5)
    ending_s = time.monotonic()
    found = child.ask("measured")
    return found, ending_s - begun_s, time.monotonic() - before_s


@pytest.mark.parametrize("period_s", [0.02, 0.1])
def test_a_window_holds_the_energy_between_two_refreshes_just_after_its_ends(nvml_state, nvml_child, period_s):
    gpus, child = nvml_state([{"energy_period": period_s, "power_w": 210.0}]), nvml_child()
    [[name, part, interval_s, resolution_j, detail]] = child.ask("open")
    assert (name, part, resolution_j, detail) == ("gpu-0", "gpu", 0.001, f"{H100} {UUIDS[0]}")
    assert interval_s == pytest.approx(period_s, abs=0.005)
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


@pytest.mark.parametrize(
    "absent", [{"limit_ok": 0}, {"mig_ok": 0}, {"power_ok": 0}, {"state_ok": 0}, {"processes_ok": 0}]
)
def test_what_a_gpu_does_not_support_is_an_answer(nvml_state, nvml_child, absent):
    nvml_state([{**FAST, **absent}])
    child = nvml_child()
    assert [name for name, *_ in child.ask("open")] == ["gpu-0"]
    child.ask("begin")
    found = child.ask("measured")
    assert (found["energy_j"]["gpu-0"] > 0, found["fault"]) == (True, None)


@pytest.mark.parametrize(
    ("gpu", "text"),
    [
        (
            {"mig": 1},
            (
                "gpu-1 ({}) is in MIG mode. NVML counts the energy of the board, not of a slice. Switch it off: "
                "`sudo nvidia-smi -i 00000000:02:00.0 -mig 0`. If the whole board is yours alone: `nvml: {{shared: "
                "allow}}` in energygate.yml. {leave_out}"
            ),
        ),
        (
            {"virt": 2},
            (
                "gpu-1 ({}) is a vGPU. The guest has no energy counter of its own. Use passthrough or bare metal. "
                "{leave_out}"
            ),
        ),
        (
            {"energy_ok": 0},
            (
                "gpu-1 ({}) has no energy counter. NVML counts energy from Volta on; without a counter GPU energy is "
                "unknown. Use such a GPU. {integrate} {leave_out}"
            ),
        ),
        (
            {"energy_ok": 0, "power_ok": 0},
            (
                "gpu-1 ({}) has no energy counter and no power reading. NVML counts energy from Volta on; without a "
                "counter GPU energy is unknown. Use such a GPU. {leave_out}"
            ),
        ),
        (
            {"power_w": 0.0},
            (
                "The energy counter of gpu-1 ({}) changed 0 times in 3 s. A counter that stands still would show no "
                "energy whatever runs. Update the driver. {leave_out}"
            ),
        ),
        (
            {"energy_error": 15},
            (
                "gpu-1 ({}) does not answer nvmlDeviceGetTotalEnergyConsumption: GPU is lost. Without NVML the "
                "energy of GPUs is unknown. See `nvidia-smi`; a lost GPU comes back with a restart of the machine. "
                "Or leave it out: name the others in energygate.yml, `nvml: {{gpus: [GPU-...]}}`, or in "
                "CUDA_VISIBLE_DEVICES."
            ),
        ),
    ],
)
def test_one_gpu_that_cannot_be_measured_refuses_the_meter(nvml_state, nvml_child, gpu, text):
    nvml_state([FAST, {**FAST, "name": "Tesla P100", **gpu}])
    child = nvml_child()
    answer = text.format(f"Tesla P100, {UUIDS[1]}", leave_out=WITHOUT_1, integrate=INTEGRATE)
    assert child.ask("open") == refused(answer)
    child.ask(f"choose nvml {packed(gpus=[UUIDS[0]])}")
    assert [name for name, *_ in child.ask("open")] == ["gpu-0"]


@pytest.mark.parametrize("name", ["NVIDIA GB10", "Orin (nvgpu)", "NVIDIA Jetson AGX Thor"])
def test_a_gpu_that_is_part_of_a_larger_chip_is_refused_by_name(nvml_state, nvml_child, name):
    nvml_state([{"name": name, "energy_ok": 0, "power_ok": 0}])
    assert nvml_child().ask("open") == refused(
        f"gpu-0 ({name}, {UUIDS[0]}) has no energy counter and no power reading. Tegra, Jetson and GB10 are part of a "
        "larger chip, and NVML counts no energy there. Measure on a discrete GPU, Volta or newer. Or leave GPUs out "
        "with --energy-meters=rapl."
    )


def test_a_gpu_that_supports_nothing_at_all_is_refused_as_part_of_a_larger_chip(nvml_state, nvml_child):
    nvml_state([{"error": 3}])
    answer = nvml_child().ask("open")
    assert answer["text"].startswith("gpu-0 (no name, no UUID) has no energy counter and no power reading. Tegra, ")


def test_a_driver_too_old_for_the_counter_is_told_so(nvml_state, nvml_child, old_driver):
    nvml_state([FAST], driver="384.66")
    assert nvml_child(library=old_driver).ask("open") == refused(
        f"{GPU_0} has no energy counter. The NVIDIA driver is too old to show one, and without it GPU energy is "
        f"unknown. Update the driver. {INTEGRATE} Or leave GPUs out with --energy-meters=rapl."
    )


def test_two_gpus_of_which_one_is_chosen_keep_their_numbers(nvml_state, nvml_child):
    nvml_state([{**FAST, "power_w": 100.0}, {**FAST, "power_w": 300.0}])
    child = nvml_child()
    child.ask(f"choose nvml {packed(gpus=[UUIDS[1]])}")
    assert [(name, detail) for name, *_, detail in child.ask("open")] == [("gpu-1", f"{H100} {UUIDS[1]}")]
    found, shortest_s, longest_s = half_a_second(child)
    assert list(found["energy_j"]) == list(found["conditions"]) == ["gpu-1"]
    used_j, power_w = found["energy_j"]["gpu-1"], found["conditions"]["gpu-1"]["power_mean_w"]
    assert 300.0 * shortest_s - 0.01 <= used_j <= 300.0 * longest_s + 0.01
    assert used_j / longest_s <= power_w <= used_j / shortest_s


def test_the_gpus_that_the_workload_sees_are_measured(nvml_state, nvml_child):
    nvml_state([FAST, FAST, FAST])
    child = nvml_child()
    child.ask(f"choose nvml {packed()} {packed(CUDA_VISIBLE_DEVICES='2,0')}")
    assert [name for name, *_ in child.ask("open")] == ["gpu-0", "gpu-2"]


def test_a_workload_that_sees_no_gpu_has_none_measured(gpus, nvml_child):
    child = nvml_child()
    child.ask(f"choose nvml {packed()} {packed(CUDA_VISIBLE_DEVICES='')}")
    assert child.ask("open")["text"].startswith("CUDA_VISIBLE_DEVICES= shows the workload no GPU. ")


def test_a_board_in_mig_mode_may_be_measured_if_it_is_ours_alone_and_compares_only_with_such(nvml_state, nvml_child):
    nvml_state([{**FAST, "mig": 1}])
    child = nvml_child()
    assert child.ask("constants") == {}
    child.ask(f"choose nvml {packed(shared='allow')}")
    assert [name for name, *_ in child.ask("open")] == ["gpu-0"]
    assert child.ask("constants") == {"shared": "allow"}


def test_another_process_on_a_gpu_refuses_the_meter_and_is_listed(nvml_state, nvml_child):
    nvml_state([FAST, {**FAST, "pids": [os.getpid()]}])
    assert nvml_child().ask("open") == refused(
        f"Another process is on gpu-1 ({H100}, {UUIDS[1]}): pid {os.getpid()} (1024 MiB). NVML counts the whole GPU, "
        "so its energy would be counted as the workload's. End it. If it is the server that is measured, or may "
        f"stay: `nvml: {{shared: allow}}` in energygate.yml. {WITHOUT_1}"
    )


def test_another_process_may_stay_and_is_recorded_if_sharing_is_allowed(nvml_state, nvml_child):
    nvml_state([{**FAST, "pids": [os.getpid()]}])
    child = nvml_child()
    child.ask(f"choose nvml {packed(shared='allow')}")
    child.ask("open")
    child.ask("begin")
    found = child.ask("measured")
    assert (found["fault"], found["conditions"]["gpu-0"]["pids_foreign"]) == (None, [os.getpid()])


def test_another_process_that_comes_makes_the_window_invalid(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, pids=[os.getpid()])
    found = child.ask("measured")
    assert found["fault"] == (
        f"foreign_gpu: A process of others came to {GPU_0}: pid {os.getpid()}. Its energy cannot be told from the "
        "workload's."
    )
    assert found["energy_j"]["gpu-0"] > 0


def test_a_user_who_may_not_list_processes_is_told_and_nobody_is_not_assumed(nvml_state, nvml_child):
    nvml_state([{**FAST, "processes_ok": 0, "pids": [os.getpid()]}])
    child = nvml_child()
    child.ask("open")
    assert child.ask("hardware")[2] == [
        (
            "other processes on gpu-0 cannot be seen here (NVML does not list them for this user or with this driver), "
            "so one that comes goes unnoticed."
        )
    ]
    child.ask("begin")
    found = child.ask("measured")
    assert (found["fault"], found["conditions"]["gpu-0"]["pids_foreign"]) == (None, None)


def test_a_permission_to_list_processes_that_is_lost_in_a_window_is_not_taken_for_nobody(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, processes_ok=0)
    assert child.ask("measured")["conditions"]["gpu-0"]["pids_foreign"] is None


@pytest.mark.parametrize("meter", ["nvml", "nvml-power"])
def test_in_a_pid_namespace_nobody_says_that_no_process_of_others_came(nvml_state, nvml_child, meter):
    gpus, child = nvml_state([FAST if meter == "nvml" else P100]), nvml_child()
    child.ask("contained")
    child.ask(f"choose {meter} {packed(integrate_power=True)}")
    child.ask("open")
    assert child.ask("hardware")[2][-1] == (
        "other processes on gpu-0 cannot be seen here (in a pid namespace of its own; Docker: `--pid=host`), so one "
        "that comes goes unnoticed."
    )
    child.ask("begin")
    gpus.set(0, pids=[2**22 + 1])  # above any number that a process here has
    found = child.ask("measured")
    assert found["conditions"]["gpu-0"]["pids_foreign"] is None
    assert not (found["fault"] or "").startswith("foreign_gpu")


def test_what_the_workload_starts_is_not_foreign(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    gpus.set(0, pids=[child.ask("pid"), child.ask("start_child")])
    child.ask("begin")
    found = child.ask("measured")
    assert (found["fault"], found["conditions"]["gpu-0"]["pids_foreign"]) == (None, [])


def test_a_server_that_is_named_as_doing_the_work_is_not_foreign(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask(f"work_for {os.getpid()}")
    gpus.set(0, pids=[os.getpid()])
    child.ask("begin")
    assert child.ask("measured")["fault"] is None


def test_the_conditions_of_a_window_are_stored(nvml_state, nvml_child):
    gpus, child = nvml_state([{**FAST, "sm_mhz": 1200, "temperature": 41}]), nvml_child()
    child.ask("open")
    hot = {"sm_mhz": 1800, "temperature": 66, "pstate": 2, "reasons": 0x24}
    found, shortest_s, longest_s = half_a_second(child, lambda: gpus.set(0, **hot))
    conditions = found["conditions"]["gpu-0"]
    used_j = found["energy_j"]["gpu-0"]
    assert used_j / longest_s <= conditions.pop("power_mean_w") <= used_j / shortest_s
    assert conditions == {
        "sm_mhz": 1500,
        "sm_mhz_max": 1980,
        "temp_start_c": 41,
        "temp_end_c": 66,
        "reasons": ["sw_power_cap", "sw_thermal_slowdown"],
        "power_limit_w": 700.0,
        "pstate": 2,
        "pids_foreign": [],
    }
    assert found["notes"] == [
        f"{GPU_0} was held at its power limit (sw_power_cap).",
        f"{GPU_0} was slowed down by its driver to stay cool (sw_thermal_slowdown).",
    ]


def test_a_gpu_that_its_hardware_slowed_down_makes_the_window_invalid(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    gpus.set(0, reasons=0x8)
    child.ask("begin")
    gpus.set(0, reasons=0)
    assert child.ask("measured")["fault"] == (
        f"throttled: {GPU_0} was slowed down by its hardware (hw_slowdown). See to its cooling and power supply."
    )


def test_a_slowdown_between_the_ends_of_a_window_is_seen(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, reasons=0x40)
    assert child.ask("glanced")
    gpus.set(0, reasons=0)
    assert child.ask("measured")["conditions"]["gpu-0"]["reasons"] == ["hw_thermal_slowdown"]


def test_the_older_name_of_the_reasons_serves_an_old_driver(nvml_state, nvml_child, old_driver):
    gpus, child = nvml_state([FAST]), nvml_child(library=old_driver)
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    child.ask("open")
    child.ask("begin")
    gpus.set(0, reasons=0x4)
    assert child.ask("measured")["conditions"]["gpu-0"]["reasons"] == ["sw_power_cap"]


def test_conditions_that_cannot_be_read_any_more_make_the_window_invalid(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    child.ask("begin")
    gpus.set(0, clock_error=999)
    lost = invalid(f"read_error: {GPU_0} does not answer nvmlDeviceGetClockInfo: Unknown Error.")
    assert child.ask("end") == lost
    child.ask("begin")
    gpus.set(0, clock_error=0)
    assert child.ask("end") == lost
    child.ask("begin")
    assert child.ask("end")["gpu-0"] > 0


def test_the_hardware_is_told_for_the_machines_fingerprint(nvml_state, nvml_child):
    nvml_state([{**FAST, "ecc": 0}, {**FAST, "name": "NVIDIA L4", "limit_w": 72.0, "memory": 24 * 2.0**30}])
    child = nvml_child()
    child.ask("open")
    hard, soft, notes = child.ask("hardware")
    h100 = {"model": H100, "memory_gib": 80, "power_limit_w": 700, "ecc": False, "mig": False, "sm_mhz_max": 1980}
    assert hard == {
        "gpus": [h100, {**h100, "model": "NVIDIA L4", "memory_gib": 24, "power_limit_w": 72, "ecc": True}],
        "gpu_driver": {"major": "570", "cuda": "12.8"},
    }
    assert soft == {"gpu_driver_version": "570.86.15", "gpu_persistence": [True, True], "gpu_uuids": UUIDS}
    assert notes == []


def test_what_an_old_driver_or_a_plain_gpu_does_not_know_of_the_hardware_is_null(nvml_state, nvml_child, old_driver):
    nvml_state([{**FAST, "state_ok": 0, "limit_ok": 0, "mig_ok": 0}], driver="384.66")
    child = nvml_child(library=old_driver)
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    child.ask("open")
    hard, soft, _notes = child.ask("hardware")
    unknown = dict.fromkeys(["power_limit_w", "ecc", "sm_mhz_max"])
    assert hard["gpus"] == [{"model": H100, "memory_gib": 80, "mig": False, **unknown}]
    assert hard["gpu_driver"] == {"major": "384", "cuda": None}
    assert soft["gpu_persistence"] == [None]


def test_persistence_mode_that_is_off_is_noted_with_the_command(nvml_state, nvml_child):
    nvml_state([{**FAST, "persistence": 0}])
    child = nvml_child()
    child.ask("open")
    assert child.ask("hardware")[2] == [
        (
            "Persistence mode is off: the driver may unload between runs, and GPUs start slow and cold. `sudo "
            "nvidia-smi -pm 1` switches it on."
        )
    ]


@pytest.mark.parametrize("meter", ["nvml", "nvml-power"])
def test_a_forked_process_is_refused_and_its_parent_goes_on(nvml_state, nvml_child, meter):
    nvml_state([FAST if meter == "nvml" else P100])
    child = nvml_child()
    child.ask(f"choose {meter} {packed(integrate_power=True)}")
    child.ask("open")
    child.ask("begin")
    forked = invalid(
        "unwatched: This process was forked from the one that opened the meter, so nothing is read in between here. "
        "Open meters in the process that measures."
    )
    assert child.ask("fork end") == forked
    assert child.ask("fork begun_here") == forked
    assert child.ask("fork close") is None
    assert child.ask("end")["gpu-0"] > 0


def test_a_forked_process_can_open_the_meter_anew(gpus, nvml_child):
    child = nvml_child()
    child.ask("open")
    assert [name for name, *_ in child.ask("fork open")] == ["gpu-0"]


def test_gpus_without_a_counter_are_measured_by_power_beside_those_with_one(nvml_state, nvml_child):
    nvml_state([FAST, {**P100, "power_w": 150.0}])
    child = nvml_child()
    child.ask(f"choose nvml {packed(integrate_power=True)}")
    energy_j, kinds, *notes = child.ask("energy nvml")
    assert list(energy_j) == ["gpu-0", "gpu-1"]
    assert kinds == {"nvml": "counter", "nvml-power": "integrated"}
    assert notes == [
        f"nvml-power: gpu-1 (Tesla P100, {UUIDS[1]}) has no energy counter: its energy is integrated power."
    ]


@pytest.mark.parametrize(
    ("gpus", "kinds"),
    [([FAST], {"nvml": "counter"}), ([P100], {"nvml-power": "integrated"})],
)
def test_a_meter_without_gpus_of_its_kind_is_left_out(nvml_state, nvml_child, gpus, kinds):
    nvml_state(gpus)
    child = nvml_child()
    child.ask(f"choose nvml {packed(integrate_power=True)}")
    assert child.ask("energy nvml")[1] == kinds
    assert child.ask("energy auto")[1] == kinds


def test_power_is_never_summed_up_unasked(nvml_state, nvml_child):
    nvml_state([P100])
    child = nvml_child()
    assert child.ask("energy nvml")["text"].startswith(f"gpu-0 (Tesla P100, {UUIDS[0]}) has no energy counter. ")
    assert child.ask("energy nvml-power")["text"].startswith("--energy-meters names 'nvml-power'.")


def test_integrated_power_is_the_area_under_the_readings(nvml_state, nvml_child):
    gpus, child = nvml_state([{**P100, "power_w": 100.0}]), nvml_child()
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    assert [name for name, *_ in child.ask("open")] == ["gpu-0"]
    assert child.ask("shortest") == [30.0]
    before_j = gpus.true_j(0)
    child.ask("begin")
    begun_j = gpus.true_j(0)
    child.ask("spend 0.3")
    gpus.run_at(0, 300.0)
    child.ask("spend 0.3")
    ending_j = gpus.true_j(0)
    energy_j = child.ask("end")["gpu-0"]
    step_j = 200.0 * 0.5  # the step of power lies somewhere between two readings, which are 0.5 s apart at most
    assert ending_j - begun_j - step_j <= energy_j <= gpus.true_j(0) - before_j + step_j


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"power_error": 999}, "read_error: {} does not answer nvmlDeviceGetPowerUsage: Unknown Error."),
        ({"power_ok": 0}, "read_error: {} does not show its power any more. Its energy is unknown."),
    ],
)
def test_power_that_cannot_be_read_any_more_makes_the_window_invalid(nvml_state, nvml_child, change, text):
    gpus, child = nvml_state([P100]), nvml_child()
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    child.ask("open")
    child.ask("begin")
    gpus.set(0, **change)
    assert child.ask("end") == invalid(text.format(f"gpu-0 (Tesla P100, {UUIDS[0]})"))


def test_a_window_that_is_too_short_for_integrated_power_is_told_and_does_not_count(nvml_state, nvml_child):
    nvml_state([P100])
    child = nvml_child()
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    child.ask("open")
    child.ask("begin")
    found = child.ask("measured")
    assert list(found["energy_j"]) == ["gpu-0"]
    assert re.match(r"too_short: The window was [\d.]+ \w+ long, and integrated power needs 30 s: ", found["fault"])


def test_a_probe_may_be_shorter_than_a_window_of_integrated_power(nvml_state, nvml_child):
    nvml_state([{**P100, "power_w": 150.0}])
    child = nvml_child()
    child.ask(f"choose nvml {packed(integrate_power=True)}")
    [[name, usable, power_w, what]] = child.ask("probe nvml nvml-power")
    assert (name, usable, what, list(power_w)) == ("nvml-power", True, "", ["gpu-0"])


def test_power_is_read_only_while_a_window_is_open(nvml_state, nvml_child):
    nvml_state([P100])
    child = nvml_child()
    child.ask(f"choose nvml-power {packed(integrate_power=True)}")
    child.ask("open")
    for _ in range(2):
        child.ask("begin")
        child.ask("end")
        child.ask("spend 0.6")  # longer than the longest gap between two readings of a window
    child.ask("begin")
    assert child.ask("threads") == ["energygate-nvml-power"]
    child.ask("end")
    assert child.ask("no_threads")


@pytest.mark.parametrize("check", CHECKS)
def test_integrated_power_keeps_the_contract_of_meters(nvml_state, nvml_child, check):
    nvml_state([P100, {**P100, "power_w": 150.0}])
    assert nvml_child().ask(f"check {check} nvml-power") == "kept"


def test_a_machine_without_a_gpu_is_told_so(nvml_state, nvml_child):
    nvml_state([])
    assert nvml_child().ask("open") == refused(
        f"NVML shows no GPU. There is nothing to measure. Use a machine with an NVIDIA GPU, {ANOTHER_METER}"
    )


def test_a_driver_that_is_not_loaded_is_told_so(tmp_path, nvml_child):
    assert nvml_child(state=tmp_path / "nowhere").ask("open") == refused(
        "The NVIDIA driver is installed and not loaded. Without NVML the energy of GPUs is unknown. Load it: `sudo "
        "modprobe nvidia`, and see `nvidia-smi`.",
        by="NoDriver",
    )


def test_a_missing_driver_is_nothing_to_mend_where_nothing_shows_a_gpu(tmp_path, nvml_child):
    child = nvml_child(state=tmp_path / "nowhere")
    assert child.ask("probe nvml") == [["nvml", False, {}, "no NVIDIA GPU here"]]
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    assert child.ask("probe nvml") == [["nvml", False, {}, "The NVIDIA driver is installed and not loaded."]]


def test_a_library_that_cannot_be_loaded_is_told_so(tmp_path, nvml_child):
    (tmp_path / "libnvidia-ml.so.1").touch()
    assert nvml_child(library=tmp_path).ask("open") == refused(
        "The library libnvidia-ml.so.1 is not here: no NVIDIA driver is installed, or the container was started "
        "without it. Without NVML the energy of GPUs is unknown. Install the driver (Docker: `--gpus all`). Use a "
        f"machine with an NVIDIA GPU, {ANOTHER_METER}",
        by="NoDriver",
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            18,
            (
                "The NVIDIA driver that is loaded is not the one that is installed: its library and its kernel "
                f"module differ in version. {UNKNOWN} Reboot, or reload the module: `sudo rmmod nvidia_uvm nvidia_drm "
                "nvidia_modeset nvidia; sudo modprobe nvidia`. A container must be started anew after an update of "
                "the driver."
            ),
        ),
        (
            13,
            (
                "The NVIDIA driver is too old: its library does not know how to start NVML. "
                f"{UNKNOWN} Update the driver; `nvidia-smi` shows its version."
            ),
        ),
        (
            4,
            (
                f"NVML does not start: this user may not use the NVIDIA devices. {UNKNOWN} Give the runner's user "
                "access to /dev/nvidia*, and see `nvidia-smi`."
            ),
        ),
        (17, f"NVML does not start: The operating system has blocked the request. {UNKNOWN} See `nvidia-smi`."),
    ],
)
def test_why_nvml_does_not_start_is_told(nvml_state, nvml_child, code, text):
    nvml_state([FAST], init_error=code)
    assert nvml_child().ask("open") == refused(text)


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
    rapl, [name, usable, power_w, what] = nvml_child().ask("probe rapl nvml")
    assert rapl == ["rapl", False, {}, f"No RAPL counters in {tmp_path}."]
    assert (name, usable, what, list(power_w)) == ("nvml", True, "", ["gpu-0"])
    assert power_w["gpu-0"] > 0
