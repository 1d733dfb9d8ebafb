import gc

import pytest
from fakes_meters import ConstantPower, HandClock, ScriptedWatch, Watcher, counter_reset

from energygate.errors import EnergyGateError, InvalidCode, MeasurementInvalid
from energygate.measure.conditions import Noise
from energygate.measure.open_trial import OpenTrial
from energygate.measure.requirement import Requirement, TrialSettings
from energygate.measure.trials import TrialSeries, calibrate
from energygate.measure.watch import Observed
from energygate.meters.base import Domain, Measured, Window
from energygate.meters.group import MeterGroup
from energygate.model import Work

RESET = "counter_reset: package-0 went backwards."


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def make(clock):
    """Make a series and its meter: `make(count=3, faults={1: fault})`."""

    def make(
        *,
        adaptive=False,
        faults=None,
        seen=None,
        domains=None,
        power_w=None,
        kind="counter",
        iterations=1,
        watch=None,
        pids=(7,),
        **settings,
    ):
        meter = ConstantPower(clock, faults=faults, seen=seen, domains=domains, power_w=power_w, kind=kind)
        series = TrialSeries(
            name="bench",
            meters=MeterGroup([meter]),
            settings=TrialSettings(**{"count": 3, "min_time_s": 1.0} | settings),
            clock=clock,
            progress=Watcher(),
            epoch_s=clock.now_s(),
            adaptive=adaptive,
            pids=pids,
            watch=watch or ScriptedWatch(),
            iterations=iterations,
        )
        return series, meter

    return make


def drive(series, clock, seconds=2.0):
    """Measure every trial: each iteration takes that long."""
    for trial in series:
        with trial:
            clock.work(seconds * trial.iterations)
    return series.trials


def test_warm_up_trials_are_measured_and_thrown_away(make, clock):
    series, meter = make(count=3, warmup=2)
    trials = drive(series, clock)
    assert [window.warm_up for window in meter.windows] == [True, True, False, False, False]
    assert [trial.index for trial in trials] == [0, 1, 2]
    assert [trial.started_s for trial in trials] == [4.0, 6.0, 8.0]
    assert {(trial.duration_s, trial.energy_j["package-0"], trial.invalid) for trial in trials} == {(2.0, 100.0, None)}
    assert series.progress.heard == [
        ("bench", 1, 2, "warm-up"),
        ("bench", 2, 2, "warm-up"),
        ("bench", 1, 3, None),
        ("bench", 2, 3, None),
        ("bench", 3, 3, None),
    ]


def test_every_window_names_its_benchmark_and_the_processes_that_work_for_it(make, clock):
    series, meter = make(count=1, warmup=0)
    drive(series, clock)
    assert meter.windows == [Window(benchmark="bench", warm_up=False, pids=(7,))]


def test_a_window_says_that_nobody_knows_which_processes_work_for_it(make, clock):
    series, meter = make(count=1, warmup=0, pids=None)
    drive(series, clock)
    assert meter.windows == [Window(benchmark="bench", unknown_processes=True)]


def test_without_warm_up_the_first_trial_counts(make, clock):
    series, meter = make(count=2, warmup=0)
    assert len(drive(series, clock)) == len(meter.windows) == 2


def test_a_fault_in_a_warm_up_costs_nothing(make, clock):
    series, _ = make(count=2, warmup=1, faults={0: counter_reset()})
    assert [trial.invalid for trial in drive(series, clock)] == [None, None]


def test_an_invalid_trial_is_kept_with_its_reason_and_replaced(make, clock):
    series, _ = make(count=5, warmup=0, max_invalid=0.2, faults={1: counter_reset()})
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [None, RESET, None, None, None, None]
    assert trials[1].energy_j == {}
    assert series.stopped is None
    assert series.progress.heard[1] == ("bench", 1, 5, RESET)


@pytest.mark.parametrize(("count", "share", "allowed"), [(10, 0.2, 2), (5, 0.2, 1), (3, 0.2, 1), (10, 0.0, 0)])
def test_more_invalid_trials_than_allowed_end_the_series(make, clock, count, share, allowed):
    series, _ = make(count=count, warmup=0, max_invalid=share, faults=dict.fromkeys(range(50), counter_reset()))
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [RESET] * (allowed + 1)


