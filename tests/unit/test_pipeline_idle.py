import subprocess
import sys
from dataclasses import replace

import pytest
from fakes_meters import ConstantPower, HandClock, ScriptedWorkload, a_session

from energygate.baseline.schema import decode_run
from energygate.baseline.store import open_store
from energygate.errors import MeterUnavailable
from energygate.measure.machine import Roots, describe_hardware
from energygate.measure.requirement import TrialSettings
from energygate.meters.base import Domain
from energygate.meters.options import Calibration, EstimateOptions
from energygate.model import Baseline, MeterInfo
from energygate.pipeline import Job, Surroundings, open_job
from energygate.settings import Mode, Settings

HOLDER = """\
import sys
from pathlib import Path
from energygate.measure.lock import machine_lock
with machine_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def power_w():
    return {"package-0": 12.0}


@pytest.fixture
def job(tmp_path, power_w):
    """A job that measured five trials and 10 s of idle power before them."""

    def make(clock, mode=Mode.GATE):
        meter = ConstantPower(clock, power_w=power_w, domains=[Domain(name="package-0", part="cpu")])
        session = replace(a_session(clock, meter), idle_s=10.0)
        power_w["package-0"] = 12.0
        session.idle.measure_before("nothing was running")
        power_w["package-0"] = 40.0
        session.measure(ScriptedWorkload(clock), TrialSettings(count=5, warmup=0))
        power_w["package-0"] = 12.0
        settings = Settings(folder=tmp_path, mode=mode, save=tmp_path / "run.json")
        store = open_store("baselines", folder=tmp_path)
        return Job(settings=settings, session=session, store=store, baseline=Baseline())

    return make


def saved(job):
    path = job.settings.save
    return decode_run(path.read_bytes(), origin=str(path))


def everything(name):
    return bool(name)


def test_idle_power_is_in_the_run_that_is_saved_and_net_values_are_in_the_report(job):
    finished = (made := job(HandClock())).finish(in_scope=everything)
    assert saved(made) == finished.run
    assert (finished.run.idle.power_w, finished.run.idle.duration_s) == (12.0, 10.0)
    (row,) = finished.report.comparisons
    assert (row.net.head, row.net.idle_w) == (pytest.approx(28.0), 12.0)


def test_drift_of_idle_power_is_known_before_anything_is_judged_or_saved(job, power_w):
    made = job(HandClock(), Mode.MEASURE)
    power_w["package-0"] = 16.0
    finished = made.finish(in_scope=everything)
    assert (
        saved(made).benchmarks[0].noisy.startswith("idle power moved by 4.00 W (from 12.0 W to 16.0 W in all) while ")
    )
    assert finished.run.benchmarks == saved(made).benchmarks


def test_a_job_says_beforehand_how_long_it_will_be_idle(job):
    assert job(HandClock()).notes == (
        "rapl: measures package-0.",
        "idle power: 10.0 s before the first and after the last trial",
    )


@pytest.fixture
def held(powercap):
    """A simulated machine that another process holds."""
    tree = powercap("one")
    command = [sys.executable, "-c", HOLDER, str(tree.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield tree.root
        holder.communicate("\n")


def settings_for(tmp_path, *meters, sysfs, **more):
    return Settings(folder=tmp_path, mode=Mode.MEASURE, meters=meters, sysfs=sysfs, **more)


def test_two_jobs_do_not_read_the_counters_of_one_machine(held, tmp_path):
    settings = settings_for(tmp_path, "rapl", sysfs=held)
    with (
        pytest.raises(MeterUnavailable, match=r"^Another energygate job is measuring on this machine: process "),
        open_job(settings, Surroundings()),
    ):
        pytest.fail("both measure")


def test_a_job_has_the_machine_until_it_ends(powercap, tmp_path):
    settings = settings_for(tmp_path, "rapl", sysfs=powercap("one").root)
    for _ in range(2):
        with open_job(settings, Surroundings()) as job:
            assert [info.name for info in job.session.meters.infos] == ["rapl"]
            with pytest.raises(MeterUnavailable), open_job(settings, Surroundings()):
                pytest.fail("both measure")


@pytest.mark.parametrize("meter", ["estimate", "replay"])
def test_what_reads_no_counter_needs_no_machine_of_its_own(held, tmp_path, meter):
    (file := tmp_path / "windows.jsonl").write_text('{"energy_j": {"package-0": 1}, "duration_s": 1}\n')
    name = f"replay:{file}" if meter == "replay" else meter
    with open_job(settings_for(tmp_path, name, sysfs=held), Surroundings()) as job:
        assert [info.name for info in job.session.meters.infos] == [meter]


def estimated(tmp_path, *meters, fingerprint):
    found = Calibration(fingerprint=fingerprint, r2=0.98, error=0.032, date="2026-11-25")
    options = EstimateOptions(watts_per_core=6.5, base_w=20.0, calibrated=found)
    (sysfs := tmp_path / "sys").mkdir(exist_ok=True)
    settings = settings_for(tmp_path, *meters, sysfs=sysfs, estimate=options)
    with open_job(settings, Surroundings()) as job:
        return job.session.meters.infos, job.notes


def test_an_estimate_is_calibrated_on_this_machine_or_on_another_and_says_which(tmp_path):
    model = "6.50 W per busy core, 20.0 W base"
    (elsewhere,), _ = estimated(tmp_path, "estimate", fingerprint="0123456789ab")
    assert elsewhere.detail == (
        f"cpu-estimate: {model}; calibrated on another machine or set-up (0123456789ab), so its error here is unknown"
    )
    here = describe_hardware(Roots(sysfs=tmp_path / "sys")).fingerprint
    (calibrated,), notes = estimated(tmp_path, "estimate", fingerprint=here)
    said = f"{model}; calibrated 2026-11-25 against rapl: error 3.2 %, R2 0.98"
    assert calibrated == MeterInfo(
        name="estimate",
        kind="estimate",
        domains=("cpu-estimate",),
        update_interval_s=0.01,
        resolution_j=0.0,
        detail=f"cpu-estimate: {said}",
    )
    assert notes == (f"estimate: an estimate by model, no measurement: {said}.",)


def test_an_estimate_that_is_taken_for_want_of_a_counter_says_its_error_too(tmp_path):
    _, notes = estimated(tmp_path, "auto", fingerprint="0123456789ab")
    assert notes[0].startswith("estimate: NO HARDWARE COUNTER can be used here")
    assert notes[1].startswith("estimate: an estimate by model, no measurement: 6.50 W per busy core, 20.0 W base; ")
