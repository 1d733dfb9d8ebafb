import hashlib
import os
import platform
from importlib.metadata import version

import pytest
from fakes import a_machine
from fakes_meters import (
    RUN_ID,
    STARTED,
    ConstantPower,
    HandClock,
    ScriptedWatch,
    ScriptedWorkload,
    a_session,
    counter_reset,
)

from energygate.errors import InvalidCode, MeasurementInvalid, WorkloadError
from energygate.measure.conditions import Noise
from energygate.measure.requirement import TrialSettings
from energygate.measure.session import workload_hash
from energygate.measure.watch import Observed
from energygate.meters.base import Domain, Measured, Window
from energygate.model import Location, MeterInfo, Source, Work
from energygate.workloads.base import WorkDone

SETTINGS = TrialSettings(count=3, warmup=1)
ASKED = {"output_tolerance": 0.02, "prefix_cache": "any"}
NAME = "a.energy.yml::one"


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def meter(clock):
    return ConstantPower(clock)


@pytest.fixture
def session(clock, meter):
    return a_session(clock, meter)


def raising(error):
    def step():
        raise error

    return step


def test_a_run_says_who_measured_what_where_and_how(session, clock):
    location = Location(file="a.energy.yml", line=3)
    done = WorkDone(work=Work(requests=2, output_tokens=9), conditions={"finish": "stop"})
    workload = ScriptedWorkload(clock, done=done)
    session.measure(workload, SETTINGS, location=location)
    run = session.run()
    assert (run.run_id, run.started_at, run.source) == (RUN_ID, STARTED, Source(commit="a" * 40))
    assert run.tool == {"energygate": version("energygate"), "python": platform.python_version()}
    assert run.machine == a_machine()
    assert run.meters == (
        MeterInfo(name="rapl", kind="counter", domains=("package-0",), update_interval_s=0.0, resolution_j=0.0),
    )
    assert run.notes == ("rapl: measures package-0.",)
    (benchmark,) = run.benchmarks
    assert (benchmark.name, benchmark.location, benchmark.invalid) == (NAME, location, None)
    assert (benchmark.workload, benchmark.labels) == (workload_hash(workload.definition), {"model": "m"})
    assert [(trial.work, trial.conditions) for trial in benchmark.trials] == [(done.work, {"finish": "stop"})] * 3


def test_who_watches_hears_that_a_benchmark_begins_before_anything_of_it_is_started(session, clock):
    begun = session.progress.begun
    session.measure(ScriptedWorkload(clock, steps={"open": lambda: begun.append("opened")}), SETTINGS)
    assert begun == [NAME, "opened"]


def test_trials_are_told_in_seconds_since_the_run_began(session, clock):
    clock.work(5.0)
    benchmark = session.measure(ScriptedWorkload(clock), SETTINGS)
    assert [trial.started_s for trial in benchmark.trials] == [6.0, 7.0, 8.0]


def test_only_the_work_itself_lies_inside_the_window(session, clock, meter):
    workload = ScriptedWorkload(clock, steps={"before": lambda: clock.work(100.0), "after": lambda: clock.work(100.0)})
    benchmark = session.measure(workload, SETTINGS)
    assert [trial.duration_s for trial in benchmark.trials] == [1.0, 1.0, 1.0]
    one = ["before", "run", "after"]
    assert workload.events == ["open", "before", "run", "warmed_up", *one * 3, "close"]


def test_processes_that_work_for_the_workload_are_told_to_the_meter(session, clock, meter):
    session.measure(ScriptedWorkload(clock), SETTINGS)
    assert {window.pids for window in meter.windows} == {(42,)}


def test_a_repeatable_workload_is_repeated_until_a_trial_is_long_enough(session, clock):
    benchmark = session.measure(
        ScriptedWorkload(clock, repeatable=True), TrialSettings(count=1, warmup=1, min_time_s=3.0)
    )
    assert [(trial.iterations, trial.invalid) for trial in benchmark.trials] == [(4, None)]


def short(clock, **steps):
    return ScriptedWorkload(clock, repeatable=True, needs_calibration=True, pass_s=2**-9, steps=steps)


def test_a_workload_of_milliseconds_is_calibrated_before_its_first_window(session, clock, meter):
    benchmark = session.measure(short(clock), TrialSettings(count=2, warmup=0, min_time_s=1.0))
    assert [(trial.iterations, trial.invalid) for trial in benchmark.trials] == [(666, None)] * 2
    assert len(meter.windows) == 2