@pytest.mark.parametrize("code", [InvalidCode.GPU_LOST, InvalidCode.REPLAY_EXHAUSTED])
def test_what_cannot_come_back_ends_the_series_at_once(make, clock, code):
    series, _ = make(count=10, warmup=0, faults={2: MeasurementInvalid(code, "gone.")})
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [None, None, f"{code}: gone."]
    assert series.stopped == f"{code}: gone."


def test_a_trial_that_is_too_short_says_how_often_to_repeat_the_work(make, clock):
    series, _ = make(count=2, warmup=0, min_time_s=2.0)
    assert drive(series, clock, seconds=0.5)[0].invalid == (
        "too_short: 0.5 s, but these meters need 2 s. Repeat the work 6 times inside the window, or lower "
        "trials.min_time."
    )


@pytest.mark.parametrize(
    ("part", "interval_s", "ending"),
    [
        ("cpu", 0.0, ", or lower trials.min_time."),
        ("gpu", 0.0, ", or lower trials.min_time_gpu."),
        ("cpu", 1.0, "."),  # 100 refresh intervals: no setting makes the counter faster
    ],
)
def test_only_the_setting_that_asks_for_the_time_is_offered_to_be_lowered(make, clock, part, interval_s, ending):
    domain = Domain(name="package-0", part=part, update_interval_s=interval_s)
    series, _ = make(count=1, warmup=0, domains=[domain])
    assert drive(series, clock, seconds=0.5)[0].invalid.endswith(f" times inside the window{ending}")


def test_a_trial_of_four_fifths_of_the_wanted_time_is_long_enough(make, clock):
    series, _ = make(count=1, warmup=0, min_time_s=2.0)
    assert drive(series, clock, seconds=1.6)[0].invalid is None
    series, _ = make(count=1, warmup=0, min_time_s=2.0)
    assert drive(series, clock, seconds=1.59)[0].invalid.startswith("too_short: ")


def test_a_trial_that_took_no_time_at_all_is_too_short(make, clock):
    series, _ = make(count=1, warmup=0)
    assert drive(series, clock, seconds=0.0)[0].invalid.startswith("too_short: 0 s, but these meters need 1 s. ")


def test_a_trial_that_the_counter_cannot_resolve_has_too_little_energy(make, clock):
    coarse = Domain(name="package-0", part="cpu", resolution_j=0.5)
    series, _ = make(count=1, warmup=0, domains=[coarse])
    assert drive(series, clock, seconds=2.0)[0].invalid == (
        "too_little_energy: 100 J, but these meters need 500 J (1000 of their steps). Put more work into the window."
    )


def test_a_replayed_window_need_not_be_long(make, clock):
    series, _ = make(count=1, warmup=0, kind="replay")
    assert drive(series, clock, seconds=0.0)[0].invalid is None


def test_the_pause_before_each_trial_that_counts_lies_outside_its_window(make, clock):
    series, _ = make(count=2, warmup=1, cooldown_s=3.0)
    trials = drive(series, clock)
    assert clock.slept == [3.0, 3.0]
    assert [trial.duration_s for trial in trials] == [2.0, 2.0]
    assert [trial.started_s for trial in trials] == [5.0, 10.0]


def test_a_warm_up_that_was_too_short_raises_the_iterations_once_for_all(make, clock):
    series, _ = make(count=2, warmup=1, adaptive=True, min_time_s=1.0)
    trials = drive(series, clock, seconds=0.1)
    assert [trial.iterations for trial in trials] == [13, 13]
    assert [trial.invalid for trial in trials] == [None, None]


def test_a_warm_up_with_too_little_energy_raises_the_iterations_too(make, clock):
    coarse = Domain(name="package-0", part="cpu", resolution_j=0.5)
    series, _ = make(count=1, warmup=1, adaptive=True, domains=[coarse])
    assert [trial.iterations for trial in drive(series, clock, seconds=2.0)] == [7]


def test_each_warm_up_measures_with_the_iterations_of_the_one_before(make, clock):
    series, _ = make(count=1, warmup=2, adaptive=True, min_time_s=1.0)
    durations = []
    for trial in series:
        with trial:
            clock.work(0.1 * trial.iterations)
        durations.append(round(trial.duration_s, 6))
    assert durations == [0.1, 1.3, 1.3]


