import pytest
from fakes import COMMIT, NAME, STEADY_J, a_baseline, a_benchmark, a_meter, a_run, some_blocks, some_trials
from msgspec.structs import replace

from energygate.errors import ConfigError
from energygate.judging import judge, judge_given, judge_interleaved, judge_two_stages, screen
from energygate.model import Baseline, BaselineRuns, Head, Idle, Metric, Outcome, Work
from energygate.policy import Anchor, Confirm, Policy, Rules

BLOCKS_J = (100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 100.0, 99.7, 100.4, 100.5)
GUESS = (a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),)


def times(factor, *, name=NAME, **more):
    return a_benchmark(name=name, trials=some_trials([energy * factor for energy in STEADY_J]), **more)


def turns(factor, *, name=NAME):
    return a_benchmark(name=name, trials=some_blocks([energy * factor for energy in BLOCKS_J]))


BASE, SAME, WORSE = (a_run(turns(factor), day=day) for factor, day in ((1.0, 20), (1.0, 21), (1.1, 22)))
STORED = a_baseline(*[times(1)] * 3)


def test_a_base_measured_in_turns_is_reported_as_such():
    report = judge_interleaved(BASE, WORSE, Policy())
    assert report.baseline == BaselineRuns(
        runs=(BASE.run_id,), commits=(COMMIT,), how="interleaved", machine=BASE.machine
    )
    assert (report.verdict, report.exit_code, report.counts) == ("failed", 1, {"regressed": 1})
    (row,) = report.comparisons
    assert (row.how, row.blocks, row.reason) == (
        "interleaved",
        10,
        "+10.0 % against the base in 10 blocks: above the budget of 5 %.",
    )


def test_a_missing_benchmark_and_given_warnings_are_in_the_report():
    report = judge_interleaved(BASE, SAME, Policy(), missing=[times(1, name="gone")], warnings=["slow runner"])
    assert (report.counts, report.warnings) == ({"missing": 1, "pass": 1}, ("slow runner",))


def test_an_estimated_comparison_in_turns_is_invalid_unless_policy_allows_it():
    base, head = (a_run(turns(1), day=day, meters=GUESS) for day in (20, 21))
    assert judge_interleaved(base, head, Policy()).counts == {"invalid": 1}
    (row,) = judge_interleaved(base, head, Policy(allow_estimates=True)).comparisons
    assert (row.outcome, row.estimated, row.label) == (Outcome.PASS, True, "estimate")


def test_a_suspect_is_queued_and_its_blocks_decide():
    head = a_run(times(1.1), day=9)
    assert judge(head, STORED, Policy()).counts == {"regressed": 1}
    assert screen(head, STORED, Policy()) == (NAME,)
    for confirmed, counts in (((BASE, SAME), {"pass": 1}), ((BASE, WORSE), {"regressed": 1})):
        report = judge_two_stages(head, STORED, Policy(), confirmed=confirmed)
        assert report.counts == counts
        (row,) = report.comparisons
        assert (row.how, row.blocks, row.sessions) == ("interleaved", 10, 0)
        assert (report.head.run_id, report.baseline.how) == (head.run_id, "stored")
        assert report.baseline.runs == tuple(run.run_id for run in STORED.runs)
        assert report.base == Head(run_id=BASE.run_id, commit=COMMIT, repository="owner/name", branch="main")


def test_nothing_queued_leaves_the_first_stage():
    head = a_run(times(1), day=9)
    assert screen(head, STORED, Policy()) == ()
    report = judge_two_stages(head, STORED, Policy(), confirmed=None)
    assert report == judge(head, STORED, Policy())


def test_what_was_not_confirmed_in_time_stays_suspect_and_fails_only_on_request():
    head = a_run(times(1.1), day=9)
    left = {NAME: "confirm.max_minutes were used up."}
    report = judge_two_stages(head, STORED, Policy(), confirmed=None, unconfirmed=left)
    (row,) = report.comparisons
    assert (row.outcome, row.notes) == (Outcome.SUSPECT, ("not confirmed: confirm.max_minutes were used up.",))
    assert (report.verdict, report.exit_code) == ("inconclusive", 0)
    strict = Policy(fail_on=(Outcome.SUSPECT,))
    assert judge_two_stages(head, STORED, strict, confirmed=None, unconfirmed=left).exit_code == 3


def test_stage_one_is_screened_by_what_the_policy_says_of_it():
    head = a_run(times(1), day=9)
    assert screen(head, STORED, Policy(confirm=Confirm(which="all"))) == (NAME,)
    assert screen(head, STORED, Policy(budget=0.001, min_effect=0.001, confirm=Confirm(which="unresolved"))) == (NAME,)