def test_a_workload_whose_repetitions_are_given_runs_once_before_its_first_window(clock, meter):
    session = a_session(clock, meter)
    session.iterations = {NAME: 1500}
    workload = short(clock)
    benchmark = session.measure(workload, TrialSettings(count=2, warmup=0, min_time_s=1.0))
    assert [trial.iterations for trial in benchmark.trials] == [1500] * 2
    assert workload.events == ["open", *["before", "run", "after"] * 3, "close"]


@pytest.mark.parametrize("step", ["run", "after"])
@pytest.mark.parametrize("sentence", ["it raised KeyError", "it raised KeyError."])
def test_work_that_fails_while_it_is_calibrated_is_not_measured(session, clock, meter, step, sentence):
    fault = MeasurementInvalid(InvalidCode.WORK_FAILED, sentence)
    benchmark = session.measure(short(clock, **{step: raising(fault)}), TrialSettings(count=2, warmup=0))
    assert (benchmark.invalid, benchmark.trials, meter.windows) == ("a.energy.yml::one: it raised KeyError.", (), [])


def test_a_workload_that_is_not_repeatable_is_too_short_instead(session, clock):
    benchmark = session.measure(ScriptedWorkload(clock), TrialSettings(count=1, warmup=1, min_time_s=3.0))
    assert {(trial.iterations, trial.invalid.partition(":")[0]) for trial in benchmark.trials} == {(1, "too_short")}


def test_a_workload_that_does_not_start_has_an_invalid_benchmark_and_the_others_go_on(session, clock):
    broken = ScriptedWorkload(clock, name="b", steps={"open": raising(WorkloadError("No server answers."))})
    first = session.measure(broken, SETTINGS)
    second = session.measure(ScriptedWorkload(clock, name="c"), SETTINGS)
    assert (first.name, first.trials, first.invalid) == ("b", (), "No server answers.")
    assert broken.events == ["open", "close"]
    assert (second.invalid, len(second.valid)) == (None, 3)
    assert [benchmark.name for benchmark in session.run().benchmarks] == ["b", "c"]


def test_a_workload_that_dies_on_the_way_keeps_the_trials_before(session, clock):
    deaths = iter([None, None, WorkloadError("The server exited with status 1.")])

    def before():
        if error := next(deaths):
            raise error

    benchmark = session.measure(ScriptedWorkload(clock, steps={"before": before}), SETTINGS)
    assert (len(benchmark.valid), benchmark.invalid) == (1, "The server exited with status 1.")


def test_work_that_is_found_to_be_wrong_afterwards_makes_its_trial_invalid(session, clock):
    fault = MeasurementInvalid(InvalidCode.WORK_DIFFERS, "the answer was cut off.")
    benchmark = session.measure(ScriptedWorkload(clock, steps={"after": raising(fault)}), SETTINGS)
    assert [trial.invalid for trial in benchmark.trials] == ["work_differs: the answer was cut off."] * 2
    assert benchmark.trials[0].work == Work()


def test_work_is_not_counted_where_the_reading_failed(clock):
    session = a_session(clock, ConstantPower(clock, faults={1: counter_reset()}))
    workload = ScriptedWorkload(clock, done=WorkDone(work=Work(requests=2)))
    benchmark = session.measure(workload, TrialSettings(count=1, warmup=1))
    assert [(trial.work, trial.invalid is None) for trial in benchmark.trials] == [
        (Work(), False),
        (Work(requests=2), True),
    ]


def test_what_ends_the_series_is_the_reason_of_its_benchmark(clock):
    lost = MeasurementInvalid(InvalidCode.GPU_LOST, "gpu-0 fell off the bus.")
    session = a_session(clock, ConstantPower(clock, faults={2: lost}))
    benchmark = session.measure(ScriptedWorkload(clock), SETTINGS)
    assert (benchmark.invalid, len(benchmark.valid)) == ("gpu_lost: gpu-0 fell off the bus.", 1)


def test_an_interrupt_keeps_what_is_complete_and_closes_the_workload(session, clock):
    session.measure(ScriptedWorkload(clock, name="done"), SETTINGS)
    runs = iter([None, None, KeyboardInterrupt()])

    def run():
        if error := next(runs):
            raise error

    workload = ScriptedWorkload(clock, steps={"run": run})
    with pytest.raises(KeyboardInterrupt):
        session.measure(workload, SETTINGS)
    assert workload.events[-1] == "close"
    done, interrupted = session.run().benchmarks
    assert (len(done.valid), done.notes) == (3, ())
    assert len(interrupted.valid) == 1
    (note,) = interrupted.notes
    assert note == (
        "measuring ended after 1 of 3 trials. How many count is fixed beforehand: let it run to its end, or ask for "
        "fewer."
    )