def test_iterations_stay_as_they_are_once_trials_count(make, clock):
    series, _ = make(count=3, warmup=0, adaptive=True, min_time_s=1.0)
    assert {trial.iterations for trial in drive(series, clock, seconds=0.9)} == {1}


def test_a_warm_up_that_was_long_enough_changes_nothing(make, clock):
    series, _ = make(count=1, warmup=1, adaptive=True, iterations=4)
    assert [trial.iterations for trial in drive(series, clock)] == [4]


def test_a_warm_up_whose_reading_failed_changes_nothing(make, clock):
    series, _ = make(count=1, warmup=1, adaptive=True, faults={0: counter_reset()}, min_time_s=2.0)
    assert [trial.iterations for trial in drive(series, clock, seconds=2.0)] == [1]


def test_a_trial_that_is_too_short_for_a_slow_counter_names_it(make, clock):
    scraped = Domain(name="package-0", part="cpu", update_interval_s=1.0, shortest_window_s=20.0)
    series, _ = make(count=1, warmup=0, domains=[scraped, Domain(name="dram-0", part="dram", update_interval_s=0.1)])
    assert drive(series, clock, seconds=5.0)[0].invalid == (
        "too_short: 5 s, but package-0 needs 20 s. Repeat the work 6 times inside the window."
    )


def test_a_window_that_is_a_little_shorter_than_a_source_can_tell_is_too_short_and_repeated_longer(make, clock):
    refused = MeasurementInvalid(InvalidCode.SCRAPES, "The window was 18.0 s long and needs 20.0 s.")
    scraped = Domain(name="package-0", part="cpu", update_interval_s=1.0, shortest_window_s=20.0)
    series, _ = make(adaptive=True, count=2, warmup=0, domains=[scraped], seen={0: Measured(fault=refused)})
    assert [(trial.iterations, trial.invalid) for trial in drive(series, clock, seconds=18.0)] == [
        (1, "too_short: 18 s, but package-0 needs 20 s. Repeat the work 2 times inside the window."),
        (2, None),
        (2, None),
    ]


CPU = Domain(name="package-0", part="cpu", update_interval_s=0.001, resolution_j=6.1e-5)
GPU = Domain(name="gpu-0", part="gpu", update_interval_s=0.1, resolution_j=1e-3)
SLOW = Domain(name="dram-0", part="dram", update_interval_s=0.5, resolution_j=0.0)
SCRAPED = Domain(name="package-1", part="cpu", update_interval_s=5.0, shortest_window_s=100.0)


@pytest.mark.parametrize(
    ("domains", "needed"),
    [
        ((), Requirement(duration_s=1.0, shortest_s=0.8, energy_j=0.0)),
        ((CPU,), Requirement(duration_s=1.0, shortest_s=0.8, energy_j=0.061)),
        ((CPU, GPU), Requirement(duration_s=10.0, shortest_s=8.0, energy_j=1.0)),
        ((CPU, SLOW), Requirement(duration_s=50.0, shortest_s=40.0, energy_j=0.061)),
        ((CPU, SLOW, SCRAPED), Requirement(duration_s=100.0, shortest_s=100.0, energy_j=0.061)),
    ],
)
def test_the_slowest_and_the_coarsest_domain_say_what_a_trial_needs(domains, needed):
    found = Requirement.of(domains, TrialSettings())
    assert (found.duration_s, found.shortest_s, found.energy_j) == pytest.approx(
        (needed.duration_s, needed.shortest_s, needed.energy_j)
    )


def test_an_exception_of_the_workload_makes_its_trial_invalid_and_goes_on_upwards(make, clock):
    series, _ = make(count=3, warmup=0)

    def fail():
        for trial in series:
            with trial:
                clock.work(2.0)
                if series.trials:
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    series.settle()
    assert [trial.invalid for trial in series.trials] == [None, "work_failed: the workload raised ZeroDivisionError."]


