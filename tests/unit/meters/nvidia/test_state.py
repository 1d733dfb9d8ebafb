import pytest

from energygate.errors import InvalidCode
from energygate.meters.nvidia.state import Glance, GpuState, GpuWindow, reason_names

GPU = "gpu-0 (H100, GPU-1)"
BUSY = Glance(power_w=400.0, sm_mhz=1755, reasons=0)


def state(glance=BUSY, **more):
    return GpuState(glance=glance, **{"temperature_c": 60, "pstate": 0, "foreign": frozenset(), **more})


def window(**more):
    usual = {"gpu": GPU, "start": state(), "end": state(), "energy_j": 4000.0, "elapsed_s": 10.0}
    return GpuWindow(**{**usual, "sm_mhz_max": 1980, "power_limit_w": 700.0, **more})


def test_the_conditions_come_from_both_ends_and_from_what_was_seen_between():
    found = window(
        start=state(Glance(sm_mhz=345, reasons=0x1), temperature_c=45),
        end=state(Glance(sm_mhz=1740, reasons=0x4), temperature_c=63, pstate=2, foreign=frozenset({9, 7})),
        glances=[BUSY],
    )
    assert found.conditions == {
        "sm_mhz": 1740,
        "sm_mhz_max": 1980,
        "temp_start_c": 45,
        "temp_end_c": 63,
        "reasons": ["gpu_idle", "sw_power_cap"],
        "power_limit_w": 700.0,
        "pstate": 2,
        "pids_foreign": [7, 9],
        "power_mean_w": 400.0,
    }


def test_what_a_gpu_does_not_say_is_null_and_no_fault():
    silent = GpuState(glance=Glance())
    found = window(start=silent, end=silent, sm_mhz_max=None, power_limit_w=None)
    assert {key for key, value in found.conditions.items() if value is not None} == {"power_mean_w"}
    assert (found.fault, found.notes) == (None, ())


def test_a_process_that_only_one_end_could_list_counts():
    assert window(start=state(foreign=None), end=state(foreign=frozenset({7}))).conditions["pids_foreign"] == [7]


@pytest.mark.parametrize(("start", "end"), [(None, frozenset()), (frozenset(), None), (None, None)])
def test_that_nobody_was_seen_says_nothing_where_one_end_could_not_tell(start, end):
    found = window(start=state(foreign=start), end=state(foreign=end))
    assert (found.fault, found.conditions["pids_foreign"]) == (None, None)


@pytest.mark.parametrize(
    ("mask", "name"), [(0x8, "hw_slowdown"), (0x40, "hw_thermal_slowdown"), (0x80, "hw_power_brake_slowdown")]
)
@pytest.mark.parametrize("when", ["start", "end", "between"])
def test_a_gpu_slowed_down_by_its_hardware_makes_the_window_invalid(mask, name, when):
    slowed = Glance(reasons=mask)
    more = {"glances": [slowed]} if when == "between" else {when: state(slowed)}
    fault = window(**more).fault
    assert str(fault) == (
        f"throttled: {GPU} was slowed down by its hardware ({name}). See to its cooling and power supply."
    )


@pytest.mark.parametrize(
    ("mask", "note"),
    [
        (0x4, f"{GPU} was held at its power limit (sw_power_cap)."),
        (0x20, f"{GPU} was slowed down by its driver to stay cool (sw_thermal_slowdown)."),
    ],
)
def test_a_gpu_slowed_down_by_its_driver_is_noted(mask, note):
    found = window(end=state(Glance(reasons=mask)))
    assert (found.fault, found.notes) == (None, (note,))


@pytest.mark.parametrize("mask", [0x1, 0x2, 0x10, 0x100])
def test_other_reasons_are_neither_fault_nor_note(mask):
    found = window(end=state(Glance(reasons=mask)))
    assert (found.fault, found.notes) == (None, ())


def test_reasons_without_a_name_show_their_bit():
    assert reason_names(0x204) == ["sw_power_cap", "0x200"]


def test_more_power_than_the_limit_allows_is_implausible():
    assert window(energy_j=8400.0).fault is None
    fault = window(energy_j=8401.0).fault
    assert fault.code is InvalidCode.IMPLAUSIBLE
    assert fault.sentence == (
        f"{GPU} drew 840 W in the mean, and its limit is 700 W: its counter is broken or counts something else."
    )


def test_a_refresh_at_each_end_explains_more_power_than_the_limit():
    assert window(energy_j=8401.0, edge_s=0.1).fault is None


def test_a_process_that_came_makes_the_window_invalid():
    fault = window(
        start=state(foreign=frozenset({5})), end=state(foreign=frozenset({5, 7})), before=frozenset({5})
    ).fault
    assert str(fault) == (
        f"foreign_gpu: A process of others came to {GPU}: pid 7. Its energy cannot be told from the workload's."
    )


def test_a_process_that_was_there_when_the_meter_opened_is_only_recorded():
    found = window(end=state(foreign=frozenset({5})), before=frozenset({5}))
    assert (found.fault, found.conditions["pids_foreign"]) == (None, [5])


SUSPECT = (
    f"{GPU}: counter suspect: it and the GPU's own power readings differ by more than 15 %. "
    "See `nvidia-smi -q -d POWER`."
)


@pytest.mark.parametrize(
    ("glances_w", "elapsed_s", "notes"),
    [
        ([300] * 4, 10.0, (SUSPECT,)),
        ([500] * 4, 10.0, (SUSPECT,)),
        ([380] * 4, 10.0, ()),
        ([300] * 4, 9.9, ()),  # too short to judge
        ([300] * 3, 10.0, ()),  # too few to judge
        ([100, 900, 80, 700], 10.0, ()),  # the readings scatter more than they differ
    ],
)
def test_a_counter_that_its_own_power_readings_contradict_is_suspect(glances_w, elapsed_s, notes):
    glances = [Glance(power_w=float(power_w)) for power_w in glances_w]
    end = state(Glance(power_w=float(glances_w[-1])))
    assert window(glances=glances, end=end, energy_j=400 * elapsed_s, elapsed_s=elapsed_s).notes == notes


def test_the_reading_before_the_window_says_nothing_of_the_counter():
    glances = [Glance(power_w=400.0)] * 4
    assert window(start=state(Glance(power_w=0.0)), glances=glances).notes == ()