def test_an_interrupt_while_the_workload_is_stopped_costs_no_benchmark(session, clock):
    def close():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.measure(ScriptedWorkload(clock, steps={"close": close}), SETTINGS)
    assert [len(benchmark.valid) for benchmark in session.run().benchmarks] == [3]


def test_a_workload_whose_closing_was_interrupted_before_it_began_is_closed_with_the_session(session, clock):
    raised = iter([KeyboardInterrupt()])

    def close():
        if error := next(raised, None):
            raise error

    workload = ScriptedWorkload(clock, steps={"close": close})
    with pytest.raises(KeyboardInterrupt):
        session.measure(workload, SETTINGS)
    session.close()
    session.close()
    assert workload.events[-2:] == ["close", "close"]


class InterruptedWhileKept(ScriptedWorkload):
    """An interrupt comes after its last trial, when it is asked for its labels the first time."""

    interrupted = False

    @property
    def labels(self):
        if not self.interrupted:
            self.interrupted = True
            raise KeyboardInterrupt
        return {"model": "m"}


def test_an_interrupt_before_a_measured_benchmark_is_kept_costs_no_trial(session, clock):
    workload = InterruptedWhileKept(clock)
    with pytest.raises(KeyboardInterrupt):
        session.measure(workload, SETTINGS)
    for _ in range(2):  # freezing it twice keeps it once
        assert [(b.name, len(b.trials), b.labels) for b in session.run().benchmarks] == [(NAME, 3, {"model": "m"})]
    assert workload.events[-1] == "close"


def test_the_hash_of_a_workload_does_not_depend_on_the_order_of_its_keys():
    assert workload_hash({"a": 1, "b": [1, 2]}) == workload_hash({"b": [1, 2], "a": 1})
    assert workload_hash({"a": 1, "b": [1, 2]}) != workload_hash({"a": 1, "b": [2, 1]})


def test_a_word_that_is_no_text_is_hashed_by_its_bytes():
    words = [workload_hash({"command": [os.fsdecode(word)]}) for word in (b"caf\xe9", b"caf\xe8")]
    assert words[0] == hashlib.sha256(b'{"command":["caf\xe9"]}').hexdigest() != words[1]


def test_the_hash_of_a_workload_is_that_of_its_canonical_json():
    # printf '{"k":"\xc3\xa9","v":1}' | sha256sum
    assert workload_hash({"v": 1, "k": "\N{LATIN SMALL LETTER E WITH ACUTE}"}) == (
        "10f8869f5fcaf6df0e44559327cc4a7fe8d3147ead9c5549cfed7bd19154b1e2"
    )


def test_domains_of_a_missing_meter_are_absent_and_not_zero(clock):
    meter = ConstantPower(clock, power_w={"package-0": 50.0}, domains=[Domain(name="package-0", part="cpu")])
    benchmark = a_session(clock, meter).measure(ScriptedWorkload(clock), SETTINGS)
    assert {tuple(trial.energy_j) for trial in benchmark.trials} == {("package-0",)}


LOUD = Observed(noise=Noise(kind="foreign", share=0.25, limit=0.10))


def test_the_work_of_a_noisy_trial_is_counted_because_the_trial_may_come_to_count(clock):
    session = a_session(clock, ConstantPower(clock), watch=ScriptedWatch(*[LOUD] * 9))
    benchmark = session.measure(ScriptedWorkload(clock, done=WorkDone(work=Work(requests=2))), SETTINGS)
    assert [(trial.work, trial.invalid) for trial in benchmark.trials] == [(Work(requests=2), None)] * 3
    assert benchmark.noisy.startswith("3 of 3 trials are noisy: ")


def test_notes_of_meters_are_kept_with_the_benchmark(clock):
    session = a_session(clock, ConstantPower(clock, seen={1: Measured(notes=("gpu-0 reached its power limit",))}))
    assert session.measure(ScriptedWorkload(clock), SETTINGS).notes == ("gpu-0 reached its power limit",)


def test_what_is_to_be_said_of_the_wait_before_the_first_trial_is_said_of_the_first_benchmark(clock):
    session = a_session(clock, ConstantPower(clock), watch=ScriptedWatch(notes=("busy",)))
    notes = [session.measure(ScriptedWorkload(clock, name=name), SETTINGS).notes for name in "ab"]
    assert notes == [("busy",), ()]


