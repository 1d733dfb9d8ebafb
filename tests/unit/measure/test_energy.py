import pytest
from fakes_meters import ConstantPower, HandClock, ScriptedWatch, a_session

from energygate.errors import EnergyGateError
from energygate.measure.conditions import Noise
from energygate.measure.energy import Energy
from energygate.measure.requirement import TrialSettings
from energygate.measure.session import workload_hash
from energygate.measure.watch import Observed
from energygate.meters.base import Window
from energygate.model import Location, Work

NAME = "bench.py::test_encode"
PLACE = Location(file="bench.py", line=3)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def session(clock):
    return a_session(clock, ConstantPower(clock))


@pytest.fixture
def energy(session):
    return Energy(session, TrialSettings(count=3, warmup=1, min_time_s=2.0), name=NAME, location=PLACE)


def test_a_function_is_repeated_until_a_trial_is_long_enough_and_gives_its_last_result(energy, session, clock):
    calls = []

    def encode(text, *, times):
        clock.work(0.5)
        calls.append(text)
        return text * times, len(calls)

    assert energy(encode, "ab", times=2) == ("abab", 1 + 4 * 6)  # calibration, then warm-up and three trials
    energy.finish()
    (benchmark,) = session.run().benchmarks
    assert (benchmark.name, benchmark.location, benchmark.labels) == (NAME, PLACE, {})
    assert benchmark.workload == workload_hash({"v": 1, "kind": "pytest", "name": NAME})
    assert [(t.iterations, t.duration_s, t.total_j, t.work) for t in benchmark.trials] == [(6, 3.0, 150.0, Work())] * 3


def test_who_watches_hears_that_a_benchmark_begins_before_its_code_runs(energy, session):
    begun = session.progress.begun
    for _ in energy.trials():
        begun.append("first window")
        break
    assert begun == [NAME, "first window"]


def test_windows_that_the_test_opens_itself_are_measured_as_they_are(energy, session, clock):
    for trial in energy.trials():
        clock.work(9.0)
        with trial:
            clock.work(2.0)
            trial.add(requests=1)
    energy.finish()
    (benchmark,) = session.run().benchmarks
    assert [(t.iterations, t.duration_s, t.work) for t in benchmark.trials] == [(1, 2.0, Work(requests=1))] * 3


def test_a_test_measures_once(energy, clock):
    energy(clock.work, 2.0)
    with pytest.raises(EnergyGateError) as twice:
        energy(clock.work, 2.0)
    assert str(twice.value) == (
        f"{NAME}: measured twice in one test. Two benchmarks would share one name. Use `energy` once per test; split "
        "the test, or parametrize it."
    )


def test_a_test_that_never_measured_leaves_no_benchmark(energy, session):
    energy.finish()
    assert session.run().benchmarks == ()


def test_a_function_that_raises_on_the_way_keeps_the_trials_before(energy, session, clock):
    calls = []

    def flaky():
        clock.work(2.0)
        calls.append(None)
        if len(calls) == 4:
            raise OSError("gone")

    with pytest.raises(OSError, match=r"^gone$"):
        energy(flaky)
    energy.finish()
    (benchmark,) = session.run().benchmarks
    assert [trial.invalid for trial in benchmark.trials] == [None, "work_failed: the workload raised OSError."]


def test_a_loop_that_is_left_early_keeps_what_it_measured(energy, session, clock):
    for number, trial in enumerate(energy.trials()):
        with trial:
            clock.work(2.0)
        if number == 2:
            break
    energy.finish()
    assert len(session.run().benchmarks[0].valid) == 2


def test_work_that_is_queued_is_waited_for_also_while_its_length_is_found_out(energy, session, clock):
    queued = []

    def wait():
        clock.work(sum(queued))
        queued.clear()

    energy.sync = wait
    energy(lambda: queued.append(0.5))
    energy.finish()
    (benchmark,) = session.run().benchmarks
    assert [(trial.iterations, trial.duration_s) for trial in benchmark.trials] == [(6, 3.0)] * 3


def test_windows_that_the_test_opens_itself_wait_as_the_test_says(energy, clock):
    waited = []
    energy.sync = lambda: waited.append(None)
    for trial in energy.trials():
        with trial:
            clock.work(2.0)
    assert len(waited) == 2 * 4


def test_a_test_that_never_measured_does_not_wait_for_a_quiet_machine(clock):
    session = a_session(clock, ConstantPower(clock), watch=ScriptedWatch(notes=("busy",)))
    silent = Energy(session, TrialSettings(), name="silent", location=None)
    silent.finish(invalid="it measured nothing.")
    first = Energy(session, TrialSettings(count=1, warmup=0), name=NAME, location=PLACE)
    first(clock.work, 2.0)
    first.finish()
    assert [benchmark.notes for benchmark in session.run().benchmarks] == [(), ("busy",)]


LOUD = Observed(noise=Noise(kind="foreign", share=0.25, limit=0.10))


def measured_with(clock, pids, *, kind="counter"):
    """Two noisy windows of a test that sets `energy.pids`: the windows, and why the benchmark is noisy."""
    meter = ConstantPower(clock, kind=kind)
    session = a_session(clock, meter, watch=ScriptedWatch(*[LOUD] * 2))
    energy = Energy(session, TrialSettings(count=2, warmup=0), name=NAME, location=PLACE)
    energy.pids = pids
    for trial in energy.trials():
        with trial:
            clock.work(2.0)
    energy.finish()
    return meter.windows, session.benchmarks[0].noisy


@pytest.mark.parametrize(
    ("pids", "window", "hint"),
    [
        ((), Window(benchmark=NAME), True),
        ((42, 43), Window(benchmark=NAME, pids=(42, 43)), False),
        (None, Window(benchmark=NAME, unknown_processes=True), True),
    ],
)
def test_processes_that_the_test_names_work_for_each_of_its_windows(clock, pids, window, hint):
    windows, noisy = measured_with(clock, pids)
    assert windows == [window] * 2
    assert ("name the processes that do its work elsewhere (energy.pids)" in noisy) == hint


def test_an_estimate_of_work_that_nobody_knows_where_it_is_done_is_refused(clock):
    with pytest.raises(EnergyGateError) as refused:
        measured_with(clock, None, kind="estimate")
    assert str(refused.value) == (
        f"{NAME}: energy.pids is None, so nobody knows which processes do the work. The estimate counts CPU seconds of "
        "processes, so it would charge only the test's own. Name them: energy.pids = (PID,)."
    )


@pytest.mark.parametrize("pids", [42, [42], (0,), (-1,), (True,), ("42",)])
def test_what_is_no_tuple_of_process_ids_is_refused_before_anything_is_measured(clock, pids):
    with pytest.raises(TypeError) as wrong:
        measured_with(clock, pids)
    assert str(wrong.value) == f"energy.pids must be a tuple of process ids, or None, not {pids!r}"