def test_an_invalid_measurement_inside_the_window_rejects_the_trial_and_the_series_goes_on(make, clock):
    series, _ = make(count=2, warmup=0, max_invalid=0.5)
    for trial in series:
        with trial:
            clock.work(2.0)
            if not series.trials:
                raise MeasurementInvalid(InvalidCode.WORK_DIFFERS, "another answer.")
    assert [trial.invalid for trial in series.trials] == ["work_differs: another answer.", None, None]


def test_a_trial_that_is_never_measured_is_a_misuse_with_its_fix(make):
    series, _ = make(warmup=0)
    with pytest.raises(EnergyGateError) as misused:
        list(series)
    assert str(misused.value) == (
        "bench: a trial was taken from trials() and never measured. Write `for trial in energy.trials():` and inside "
        "it `with trial:` around the work."
    )


def test_a_trial_that_is_entered_twice_is_a_misuse(make, clock):
    series, _ = make(warmup=0)
    trial = next(iter(series))
    with trial:
        clock.work(1.0)
    with pytest.raises(EnergyGateError) as misused, trial:
        pass
    assert str(misused.value) == "This trial was entered before. Enter each trial of `trials()` once."


def test_counts_may_be_added_until_the_next_trial_begins(make, clock):
    series, _ = make(count=2, warmup=1)
    for trial in series:
        with trial:
            clock.work(2.0)
            trial.add(requests=1)
        trial.add(requests=2, output_tokens=30)
    assert [trial.work for trial in series.trials] == [Work(requests=3, output_tokens=30)] * 2


def test_settling_twice_records_once(make, clock):
    series, _ = make(count=2, warmup=0)
    drive(series, clock)
    series.settle()
    series.settle()
    assert len(series.trials) == 2


def test_what_an_interrupted_series_finished_is_kept(make, clock):
    series, _ = make(count=5, warmup=0)

    def interrupted():
        for number, trial in enumerate(series):
            with trial:
                clock.work(2.0)
                if number == 2:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    series.settle()
    assert [trial.invalid for trial in series.trials] == [None, None]


def open_trial(clock, **more):
    meter = ConstantPower(clock)
    return OpenTrial(meters=MeterGroup([meter]), window=Window(), clock=clock, **more), meter


def test_queued_work_is_waited_for_before_both_readings(clock):
    trial, meter = open_trial(clock, sync=lambda: meter.events.append("sync"))
    with trial:
        meter.events.append("work")
    assert meter.events == ["sync", "begin", "work", "sync", "end"]


def test_work_that_raised_is_not_waited_for(clock):
    trial, meter = open_trial(clock, sync=lambda: meter.events.append("sync"))
    with pytest.raises(ValueError, match=r"^broken$"), trial:
        raise ValueError("broken")
    assert meter.events == ["sync", "begin", "end"]


def test_garbage_is_collected_before_the_window_so_that_it_is_not_charged_to_it(clock):
    collected = []
    gc.callbacks.append(lambda phase, _: collected.append((phase, len(meter.events))))
    try:
        trial, meter = open_trial(clock)
        with trial:
            pass
    finally:
        gc.callbacks.pop()
    assert ("stop", 0) in collected


def test_a_trial_gives_joules_by_domain_and_per_unit_of_work(clock):
    trial, _ = open_trial(clock)
    with trial:
        clock.work(2.0)
        trial.add(requests=4, output_tokens=50)
    assert (trial.energy_j, trial.total_j) == ({"package-0": 100.0}, 100.0)
    assert (trial.j_per_request, trial.j_per_output_token) == (25.0, 2.0)


def test_joules_per_work_that_nobody_counted_are_unknown(clock):
    trial, _ = open_trial(clock)
    with trial:
        clock.work(2.0)
    assert (trial.j_per_request, trial.j_per_output_token) == (None, None)


def test_a_trial_that_is_not_over_has_no_energy(clock):
    trial, _ = open_trial(clock)
    with trial, pytest.raises(EnergyGateError) as early:
        _ = trial.energy_j
    assert str(early.value) == "This trial is not over yet. Read its energy after the `with` block."


def test_a_trial_without_a_valid_reading_has_no_energy(clock):
    trial = OpenTrial(
        meters=MeterGroup([ConstantPower(clock, faults={0: counter_reset()})]), window=Window(), clock=clock
    )
    with trial:
        pass
    with pytest.raises(MeasurementInvalid) as invalid:
        _ = trial.total_j
    assert str(invalid.value) == RESET


