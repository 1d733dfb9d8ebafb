import datetime as dt

import pytest
from fakes import (
    COMMIT,
    FIRST_DAY,
    NAME,
    a_baseline,
    a_benchmark,
    a_meter,
    a_run,
    a_trial,
    an_acceptance,
    some_blocks,
    some_trials,
)
from msgspec.structs import replace

from energygate.judging import judge, judge_interleaved, judge_two_stages
from energygate.model import Baseline, Evidence, Level, Metric, Outcome, Point, Side, Work
from energygate.policy import Policy, Rules

STEADY_J = (100.0, 100.2, 99.8, 100.1, 99.9)
COOL, HOT = {"temp_start_c": 51.0, "temp_end_c": 58.5}, {"temp_start_c": 88, "temp_end_c": 71}


def steady(factor=1.0, *, name=NAME, **more):
    return a_benchmark(name=name, trials=some_trials([factor * energy_j for energy_j in STEADY_J]), **more)


def in_blocks(factor=1.0, *, name=NAME):
    return a_benchmark(name=name, trials=some_blocks([factor * energy_j for energy_j in STEADY_J * 2]))


def the_evidence(report):
    (found,) = report.evidence
    return found


def day_of(day):
    return FIRST_DAY + dt.timedelta(days=day - 1)


def test_a_benchmark_beside_stored_sessions_shows_every_trial_of_both():
    head = a_run(a_benchmark(trials=[a_trial(energy_j=101.5)], labels={"model": "smollm2"}), day=9)
    baseline = a_baseline(steady(), steady(1.01))
    found = the_evidence(judge(head, baseline, Policy(budget=0.04)))
    older, newer = found.history
    assert (older.value, newer.value) == (pytest.approx(101.0, rel=1e-4), pytest.approx(100.0, rel=1e-4))
    assert found == Evidence(
        benchmark=NAME,
        metric=Metric.ENERGY_J,
        labels={"model": "smollm2"},
        budget=0.04,
        min_effect=0.02,
        head=Side(
            run_id=head.run_id,
            commit=COMMIT,
            at=day_of(9),
            points=(Point(started_s=0.0, duration_s=3.2, energy_j={"package-0": 101.5}, value=101.5),),
        ),
        history=(
            Level(
                run_id=baseline.runs[1].run_id,
                commit=COMMIT,
                at=day_of(1),
                value=older.value,
                values=tuple(1.01 * energy_j for energy_j in STEADY_J),
            ),
            Level(run_id=baseline.runs[0].run_id, commit=COMMIT, at=day_of(2), value=newer.value, values=STEADY_J),
        ),
    )


def test_points_are_in_the_unit_of_the_deciding_metric_and_keep_the_work():
    trial = a_trial(energy_j={"package-0": 60.0, "gpu-0": 40.0}, iterations=2, requests=8, output_tokens=512)
    (point,) = the_evidence(judge(a_run(a_benchmark(trials=[trial])), Baseline(), Policy())).head.points
    assert point == Point(
        started_s=0.0,
        duration_s=3.2,
        energy_j={"package-0": 60.0, "gpu-0": 40.0},
        value=12.5,
        work=Work(requests=8, output_tokens=512),
        iterations=2,
    )


def test_a_trial_that_does_not_count_is_shown_with_its_reason_and_without_a_value_it_cannot_have():
    counted = [a_trial(index=i, requests=4) for i in range(5)]
    lost = a_trial(index=5, energy_j=3.0, invalid="read_error: the counter is gone.")
    found = the_evidence(judge(a_run(a_benchmark(trials=[*counted, lost])), Baseline(), Policy()))
    assert found.metric is Metric.J_PER_REQUEST
    assert [(point.value, point.invalid) for point in found.head.points] == [
        *[(25.0, None)] * 5,
        (None, "read_error: the counter is gone."),
    ]


@pytest.mark.parametrize(
    ("conditions", "temperature_c", "throttled"),
    [
        ({}, {}, ()),
        ({"cpu": {"foreign": 0.01, "throttled": 0, **COOL}}, {"cpu": 58.5}, ()),
        ({"cpu": {"throttled": 3, **HOT}}, {"cpu": 88.0}, ("cpu: thermal",)),
        ({"cpu": {"throttled": None, "temp_start_c": None, "temp_end_c": 40.0}}, {"cpu": 40.0}, ()),
        (
            {"cpu": COOL, "gpu-0": {"reasons": ["gpu_idle", "sw_power_cap", "hw_thermal_slowdown"], **HOT}},
            {"cpu": 58.5, "gpu-0": 88.0},
            ("gpu-0: thermal", "gpu-0: power limit"),
        ),
        ({"gpu-0": {"reasons": None, "temp_start_c": None, "temp_end_c": None}}, {}, ()),
        ({"inference": {"finish": {"stop": 3}}, "mine": 7, "cpu": {"temp_start_c": "hot"}}, {}, ()),
    ],
    ids=["unwatched", "cool", "throttled processors", "one end", "throttled GPU", "a silent GPU", "anything"],
)
def test_temperatures_and_throttling_come_from_what_was_watched(conditions, temperature_c, throttled):
    head = a_run(a_benchmark(trials=[a_trial(conditions=conditions)]))
    (point,) = the_evidence(judge(head, Baseline(), Policy())).head.points
    assert (point.temperature_c, point.throttled) == (temperature_c, throttled)


