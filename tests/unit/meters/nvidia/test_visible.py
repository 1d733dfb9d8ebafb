from dataclasses import dataclass

import pytest

from energygate.errors import MeterUnavailable
from energygate.meters.nvidia.visible import choose_gpus

H100, L4 = "NVIDIA H100 80GB HBM3", "NVIDIA L4"
BY_UUID = "Name the GPUs in energygate.yml: `nvml: {gpus: [GPU-...]}`; `nvidia-smi -L` shows their UUIDs."


@dataclass(frozen=True)
class Named:
    model: str
    uuid: str


ALIKE = [Named(H100, f"GPU-8932f93{i}-aaaa") for i in range(3)]
MIXED = [Named(L4, "GPU-0a"), Named(H100, "GPU-1a"), Named(H100, "GPU-2b")]


def chosen(gpus, wanted="auto", **environ):
    return [gpus.index(gpu) for gpu in choose_gpus(gpus, wanted, environ)]


def refused(gpus, wanted="auto", **environ):
    with pytest.raises(MeterUnavailable) as refusal:
        choose_gpus(gpus, wanted, environ)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("value", "positions"),
    [
        ("0", [0]),
        ("2,0", [0, 2]),
        (" 2 , 0 ", [0, 2]),
        ("0,2,-1,1", [0, 2]),  # CUDA stops at the first entry that is no device
        ("0,3,1", [0]),
        ("0,", [0]),
        ("GPU-8932f931", [1]),
        ("GPU-8932f932-aaaa,GPU-8932f930", [0, 2]),
    ],
)
def test_what_the_workload_sees_is_measured(value, positions):
    assert chosen(ALIKE, CUDA_VISIBLE_DEVICES=value) == positions


def test_without_the_variable_all_gpus_are_measured():
    assert chosen(MIXED) == [0, 1, 2]


def test_all_gpus_are_measured_whatever_the_workload_sees_if_that_is_asked_for():
    assert chosen(MIXED, "all", CUDA_VISIBLE_DEVICES="1") == [0, 1, 2]


@pytest.mark.parametrize("value", ["", "-1", "-1,0", "3", ",0"])
def test_a_workload_that_sees_no_gpu_has_nothing_to_measure(value):
    assert refused(ALIKE, CUDA_VISIBLE_DEVICES=value) == (
        f"CUDA_VISIBLE_DEVICES={value} shows the workload no GPU. There is nothing to measure. Set it to the GPUs that "
        "the workload uses, or leave GPUs out with --energy-meters=rapl."
    )


@pytest.mark.parametrize("order", [{}, {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}])
def test_numbers_among_several_models_mean_nothing_in_cudas_own_order(order):
    assert refused(MIXED, CUDA_VISIBLE_DEVICES="0", **order) == (
        f"CUDA_VISIBLE_DEVICES=0 counts in CUDA's own order, and the GPUs are of several models: {H100}, {L4}. CUDA "
        "puts the fastest first, so which GPUs the workload sees is unknown. Set CUDA_DEVICE_ORDER=PCI_BUS_ID for the "
        f"workload. {BY_UUID}"
    )


def test_numbers_among_several_models_are_places_by_pci_bus_if_cuda_counts_so():
    assert chosen(MIXED, CUDA_VISIBLE_DEVICES="2,0", CUDA_DEVICE_ORDER="PCI_BUS_ID") == [0, 2]


def test_numbers_of_all_gpus_need_no_order():
    assert chosen(MIXED, CUDA_VISIBLE_DEVICES="2,0,1") == [0, 1, 2]


@pytest.mark.parametrize("value", ["0,0", "GPU-8932f930,GPU-8932f930-aaaa"])
def test_a_gpu_that_is_named_twice_is_refused(value):
    assert refused(ALIKE, CUDA_VISIBLE_DEVICES=value) == (
        f"CUDA_VISIBLE_DEVICES={value} names a GPU twice. CUDA then shows the workload none, so nothing of it would be "
        "measured. Name each GPU once."
    )


def test_a_prefix_that_fits_two_gpus_is_refused():
    assert refused(ALIKE, CUDA_VISIBLE_DEVICES="GPU-8932f93") == (
        "CUDA_VISIBLE_DEVICES=GPU-8932f93 names GPU-8932f93, which several GPUs are. Which GPUs are meant is unknown. "
        "Name them in full. Here are: GPU-8932f930-aaaa, GPU-8932f931-aaaa, GPU-8932f932-aaaa."
    )


def test_a_prefix_that_fits_no_gpu_is_refused():
    assert refused(MIXED, CUDA_VISIBLE_DEVICES="GPU-7") == (
        "CUDA_VISIBLE_DEVICES=GPU-7 names GPU-7, and no GPU is called so. Which GPUs are meant is unknown. Name them "
        "in full. Here are: GPU-0a, GPU-1a, GPU-2b."
    )


@pytest.mark.parametrize("value", ["MIG-0a1b", "0,MIG-GPU-8932f930/1/0"])
def test_a_mig_device_is_refused(value):
    assert refused(ALIKE, CUDA_VISIBLE_DEVICES=value) == (
        f"CUDA_VISIBLE_DEVICES={value} names a MIG device. NVML counts the energy of the board, not of a slice. Switch "
        "MIG off: `sudo nvidia-smi -mig 0`. If the board is yours alone, name its GPU in energygate.yml: `nvml: {gpus: "
        "[GPU-...], shared: allow}`."
    )


@pytest.mark.parametrize(("value", "entry"), [("0,1x", "1x"), ("cuda:0", "cuda:0"), ("0,GPU-8932f931", "GPU-8932f931")])
def test_an_entry_that_is_neither_number_nor_uuid_is_refused(value, entry):
    assert refused(ALIKE, CUDA_VISIBLE_DEVICES=value) == (
        f"CUDA_VISIBLE_DEVICES={value} holds '{entry}' where a number is expected. Which GPUs the workload sees is "
        f"unknown. {BY_UUID}"
    )


def test_gpus_can_be_named_whatever_the_workload_sees():
    assert chosen(ALIKE, ("GPU-8932f932-aaaa", "GPU-8932f930-aaaa"), CUDA_VISIBLE_DEVICES="1") == [0, 2]


def test_a_named_gpu_that_is_not_here_is_refused_with_those_that_are():
    assert refused(MIXED, ("GPU-9",)) == (
        "`nvml: {gpus: ...}` names GPU-9, and no GPU is called so. Which GPUs are meant is unknown. Name them in full. "
        "Here are: GPU-0a, GPU-1a, GPU-2b."
    )