def test_values_without_idle_power_are_shown_beside_stored_sessions_alone():
    idle = Idle(before_w={"package-0": 10.0}, after_w={"package-0": 10.0}, duration_s=5.0)
    head = a_run(times(1.1), times(1, name="b"), day=9, idle=idle)
    stored = a_baseline(*[[times(1), times(1, name="b")]] * 3)
    rows = judge_two_stages(head, stored, Policy(), confirmed=(BASE, WORSE)).comparisons
    assert [(row.how, row.net is not None) for row in rows] == [("interleaved", False), ("stored", True)]


def test_a_limit_and_an_anchor_are_judged_beside_the_comparison():
    policy = Policy(
        rules={NAME: Rules(limits={Metric.ENERGY_J: 200.0})},
        anchors=(Anchor(name="v1", commit=COMMIT, budget=0.05),),
    )
    report = judge(a_run(times(1.2), day=9), STORED, policy)
    assert [(row.how, row.outcome) for row in report.comparisons] == [
        ("anchor", Outcome.OVER_LIMIT),
        ("stored", Outcome.REGRESSED),
        ("limit", Outcome.PASS),
    ]


def test_one_given_base_with_blocks_is_paired_with_the_head():
    assert judge_given([BASE], WORSE, Policy()) == judge_interleaved(BASE, WORSE, Policy())


@pytest.mark.parametrize(
    ("bases", "head"),
    [
        pytest.param([a_run(times(1), day=1)], WORSE, id="only the head has blocks"),
        pytest.param([BASE], a_run(times(1), day=9), id="only the base has blocks"),
        pytest.param([BASE, SAME], WORSE, id="two bases"),
    ],
)
def test_given_bases_are_sessions_otherwise(bases, head):
    newest_first = tuple(sorted(bases, key=lambda run: run.started_at, reverse=True))
    report = judge_given(bases, head, Policy())
    assert report == judge(head, Baseline(runs=newest_first), Policy())
    assert {row.how for row in report.comparisons} == {"stored"}


def test_a_run_is_no_base_for_itself_even_in_turns():
    with pytest.raises(ConfigError, match=r"^Run 20261120T031500Z-0000000014 is given twice\."):
        judge_given([BASE], BASE, Policy())


def test_a_machine_that_changed_for_good_is_a_warning_above_the_report():
    names = [f"b{i}" for i in range(5)]
    stored = a_baseline(*([times(factor, name=name) for name in names] for factor in (1.75, 1.75, 1.0, 1.0)))
    report = judge(a_run(*(times(1.75, name=name) for name in names), day=9), stored, Policy())
    assert report.warnings == (
        (
            "stored runs differ by +75.0 % throughout since 2026-11-03 (0123456789ab): the machine, or something that "
            "all benchmarks share, changed. Older runs don't count any more."
        ),
    )
    assert {row.sessions for row in report.comparisons} == {2}


def test_a_shift_of_a_stored_session_shows_in_benchmarks_that_the_head_did_not_measure():
    names = [f"b{i}" for i in range(5)]
    stored = a_baseline(*([times(factor, name=name) for name in names] for factor in (1.0, 1.75, 1.0, 1.0)))
    (row,) = judge(a_run(times(1, name="b0"), day=9), stored, Policy()).comparisons
    assert (row.sessions, row.outcome) == (3, Outcome.PASS)


def test_a_row_has_the_values_of_its_stored_sessions_oldest_first():
    stored = a_baseline(times(1.02), times(1.01), times(1.0))  # newest first
    (row,) = judge(a_run(times(1.0), day=9), stored, Policy()).comparisons
    assert row.history == pytest.approx([row.head, row.head * 1.01, row.head * 1.02])


def test_the_history_stays_beside_what_blocks_decided():
    head = a_run(times(1.1), day=9)
    (row,) = judge_two_stages(head, STORED, Policy(), confirmed=(BASE, WORSE)).comparisons
    assert (row.how, len(row.history)) == ("interleaved", 3)


def test_only_the_deciding_row_has_a_history_in_its_own_unit():
    trials = [replace(each, work=Work(requests=10, output_tokens=100)) for each in some_trials(STEADY_J)]
    policy = Policy(rules={NAME: Rules(limits={Metric.ENERGY_J: 1.0})})
    report = judge(a_run(a_benchmark(trials=trials), day=9), a_baseline(*[a_benchmark(trials=trials)] * 3), policy)
    found = {(row.metric, row.how): len(row.history) for row in report.comparisons}
    assert found == {
        (Metric.J_PER_REQUEST, "stored"): 3,
        (Metric.J_PER_OUTPUT_TOKEN, "stored"): 0,
        (Metric.ENERGY_J, "limit"): 0,
    }


def test_of_a_long_history_the_newest_twenty_are_shown():
    stored = a_baseline(*[times(1 + n / 1000) for n in range(25)])
    (row,) = judge(a_run(times(1.0), day=29), stored, Policy(window=25)).comparisons
    assert len(row.history) == 20
    assert row.history[0] / row.history[-1] == pytest.approx(1.019)


def test_blocks_without_stored_sessions_have_no_history():
    (row,) = judge_interleaved(BASE, WORSE, Policy()).comparisons
    assert row.history == ()