def test_the_first_reason_to_reject_a_trial_is_kept(clock):
    trial, _ = open_trial(clock)
    with trial:
        clock.work(1.0)
    trial.reject(counter_reset())
    trial.reject(MeasurementInvalid(InvalidCode.WORK_DIFFERS, "too late."))
    assert str(trial.fault) == RESET


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {"request": 1},
            (
                "unknown count 'request': one of requests, input_tokens, output_tokens, cached_input_tokens, "
                "reasoning_tokens"
            ),
        ),
        ({"requests": -1}, "requests must be a whole number from 0, not -1"),
        ({"requests": 1.5}, "requests must be a whole number from 0, not 1.5"),
        ({"requests": True}, "requests must be a whole number from 0, not True"),
    ],
)
def test_a_count_that_is_none_is_refused(clock, counts, message):
    trial, _ = open_trial(clock)
    with pytest.raises(TypeError) as wrong:
        trial.add(**counts)
    assert str(wrong.value) == message


def test_usage_of_several_answers_adds_up_with_one_request_each(clock):
    trial, _ = open_trial(clock)
    with trial:
        clock.work(2.0)
        for _ in range(2):
            trial.add_usage({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15})
    assert trial.finish(index=0, epoch_s=0.0).work == Work(requests=2, input_tokens=20, output_tokens=10)


@pytest.mark.parametrize(
    ("each_s", "wanted_s", "repeats"),
    [
        (0.0, 0.0, 1),  # nothing is wanted
        (2.0, 1.0, 1),  # long enough as it is
        (0.5, 1.0, 3),  # 1.3 x 1.0 / 0.5
        (1 / 128, 1.0, 167),  # found with 8 at once, which take 62.5 ms
        (1 / 64, 1 / 32, 2),  # a short trial is reached by doubling alone
    ],
)
def test_calibration_doubles_until_the_clock_can_tell_and_then_reckons(clock, each_s, wanted_s, repeats):
    assert calibrate(lambda times: clock.work(each_s * times), wanted_s=wanted_s, clock=clock) == repeats


def test_calibration_tries_as_seldom_as_it_can(clock):
    tried = []

    def run(times):
        tried.append(times)
        clock.work(times / 128)

    calibrate(run, wanted_s=1.0, clock=clock)
    assert tried == [1, 2, 4, 8]


def test_a_machine_that_has_become_faster_gets_more_iterations_for_the_replacement(make, clock):
    series, _ = make(adaptive=True, count=5, warmup=0, iterations=10)
    trials = drive(series, clock, seconds=0.05)
    assert [(trial.iterations, trial.duration_s, trial.invalid is None) for trial in trials] == [
        (10, pytest.approx(0.5), False),
        *[(26, pytest.approx(1.3), True)] * 5,
    ]


def test_a_count_beyond_what_json_keeps_is_refused(clock):
    trial, _ = open_trial(clock)
    with pytest.raises(TypeError, match=r"^requests must be at most 9007199254740992, and is more$"):
        trial.add(requests=10**400)
    trial.add(requests=2**53)
    with pytest.raises(TypeError, match=r"^requests must be at most 9007199254740992, and is more$"):
        trial.add(requests=1)


THROTTLED = MeasurementInvalid(InvalidCode.THROTTLED, "gpu-0 was too hot.")


def test_what_the_meter_and_the_watch_saw_is_kept_beside_the_energy(make, clock):
    watch = ScriptedWatch(Observed(conditions={"cpu": {"foreign": 0.0}}))
    series, _ = make(count=1, warmup=0, watch=watch, seen={0: Measured(conditions={"gpu-0": {"sm_mhz": 1980}})})
    (trial,) = drive(series, clock)
    assert trial.conditions == {"gpu-0": {"sm_mhz": 1980}, "cpu": {"foreign": 0.0}}
    assert watch.windows == [Window(benchmark="bench", pids=(7,))]


