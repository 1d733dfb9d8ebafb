import subprocess
import sys

import pytest
from fakes_meters import ConstantPower, HandClock, a_session

from energygate.baseline.store import open_store
from energygate.errors import ConfigError, MeterUnavailable
from energygate.measure.lock import machine_lock
from energygate.meters.base import Domain
from energygate.meters.options import NvmlOptions
from energygate.model import Baseline
from energygate.pipeline import Job, Surroundings, open_job
from energygate.report.progress import Silent
from energygate.settings import Mode, NamedSuite, Settings
from energygate.workloads.suites import CommandSuite, Endpoint, InferenceSuite, Requests, ServerSpec, TrialOverrides

HOLDER = """\
import sys
from pathlib import Path
from energygate.measure.lock import machine_lock
with machine_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""
TAKEN = r"^Another energygate job is measuring on this machine: process "


class Told(Silent):
    """Remembers what it is told that is waited for."""

    def __init__(self):
        self.lines = []

    def waiting(self, line):
        self.lines.append(line)


@pytest.fixture
def no_counters(tmp_path):
    """A machine without RAPL."""
    (root := tmp_path / "sys").mkdir()
    return root


@pytest.fixture
def held():
    """Another process holds a machine: `with held(sysfs):`."""
    started = []

    def hold(sysfs):
        command = [sys.executable, "-c", HOLDER, str(sysfs)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "held\n"
        return sysfs

    yield hold
    for holder in started:
        with holder:
            holder.communicate("\n")


@pytest.fixture
def opened(tmp_path):
    """Open a job of these meters: `with opened("rapl", sysfs=root) as names:`."""

    def open_them(*meters, sysfs):
        return open_job(Settings(folder=tmp_path, mode=Mode.MEASURE, meters=meters, sysfs=sysfs), Surroundings())

    return open_them


def names(job):
    return [info.name for info in job.session.meters.infos]


def test_codecarbon_needs_the_machine_because_it_reads_counters_though_it_is_an_estimate(held, opened, no_counters):
    with pytest.raises(MeterUnavailable, match=TAKEN), opened("codecarbon", sysfs=held(no_counters)):
        pytest.fail("both measure")


@pytest.mark.parametrize("meters", [("rapl",), ("estimate", "rapl")])
def test_the_machine_is_held_before_anything_of_it_is_read(held, opened, no_counters, meters):
    with pytest.raises(MeterUnavailable, match=TAKEN), opened(*meters, sysfs=held(no_counters)):
        pytest.fail("both measure")


def test_a_job_with_patience_waits_for_the_machine_and_says_so(held, tmp_path, no_counters):
    progress, clock = Told(), HandClock()
    settings = Settings(
        folder=tmp_path, mode=Mode.MEASURE, meters=("rapl",), sysfs=held(no_counters), lock_timeout_s=90.0
    )
    with (
        pytest.raises(MeterUnavailable, match=r"^The machine was busy for all of 90 s \(lock_timeout\)\. "),
        open_job(settings, Surroundings(progress=progress, clock=clock)),
    ):
        pytest.fail("both measure")
    assert clock.slept == [1.0] * 90
    assert [line.partition(":")[0] for line in progress.lines] == [
        "waiting for the machine, 0 min so far",
        "waiting for the machine, 1 min so far",
    ]


def test_auto_that_ends_in_the_estimate_does_not_wait_for_the_machine(held, tmp_path, no_counters):
    clock = HandClock()
    settings = Settings(folder=tmp_path, mode=Mode.MEASURE, sysfs=held(no_counters), lock_timeout_s=90.0)
    with open_job(settings, Surroundings(clock=clock)) as job:
        assert names(job) == ["estimate"]
    assert 1.0 not in clock.slept


def test_auto_is_refused_where_it_would_read_the_counters_of_a_machine_that_another_job_measures(
    held, opened, powercap
):
    with pytest.raises(MeterUnavailable, match=TAKEN), opened("auto", sysfs=held(powercap("one").root)):
        pytest.fail("both measure")


def test_auto_that_ends_in_the_estimate_needs_no_machine(held, opened, no_counters):
    with opened("auto", sysfs=held(no_counters)) as job:
        assert names(job) == ["estimate"]


def test_auto_that_ends_in_the_estimate_keeps_no_machine(opened, no_counters):
    with opened("auto", sysfs=no_counters) as first, opened("auto", sysfs=no_counters) as second:
        assert names(first) == names(second) == ["estimate"]
        with machine_lock(no_counters):
            pass


def test_a_job_that_cannot_open_its_meters_lets_the_machine_go(opened, no_counters):
    with pytest.raises(MeterUnavailable, match=r"^No RAPL counters in "), opened("rapl", sysfs=no_counters):
        pytest.fail("there is nothing to read")
    with machine_lock(no_counters):
        pass


@pytest.fixture
def measure(tmp_path, monkeypatch):
    """Measure a suite with a meter of GPUs, in an environment of these variables: `measure(suite, {"A": "1"})`."""

    def measure(suite, environ, *, gpus="auto", meter="nvml"):
        for variable in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        clock = HandClock()
        domain = Domain(name="gpu-0", part="gpu")
        session = a_session(clock, ConstantPower(clock, power_w={"gpu-0": 90.0}, domains=[domain], name=meter))
        settings = Settings(folder=tmp_path, mode=Mode.MEASURE, nvml=NvmlOptions(gpus=gpus))
        store = open_store("baselines", folder=tmp_path)
        job = Job(settings=settings, session=session, store=store, baseline=Baseline())
        return job.measure(NamedSuite(suite=suite, file=tmp_path / "a.energy.yml", prefix="a.energy.yml"))

    return measure


def command(**env):
    return CommandSuite(name="train", command=("true",), env=env, trials=TrialOverrides(count=1, warmup=0))


def served(**env):
    return InferenceSuite(
        name="chat",
        endpoint=Endpoint(url="http://127.0.0.1:{port}/v1", model="m"),
        requests=Requests(prompts=("Name three fruits.",), max_tokens=16),
        server=ServerSpec(command=("serve", "{port}"), env=env),
    )


FIX = (
    "`nvml: {gpus: auto}` measures the GPUs that energygate's own environment shows, and the workload may use others. "
    "Set VARIABLE for energygate itself, which hands it on, or name the GPUs that the workload uses in energygate.yml: "
    "`nvml: {gpus: [GPU-...]}`."
)
VISIBLE, ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


@pytest.mark.parametrize("meter", ["nvml", "nvml-power"])
@pytest.mark.parametrize(
    ("suite", "environ", "place", "differs"),
    [
        (command(CUDA_VISIBLE_DEVICES="1"), {}, f"train: env.{VISIBLE}", ("'1'", "not set")),
        (served(CUDA_VISIBLE_DEVICES="1"), {VISIBLE: "0"}, f"chat: server.env.{VISIBLE}", ("'1'", "'0'")),
        (command(CUDA_DEVICE_ORDER="PCI_BUS_ID"), {VISIBLE: "0"}, f"train: env.{ORDER}", ("'PCI_BUS_ID'", "not set")),
    ],
)
def test_a_workload_that_is_given_other_gpus_than_those_that_auto_measures_is_refused(
    measure, suite, environ, place, differs, meter
):
    with pytest.raises(ConfigError) as refused:
        measure(suite, environ, meter=meter)
    there, here = differs
    assert str(refused.value) == (
        f"a.energy.yml::{place}: {there}, but for energygate itself it is {here}. "
        f"{FIX.replace('VARIABLE', place.rpartition('.')[2])}"
    )


@pytest.mark.parametrize(
    ("suite", "environ", "more"),
    [
        (command(), {VISIBLE: "1"}, {}),  # it is handed on
        (command(CUDA_VISIBLE_DEVICES="1"), {VISIBLE: "1"}, {}),
        (command(CUDA_DEVICE_ORDER="PCI_BUS_ID"), {}, {}),  # all GPUs, in whatever order
        (command(CUDA_DEVICE_ORDER="FASTEST_FIRST"), {VISIBLE: "1"}, {}),  # which is the default
        (command(CUDA_VISIBLE_DEVICES="1"), {}, {"gpus": "all"}),
        (command(CUDA_VISIBLE_DEVICES="1"), {}, {"gpus": ("GPU-8932f937",)}),
        (command(CUDA_VISIBLE_DEVICES="1"), {}, {"meter": "rapl"}),
    ],
)
def test_a_workload_whose_gpus_are_measured_is_run(measure, suite, environ, more):
    assert measure(suite, environ, **more).trials