def test_budget_and_effect_are_those_of_the_benchmark():
    policy = Policy(rules={NAME: Rules(budget=0.1, min_effect=0.03, limits={Metric.ENERGY_J: 50.0})})
    report = judge(a_run(steady(), day=9), a_baseline(steady()), policy)
    assert {row.how for row in report.comparisons} == {"stored", "limit"}
    assert (the_evidence(report).budget, the_evidence(report).min_effect) == (0.1, 0.03)


def test_a_change_of_level_begins_with_its_session_and_only_what_came_since_counts():
    baseline = a_baseline(*[steady(1.2)] * 5, *[steady()] * 5)
    history = the_evidence(judge(a_run(steady(1.2), day=11), baseline, Policy())).history
    assert [len(level.values) for level in history] == [0] * 5 + [5] * 5
    assert [(level.change, level.is_certain) for level in history] == [
        *[(None, False)] * 5,
        (pytest.approx(1.2), True),
        *[(None, False)] * 4,
    ]
    assert [level.at for level in history] == [day_of(day) for day in range(1, 11)]


def test_who_accepted_a_level_stands_at_the_session_where_it_begins():
    newest, second, *older = a_baseline(steady(1.2), steady(1.2), steady(), steady(), steady()).runs
    accepting = replace(second, accepts=(an_acceptance(),))
    report = judge(a_run(steady(1.2), day=9), Baseline(runs=(newest, accepting, *older)), Policy())
    assert [level.accepted for level in the_evidence(report).history] == [(), (), (), (an_acceptance(),), ()]


def test_a_session_of_a_machine_that_had_changed_is_marked_and_counts_for_nothing():
    names = [f"bench.py::test_{number}" for number in range(6)]
    days = [[steady(factor, name=name) for name in names] for factor in (1.0, 1.3, 1.0, 1.0, 1.0, 1.0)]
    report = judge(a_run(*[steady(name=name) for name in names], day=9), a_baseline(*days), Policy())
    assert [found.benchmark for found in report.evidence] == names
    for found in report.evidence:
        assert [level.is_shifted for level in found.history] == [False, False, False, False, True, False]
        assert [bool(level.values) for level in found.history] == [True, True, True, True, False, True]


def test_a_missing_benchmark_has_its_history_and_no_head():
    gone = steady(name="gone", labels={"model": "smollm2"})
    baseline = a_baseline((steady(), gone), (steady(), gone))
    report = judge(a_run(steady(), day=9), baseline, Policy(), missing=[gone])
    assert report.counts == {"missing": 1, "pass": 1}
    measured, missing = report.evidence
    assert (measured.benchmark, missing.benchmark, missing.labels) == (NAME, "gone", {"model": "smollm2"})
    assert (missing.head, missing.turns) == (None, None)
    assert [level.values for level in missing.history] == [STEADY_J, STEADY_J]


def test_two_stages_show_the_head_as_it_was_screened_and_both_sides_as_they_were_measured_in_turns():
    other = steady(name="other")
    head, baseline = a_run(steady(1.1), other, day=9), a_baseline(*[(steady(), other)] * 3)
    base, again = a_run(in_blocks(), day=20), a_run(in_blocks(1.1), day=21)
    report = judge_two_stages(head, baseline, Policy(), confirmed=(base, again))
    suspect, passed = report.evidence
    assert (suspect.head.run_id, [len(level.values) for level in suspect.history]) == (head.run_id, [5, 5, 5])
    before, after = suspect.turns
    assert [(side.run_id, side.at) for side in (before, after)] == [
        (base.run_id, day_of(20)),
        (again.run_id, day_of(21)),
    ]
    assert [point.block for point in before.points] == list(range(1, 11))
    assert [point.value for point in after.points] == [trial.total_j for trial in again.benchmarks[0].trials]
    assert (passed.head.run_id, passed.turns) == (head.run_id, None)


def test_what_was_only_measured_in_turns_has_no_trials_twice_and_no_history():
    base, head = a_run(in_blocks(), day=20), a_run(in_blocks(1.1), day=21)
    report = judge_interleaved(base, head, Policy(), missing=[steady(name="gone")])
    paired, gone = report.evidence
    assert (paired.head, paired.history) == (None, ())
    assert [side.run_id for side in paired.turns] == [base.run_id, head.run_id]
    assert (gone.benchmark, gone.head, gone.turns, gone.history) == ("gone", None, None, ())


def test_a_benchmark_that_the_base_of_the_turns_lacks_shows_its_head():
    base, head = a_run(day=20), a_run(in_blocks(), day=21)
    found = the_evidence(judge_interleaved(base, head, Policy()))
    assert (found.head.run_id, len(found.head.points), found.turns) == (head.run_id, 10, None)


def test_an_estimate_that_decides_nothing_shows_its_trials_all_the_same():
    meters = (a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),)
    report = judge(a_run(steady(), meters=meters, day=9), a_baseline(steady()), Policy())
    assert [(row.outcome, row.label) for row in report.comparisons] == [(Outcome.INVALID, "estimate")]
    assert [point.value for point in the_evidence(report).head.points] == list(STEADY_J)


def test_the_machine_of_the_newest_session_that_was_compared_with_is_in_the_report():
    newest, older = a_baseline(steady(), steady()).runs
    newest = replace(newest, machine=replace(newest.machine, soft={"kernel": "6.9.1"}))
    report = judge(a_run(steady(), day=9), Baseline(runs=(newest, older)), Policy())
    assert report.baseline.machine == newest.machine
    assert judge(a_run(steady(), day=9), Baseline(), Policy()).baseline.machine is None
    base, head = a_run(in_blocks(), day=20), a_run(in_blocks(), day=21)
    assert judge_interleaved(base, head, Policy()).baseline.machine == base.machine
