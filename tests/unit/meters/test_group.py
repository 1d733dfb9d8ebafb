import pytest

from energygate.errors import ConfigError, InvalidCode, MeasurementInvalid
from energygate.meters.base import Domain, Measured, Reading, Window
from energygate.meters.estimate import Estimate
from energygate.meters.group import MeterGroup
from energygate.meters.options import EstimateOptions
from energygate.model import MeterInfo

WINDOW = Window(benchmark="b")


class Scripted:
    """A meter that gives 1 J for each domain and notes in `calls` what is asked of it."""

    constants = {}  # noqa: RUF012  never changed

    def __init__(self, name, *domains, calls=None, kind="counter", fault=None, duration_s=None):
        self.name = name
        self.kind = kind
        self.domains = domains
        self.calls = [] if calls is None else calls
        self.fault = fault
        self.duration_s = duration_s

    def open(self):
        self.calls.append(f"open {self.name}")

    def begin(self, window):
        self.calls.append(f"begin {self.name}")
        return Reading(window, 1.0, (len(self.name),))

    def end(self, start):
        self.calls.append(f"end {self.name}")
        assert start == Reading(WINDOW, 1.0, (len(self.name),))
        if self.fault:
            raise self.fault
        return Measured({domain.name: 1.0 for domain in self.domains}, self.duration_s)

    def close(self):
        self.calls.append(f"close {self.name}")


def domain(name, part="cpu", interval_s=0.001, **more):
    return Domain(name=name, part=part, update_interval_s=interval_s, **more)


PACKAGE, DRAM = domain("package-0", resolution_j=6e-5), domain("dram-0", "dram", resolution_j=2e-5)
GPU = domain("gpu-0", "gpu", 0.1, resolution_j=0.001, detail="H100")


def test_the_slowest_begins_first_and_rapl_is_begun_last_and_ended_first():
    calls = []
    group = MeterGroup(
        [
            Scripted("rapl", PACKAGE, calls=calls),
            Scripted("exact", domain("accelerator-0", "gpu", 0.0), calls=calls),
            Scripted("nvml", GPU, calls=calls),
        ]
    )
    energy_j = group.end(group.begin(WINDOW)).energy_j
    assert calls == ["begin nvml", "begin exact", "begin rapl", "end rapl", "end exact", "end nvml"]
    assert energy_j == {"package-0": 1.0, "accelerator-0": 1.0, "gpu-0": 1.0}


def test_one_meter_measures_through_a_group_as_alone():
    group = MeterGroup([Scripted("replay", PACKAGE, DRAM, kind="replay", duration_s=3.0)])
    assert group.end(group.begin(WINDOW)) == Measured({"package-0": 1.0, "dram-0": 1.0}, 3.0)
    assert group.is_replay


def test_a_fault_of_one_meter_is_the_fault_of_the_window():
    fault = MeasurementInvalid(InvalidCode.GPU_LOST, "gpu-0 is lost.")
    group = MeterGroup([Scripted("rapl", PACKAGE), Scripted("nvml", GPU, fault=fault)])
    with pytest.raises(MeasurementInvalid, match=r"^gpu_lost: gpu-0 is lost\.$"):
        group.end(group.begin(WINDOW))


def test_it_says_which_meters_measure_and_how_finely():
    group = MeterGroup([Scripted("rapl", PACKAGE, DRAM), Scripted("nvml", GPU)])
    assert group.infos == (
        MeterInfo(
            name="rapl", kind="counter", domains=("package-0", "dram-0"), update_interval_s=0.001, resolution_j=6e-5
        ),
        MeterInfo(
            name="nvml",
            kind="counter",
            domains=("gpu-0",),
            update_interval_s=0.1,
            resolution_j=0.001,
            detail="gpu-0: H100",
        ),
    )
    assert group.domains == (PACKAGE, DRAM, GPU)
    assert not group.is_replay


def test_two_meters_with_the_same_domain_are_refused():
    with pytest.raises(ConfigError) as refused:
        MeterGroup([Scripted("rapl", PACKAGE, DRAM), Scripted("pyrapl", PACKAGE, DRAM)])
    assert str(refused.value) == (
        "rapl and pyrapl both measure dram-0, package-0. Their energy would be counted twice. Name one of them in "
        "--energy-meters."
    )


def test_an_estimate_beside_a_counter_of_the_same_part_is_refused():
    with pytest.raises(ConfigError) as refused:
        MeterGroup([Scripted("rapl", PACKAGE), Estimate(EstimateOptions())])
    assert str(refused.value) == (
        "rapl and estimate both count the energy of: cpu. An estimate beside a counter of the same part counts it "
        "twice. Name one of them in --energy-meters. To compare them, measure with one after the other: "
        "--energy-mode=measure."
    )
    assert len(MeterGroup([Scripted("nvml", GPU), Estimate(EstimateOptions())]).meters) == 2


def test_leaving_a_group_closes_every_meter():
    calls = []
    with MeterGroup([Scripted("rapl", PACKAGE, calls=calls), Scripted("nvml", GPU, calls=calls)]):
        assert calls == []
    assert calls == ["close nvml", "close rapl"]