def test_a_workload_whose_processes_nobody_named_says_so_to_the_meter_and_to_the_watch(clock):
    meter, watch, workload = ConstantPower(clock), ScriptedWatch(), ScriptedWorkload(clock)
    workload.pids = None
    a_session(clock, meter, watch=watch).measure(workload, TrialSettings(count=1, warmup=0))
    assert meter.windows == watch.windows == [Window(benchmark=NAME, unknown_processes=True)]


def test_trials_that_found_a_gpu_much_hotter_than_the_others_are_noted(clock):
    seen = {n: Measured(conditions={"gpu-0": {"temp_start_c": 60, "temp_end_c": 60}}) for n in (1, 2)}
    seen[3] = Measured(conditions={"gpu-0": {"temp_start_c": 75, "temp_end_c": 77}})
    session = a_session(clock, ConstantPower(clock, seen=seen))
    assert session.measure(ScriptedWorkload(clock), SETTINGS).notes == (
        "gpu-0: 1 of 3 trials ran 10 \N{DEGREE SIGN}C or more from the usual 60 \N{DEGREE SIGN}C.",
    )


def test_a_server_that_stays_busy_before_a_trial_costs_that_trial(session, clock, meter):
    faults = iter([None, None, MeasurementInvalid(InvalidCode.FOREIGN_REQUESTS, "still busy.")])

    def before():
        if error := next(faults, None):
            raise error

    workload = ScriptedWorkload(clock, steps={"before": before})
    benchmark = session.measure(workload, TrialSettings(count=2, warmup=1, max_invalid=0.5))
    assert [trial.invalid for trial in benchmark.trials] == [None, "foreign_requests: still busy.", None]
    assert len(meter.windows) == 3  # none was opened for it
    first, busy, last = (trial.started_s for trial in benchmark.trials)
    assert first < busy <= last


@pytest.mark.parametrize("step", ["before", "warmed_up"])
def test_a_warm_up_that_fails_ends_the_benchmark_before_its_first_trial(session, clock, step):
    error = {
        "before": MeasurementInvalid(InvalidCode.FOREIGN_REQUESTS, "still busy?"),
        "warmed_up": WorkloadError("a.energy.yml::one: still busy?"),
    }[step]
    benchmark = session.measure(ScriptedWorkload(clock, steps={step: raising(error)}), SETTINGS)
    assert (benchmark.invalid, benchmark.trials) == ("a.energy.yml::one: still busy?", ())


def test_a_workload_that_gives_up_after_a_trial_has_no_valid_one_of_it(session, clock):
    error = WorkloadError("The server died again.")
    benchmark = session.measure(ScriptedWorkload(clock, steps={"after": raising(error)}), SETTINGS)
    assert benchmark.invalid == "The server died again."
    assert [trial.invalid for trial in benchmark.trials] == ["work_failed: The server died again."]


def test_a_trial_has_at_least_as_many_passes_as_the_workload_needs(session, clock):
    workload = ScriptedWorkload(clock, repeatable=True, least_passes=4)
    benchmark = session.measure(workload, TrialSettings(count=1, warmup=1, min_time_s=3.0))
    assert [trial.iterations for trial in benchmark.trials] == [4]


@pytest.mark.parametrize(("warmup", "wanted"), [(0, 2), (1, 2), (3, 3)])
def test_a_workload_is_warmed_up_at_least_as_often_as_it_needs(session, clock, warmup, wanted):
    workload = ScriptedWorkload(clock, least_warmups=2)
    session.measure(workload, TrialSettings(count=1, warmup=warmup))
    assert workload.events.count("warmed_up") == wanted


def test_trials_that_an_interrupt_leaves_must_have_done_equal_work_too(session, clock):
    counts = iter([300, 300, 310])

    def before():
        if (count := next(counts, None)) is None:
            raise KeyboardInterrupt
        workload.done = WorkDone(work=Work(input_tokens=count), conditions={"inference": {"equal_work": ASKED}})

    workload = ScriptedWorkload(clock, steps={"before": before})
    with pytest.raises(KeyboardInterrupt):
        session.measure(workload, TrialSettings(count=5, warmup=0))
    (benchmark,) = session.run().benchmarks
    assert [trial.invalid is None for trial in benchmark.trials] == [True, True, False]


def test_what_a_workload_says_of_itself_is_noted(session, clock):
    workload = ScriptedWorkload(clock)
    workload.notes = ("requests are sent unstreamed",)
    assert session.measure(workload, SETTINGS).notes[0] == "requests are sent unstreamed"