@pytest.mark.parametrize("by", ["meter", "watch"])
def test_a_window_that_was_read_right_and_does_not_count_keeps_its_energy_and_work(make, clock, by):
    seen = {0: Measured(fault=THROTTLED)} if by == "meter" else {}
    watch = ScriptedWatch(*([Observed(fault=THROTTLED)] if by == "watch" else []))
    series, _ = make(count=2, warmup=0, max_invalid=0.5, seen=seen, watch=watch)
    for trial in series:
        with trial:
            clock.work(2.0)
        trial.add(requests=3)
    first, *others = series.trials
    assert (first.invalid, first.energy_j) == ("throttled: gpu-0 was too hot.", {"package-0": 100.0})
    assert [trial.work for trial in series.trials] == [Work(requests=3)] * 3
    assert [trial.invalid for trial in others] == [None, None]


def test_the_energy_of_a_window_that_does_not_count_is_not_given_away(make, clock):
    series, _ = make(count=1, warmup=0, seen={0: Measured(fault=THROTTLED)})
    with (trial := next(iter(series))):
        clock.work(2.0)
    with pytest.raises(MeasurementInvalid) as invalid:
        _ = trial.total_j
    assert str(invalid.value) == "throttled: gpu-0 was too hot."


def test_a_reading_that_failed_says_more_than_what_the_watch_saw(make, clock):
    watch = ScriptedWatch(Observed(fault=THROTTLED, noise=FOREIGN))
    series, _ = make(count=1, warmup=0, faults={0: counter_reset()}, watch=watch)
    assert drive(series, clock)[0].invalid == RESET


def test_a_trial_that_is_too_short_is_repeated_longer_even_if_it_was_noisy(make, clock):
    watch = ScriptedWatch(Observed(noise=FOREIGN))
    series, _ = make(adaptive=True, count=2, warmup=0, max_invalid=0.5, watch=watch, iterations=1)
    trials = drive(series, clock, seconds=0.5)
    assert [trial.invalid and trial.invalid.partition(":")[0] for trial in trials] == ["too_short", None, None]
    assert series.noisy is None


def test_each_note_of_a_meter_is_kept_once_warm_ups_left_out(make, clock):
    said = [("of the warm-up",), ("warm", "hot"), ("hot", "slow"), ("warm",)]
    series, _ = make(count=3, warmup=1, seen={i: Measured(notes=notes) for i, notes in enumerate(said)})
    drive(series, clock)
    assert series.notes == ("warm", "hot", "slow")


def test_trials_in_which_nobody_knows_what_others_did_are_told_with_the_commonest_reason(make, clock):
    busy, gone = Observed(unknown="Processes ended."), Observed(unknown="Process 7 is gone.")
    watch = ScriptedWatch(gone, busy, QUIET, gone, busy, busy)
    series, _ = make(count=5, warmup=1, watch=watch, seen={1: Measured(notes=("hot",))})
    drive(series, clock)
    assert series.notes == ("hot", "foreign load unknown in 4 of 5 trials: Processes ended.")


def test_nothing_is_noted_of_foreign_load_where_it_is_known(make, clock):
    series, _ = make(count=2, watch=ScriptedWatch(*[LOUD] * 3))
    drive(series, clock)
    assert series.notes == ()


def test_the_machine_is_looked_at_before_the_meters_begin_and_after_they_end(clock):
    class Ordered(ScriptedWatch):
        def begin(self, window):
            meter.events.append("look")
            return lambda: meter.events.append("look again") or Observed()

    trial, meter = open_trial(clock, sync=lambda: meter.events.append("sync"), watch=Ordered())
    with trial:
        meter.events.append("work")
    assert meter.events == ["sync", "look", "begin", "work", "sync", "end", "look again"]


FOREIGN = Noise(kind="foreign", share=0.25, limit=0.10)
SAID = "other processes used 25 % of the machine's CPU time (limit 10 %, noise.foreign)."
QUIET, LOUD = Observed(), Observed(conditions={"cpu": {"foreign": 0.25}}, noise=FOREIGN)


def test_few_noisy_trials_are_replaced_and_the_benchmark_is_not_noisy(make, clock):
    series, _ = make(count=10, warmup=0, watch=ScriptedWatch(QUIET, LOUD, QUIET, LOUD))
    trials = drive(series, clock)
    assert [trial.index for trial in trials if trial.invalid] == [1, 3]
    assert trials[1].invalid == f"noisy: {SAID}"
    assert (len(trials), series.noisy) == (12, None)


def test_more_noisy_trials_than_can_be_replaced_all_count_and_the_benchmark_is_noisy(make, clock):
    watch = ScriptedWatch(LOUD, QUIET, LOUD, LOUD, QUIET, LOUD)
    series, _ = make(count=10, warmup=0, watch=watch)
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [None] * 10
    assert [i for i, trial in enumerate(trials) if "noisy" in trial.conditions.get("cpu", {})] == [0, 2, 3, 5]
    assert trials[0].conditions == {"cpu": {"foreign": 0.25, "noisy": SAID}}
    assert [trial.energy_j for trial in trials] == [{"package-0": 100.0}] * 10
    assert series.noisy == (
        "4 of 10 trials are noisy: other processes used 25 % of the machine's CPU time (limit 10 %), and the counters "
        "hold that too. Measure on a runner that does nothing else, or raise noise.foreign."
    )


def test_where_no_trial_may_be_replaced_the_first_noisy_one_already_counts(make, clock):
    series, _ = make(count=3, warmup=0, max_invalid=0.0, watch=ScriptedWatch(QUIET, LOUD))
    assert [trial.invalid for trial in drive(series, clock)] == [None] * 3
    assert series.noisy.startswith("1 of 3 trials are noisy: ")


def test_noise_alone_never_makes_too_many_trials_invalid(make, clock):
    series, _ = make(count=10, warmup=0, faults={0: counter_reset()}, watch=ScriptedWatch(QUIET, LOUD, LOUD))
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [RESET, *[None] * 10]
    assert series.noisy.startswith("2 of 11 trials are noisy: ")


def test_other_faults_beyond_what_is_allowed_end_the_series_however_noisy_it_is(make, clock):
    faults = dict.fromkeys(range(4, 50), counter_reset())
    series, _ = make(count=10, warmup=0, faults=faults, watch=ScriptedWatch(*[LOUD] * 50))
    trials = drive(series, clock)
    assert [trial.invalid for trial in trials] == [None] * 4 + [RESET] * 3


def test_noise_in_a_warm_up_costs_nothing(make, clock):
    series, _ = make(count=2, warmup=1, max_invalid=0.0, watch=ScriptedWatch(LOUD))
    assert [trial.invalid for trial in drive(series, clock)] == [None, None]
    assert series.noisy is None


def test_progress_hears_of_a_noisy_trial_while_it_is_replaced_and_not_once_it_counts(make, clock):
    series, _ = make(count=3, warmup=0, watch=ScriptedWatch(LOUD, LOUD, LOUD))
    drive(series, clock)
    assert series.progress.heard == [
        ("bench", 0, 3, f"noisy: {SAID}"),
        ("bench", 2, 3, None),
        ("bench", 3, 3, None),
    ]


def answered(series, clock, outputs):
    """Measure trials whose answers have these lengths."""
    remaining = iter(outputs)
    for trial in series:
        with trial:
            clock.work(2.0)
        trial.conditions["inference"] = {"equal_work": {"output_tolerance": 0.02, "prefix_cache": "any"}}
        trial.add(output_tokens=next(remaining))
    return [trial.invalid is None for trial in series.trials]


def test_the_first_trial_is_replaced_if_it_is_the_one_that_did_other_work(make, clock):
    series, _ = make(count=5, warmup=0, max_invalid=0.2)
    assert answered(series, clock, [100, 130, 130, 130, 130, 130]) == [False, True, True, True, True, True]
    assert series.trials[0].invalid.startswith("work_differs: 100 output tokens, 130 in the median trial: ")


def test_trials_that_never_agree_end_the_series(make, clock):
    series, _ = make(count=4, warmup=0, max_invalid=0.2)
    assert answered(series, clock, [100, 130] * 10) == [False] * 4


def test_other_work_spends_what_noise_may_not(make, clock):
    series, _ = make(count=5, warmup=0, watch=ScriptedWatch(LOUD, *[QUIET] * 20))
    assert answered(series, clock, [130, 100, 130, 130, 130, 130]) == [True, False, True, True, True, True]
    assert series.noisy is not None
