import re
from dataclasses import replace

import msgspec
import pytest
from fakes import (
    COMMIT,
    NAME,
    STEADY_J,
    a_baseline,
    a_benchmark,
    a_machine,
    a_meter,
    a_run,
    some_trials,
)

from energygate.baseline.store import read_run
from energygate.carbon.factors import yearly
from energygate.carbon.options import StaticCarbon, TermsOptions
from energygate.config_keys import MarkerKeys
from energygate.errors import ConfigError, MeterUnavailable
from energygate.judging import judge, split_by_machine
from energygate.model import Baseline, BaselineRuns, Head, Metric, Outcome, PolicyView, Source, Terms
from energygate.pipeline import Surroundings, open_job, refuse_to_record, unfit_as_sessions
from energygate.policy import Policy, Rules
from energygate.settings import Mode, ReportTarget, Settings
from energygate.workloads.suites import TrialOverrides

GUESS = (a_meter(name="estimate", kind="estimate", domains=("cpu-estimate",)),)
DOUBT = (
    "the readings are an estimate by model (estimate), not a measurement, and may not decide. "
    "Use a hardware counter (`energygate doctor` says what is missing and how to mend it), "
    "or let estimates decide: --energy-allow-estimates, allow_estimates: true."
)


def times(factor, **more):
    return a_benchmark(trials=some_trials([energy_j * factor for energy_j in STEADY_J]), **more)


def test_a_report_says_what_was_judged_by_what_and_against_what():
    head = a_run(times(1.2), day=9)
    baseline = a_baseline(*[times(1)] * 3)
    report = judge(head, baseline, Policy())
    assert (report.verdict, report.exit_code, report.counts) == ("failed", 1, {"regressed": 1})
    assert report.head == Head(
        run_id="20261109T031500Z-0000000009", commit=COMMIT, repository="owner/name", branch="main"
    )
    assert report.baseline == BaselineRuns(
        runs=("20261103T031500Z-0000000003", "20261102T031500Z-0000000002", "20261101T031500Z-0000000001"),
        commits=(COMMIT, COMMIT, COMMIT),
        how="stored",
        machine=baseline.runs[0].machine,
    )
    assert report.policy == PolicyView(
        budget=0.05,
        min_effect=0.02,
        false_alarms=0.05,
        adjust="bh",
        fail_on=("regressed", "over_limit", "invalid"),
    )
    assert (report.machine, report.meters, report.tool, report.warnings) == (head.machine, head.meters, head.tool, ())
    (row,) = report.comparisons
    assert (row.benchmark, row.reason) == (
        NAME,
        "+20.0 % against 3 stored sessions: above the budget of 5 %.",
    )


@pytest.mark.parametrize(
    ("factor", "fail_on", "verdict", "code"),
    [
        (1.0, (Outcome.REGRESSED,), "passed", 0),
        (1.2, (Outcome.REGRESSED,), "failed", 1),
        (1.2, (), "inconclusive", 0),
        (0.8, (Outcome.REGRESSED,), "passed", 0),
    ],
)
def test_what_fails_is_policy_and_only_a_proven_pass_passes(factor, fail_on, verdict, code):
    report = judge(a_run(times(factor), day=9), a_baseline(*[times(1)] * 4), Policy(fail_on=fail_on))
    assert (report.verdict, report.exit_code) == (verdict, code)


def test_a_run_without_a_baseline_is_inconclusive_and_fails_only_on_request():
    head = a_run(times(1))
    assert (judge(head, Baseline(), Policy()).verdict, judge(head, Baseline(), Policy()).exit_code) == (
        "inconclusive",
        0,
    )
    strict = judge(head, Baseline(), Policy(fail_on=(Outcome.NO_BASELINE,)))
    assert (strict.verdict, strict.exit_code, strict.counts) == ("failed", 4, {"no_baseline": 1})


def test_a_run_that_measured_nothing_fails_with_5():
    report = judge(a_run(), Baseline(), Policy(fail_on=()))
    assert (report.verdict, report.exit_code, report.counts, report.comparisons) == ("failed", 5, {}, ())


def test_an_estimated_run_is_invalid_with_the_option_that_lets_it_decide():
    report = judge(a_run(times(1), meters=GUESS, day=9), a_baseline(*[times(1)] * 4), Policy())
    (row,) = report.comparisons
    assert (row.outcome, row.reason, row.estimated, report.exit_code) == (Outcome.INVALID, DOUBT, True, 5)


def test_an_estimated_run_decides_where_policy_allows_it_and_is_still_labelled():
    policy = Policy(allow_estimates=True)
    (row,) = judge(a_run(times(1), meters=GUESS, day=9), a_baseline(*[times(1)] * 4), policy).comparisons
    assert (row.outcome, row.estimated) == (Outcome.PASS, True)


def test_integrated_power_counts_as_an_estimate_and_all_such_meters_are_named():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    (row,) = judge(a_run(times(1), meters=(a_meter(), power, *GUESS)), Baseline(), Policy()).comparisons
    assert row.reason == DOUBT.replace("(estimate)", "(estimate) and integrated power (nvml-power)")
    assert row.label == "estimate"


def test_integrated_power_alone_is_called_so_and_not_an_estimate():
    power = a_meter(name="nvml-power", kind="integrated", domains=("gpu-0",))
    (row,) = judge(a_run(times(1), meters=(a_meter(), power)), Baseline(), Policy()).comparisons
    assert row.reason == DOUBT.replace("an estimate by model (estimate)", "integrated power (nvml-power)")
    assert (row.estimated, row.label) == (True, "integrated power")


def test_the_policy_sets_window_prior_and_share_of_invalid_trials():
    baseline = a_baseline(*[times(1)] * 6)
    head = a_run(a_benchmark(trials=[*some_trials(), *some_trials(invalid="read_error: x.")]), day=9)
    report = judge(head, baseline, Policy(window=4, max_invalid=0.5, session_sd=0.001))
    (row,) = report.comparisons
    assert (row.sessions, len(report.baseline.runs), row.outcome) == (4, 4, Outcome.PASS)
    assert row.ratio_high < 1.01
    assert judge(head, baseline, Policy(max_invalid=0.4)).comparisons[0].outcome is Outcome.INVALID


def test_a_report_names_the_stored_runs_that_count_as_a_session_of_some_benchmark():
    other = a_benchmark(name="other")
    loud = times(1, noisy="3 of 3 trials are noisy.")
    of_no_work = times(1, workload="b" * 64)
    stored = [(times(1), other), (times(1), other), (loud, other), (loud,), (of_no_work,), (times(1),)]
    report = judge(a_run(times(1), other, day=9), a_baseline(*stored), Policy(window=3))
    assert [run_id[-1] for run_id in report.baseline.runs] == ["6", "5", "4", "1"]
    assert len(report.baseline.commits) == 4
    alone = judge(a_run(times(1), day=9), a_baseline(loud, of_no_work), Policy())
    assert (alone.baseline.runs, alone.comparisons[0].outcome) == ((), Outcome.NO_BASELINE)


def test_a_limit_of_the_policy_is_checked():
    policy = Policy(rules={NAME: Rules(limits={Metric.ENERGY_J: 50.0})})
    report = judge(a_run(times(1), day=9), a_baseline(*[times(1)] * 4), policy)
    assert (report.exit_code, report.counts) == (1, {"over_limit": 1, "pass": 1})


def test_a_missing_benchmark_leaves_the_whole_inconclusive_unless_policy_fails_on_it():
    gone = a_benchmark(name="gone")
    head, baseline = a_run(times(1), day=9), a_baseline(*[(times(1), gone)] * 4)
    report = judge(head, baseline, Policy(), missing=[gone])
    assert (report.verdict, report.exit_code, report.counts) == ("inconclusive", 0, {"missing": 1, "pass": 1})
    assert judge(head, baseline, Policy(fail_on=(Outcome.MISSING,)), missing=[gone]).exit_code == 4


def test_soft_keys_that_changed_since_the_newest_run_and_a_dirty_tree_are_warnings():
    head = a_run(times(1), day=9, dirty=True, machine=a_machine(soft={"kernel": "6.9.0"}))
    assert judge(head, a_baseline(times(1)), Policy()).warnings == (
        "since the newest stored run: kernel: 6.8.0 → 6.9.0",
        "the working tree has uncommitted changes: this report describes no commit",
    )


def test_a_dirty_tree_is_told_with_the_files_that_make_it_so():
    source = Source(dirty=True, changed="uv.lock, a.txt, b.txt and 2 more")
    head = msgspec.structs.replace(a_run(times(1), day=9), source=source)
    (warning,) = judge(head, a_baseline(times(1)), Policy()).warnings
    assert warning == (
        "the working tree has uncommitted changes (uv.lock, a.txt, b.txt and 2 more): this report describes no commit"
    )
    with pytest.raises(ConfigError, match=r"changes \(uv.lock, a.txt, b.txt and 2 more\), so this run would"):
        refuse_to_record(head, allow_estimates=True)


def test_runs_without_a_commit_are_not_listed_as_commits():
    baseline = Baseline(runs=(a_run(times(1), commit=None),))
    assert judge(a_run(times(1), day=9), baseline, Policy()).baseline.commits == ()


def test_runs_given_by_hand_are_split_by_machine_newest_first():
    other = a_machine(fingerprint="ffffffffffff")
    runs = [a_run(day=1), a_run(day=4, machine=other), a_run(day=3), a_run(day=2, machine=other)]
    assert split_by_machine(runs, a_run(day=9)) == Baseline(
        runs=(a_run(day=3), a_run(day=1)), others=(a_run(day=4, machine=other), a_run(day=2, machine=other))
    )


@pytest.mark.parametrize(("bases", "head"), [((1, 2, 1), 9), ((1, 9), 9)], ids=["a base", "the head as a base"])
def test_a_run_given_twice_is_refused_because_it_is_one_session(bases, head):
    run_id = a_run(day=bases[0] if head not in bases else head).run_id
    message = (
        f"Run {run_id} is given twice. One run is one session, and no baseline for itself. "
        "Give each run once, and the head last."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        split_by_machine([a_run(day=day) for day in bases], a_run(day=head))


def test_what_never_counts_as_a_session_is_told_of_a_recorded_run():
    run = a_run(
        times(1),
        a_benchmark(name="stuck", invalid="the server did not start.", trials=some_trials()),
        a_benchmark(name="broken", trials=some_trials(invalid="read_error: x.")),
        a_benchmark(name="short", trials=some_trials([100.0] * 4)),
        a_benchmark(name="single", trials=some_trials([100.0])),
        a_benchmark(name="noisy", noisy="4 of 10 trials are noisy: other processes used 31 %."),
    )
    assert unfit_as_sessions(run) == (
        "stuck: nothing valid was measured",
        "broken: nothing valid was measured",
        "short: 4 valid trials, and fewer than 5 are no session",
        "single: 1 valid trial, and fewer than 5 are no session",
        "noisy: 4 of 10 trials are noisy: other processes used 31 %.",
    )


def test_a_dirty_tree_cannot_be_recorded():
    message = (
        "The working tree has uncommitted changes, so this run would describe no commit. "
        "A baseline must be reproducible. "
        "Commit or stash them first. Untracked files and the baselines themselves don't count."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        refuse_to_record(a_run(dirty=True), allow_estimates=True)


def test_an_estimate_is_recorded_only_where_estimates_may_decide():
    estimated = a_run(meters=GUESS)
    with pytest.raises(MeterUnavailable, match=f"^{re.escape(f'This run cannot be recorded: {DOUBT}')}$"):
        refuse_to_record(estimated, allow_estimates=False)
    refuse_to_record(estimated, allow_estimates=True)
    refuse_to_record(a_run(), allow_estimates=False)


def test_the_same_evidence_always_gives_the_same_report():
    head = a_run(times(1.03), day=9)
    baseline = a_baseline(*[times(1)] * 4)
    assert judge(head, baseline, Policy()) == judge(head, baseline, Policy())
    elsewhere = msgspec.structs.replace(head, source=Source())
    assert judge(elsewhere, baseline, Policy()).comparisons == judge(head, baseline, Policy()).comparisons


UNWRITABLE = "Give another path, or make room and give this user write permission there."


@pytest.fixture
def replayed(tmp_path):
    """Settings of a job that plays five windows of 1 J."""
    (tmp_path / "windows.jsonl").write_text(5 * '{"energy_j": {"package-0": 1}, "duration_s": 1}\n')
    return Settings(
        folder=tmp_path,
        meters=(f"replay:{tmp_path / 'windows.jsonl'}",),
        baselines=str(tmp_path / "baselines"),
        forced=TrialOverrides(count=5, warmup=0),
        save=tmp_path / "saved" / "run.json",
    )


def measure_one(job):
    energy = job.energy("bench.py::test_it", MarkerKeys(), location=None)
    energy(int)
    energy.finish()


def test_a_file_that_cannot_be_written_costs_that_file_and_neither_the_verdict_nor_another_file(replayed, tmp_path):
    save, target, markdown = replayed.save, tmp_path / "reports" / "report.json", tmp_path / "report.md"
    reports = (ReportTarget(format="json", path=target), ReportTarget(format="markdown", path=markdown))
    with open_job(replace(replayed, reports=reports), Surroundings()) as job:
        measure_one(job)
        save.mkdir(parents=True)  # meanwhile somebody made folders of both
        target.mkdir(parents=True)
        finished = job.finish(in_scope=lambda _: True)
    assert finished.report is not None
    assert [row.outcome for row in finished.report.comparisons] == [Outcome.NO_BASELINE]
    assert finished.unwritten == (
        f"Cannot write {save}: Is a directory. {UNWRITABLE}",
        f"Cannot write {target}: Is a directory. {UNWRITABLE}",
    )
    assert finished.exit_code == 2
    assert list(save.parent.iterdir()) == [save]
    assert "bench.py::test_it" in markdown.read_text()


def test_what_is_wrong_with_the_baselines_is_a_warning_and_what_the_store_asks_for_some_day_is_a_note(replayed):
    with open_job(replayed, Surroundings()) as job:
        job.remarks, job.asides = ("this change alters a stored run",), ("the branch is large",)
        measure_one(job)
        report = job.finish(in_scope=lambda _: True).report
    assert (report.warnings, report.notes) == (("this change alters a stored run",), ("the branch is large",))


def test_a_judged_job_shows_energy_in_the_terms_that_the_settings_ask_for(replayed):
    asked = TermsOptions(price="0.24 EUR/kWh", pue=1.2, carbon=StaticCarbon(zone="FR"))
    with open_job(replace(replayed, terms=asked), Surroundings()) as job:
        measure_one(job)
        report = job.finish(in_scope=lambda _: True).report
    assert report.terms == Terms(price_per_kwh=0.24, currency="EUR", pue=1.2, intensity=yearly("FR"))


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_session_that_cannot_be_recorded_is_given_all_the_same_with_what_to_do(replayed, tmp_path, is_saved):
    settings = replace(replayed, mode=Mode.RECORD, save=replayed.save if is_saved else None)
    with open_job(settings, Surroundings()) as job:
        measure_one(job)
        (tmp_path / "baselines").write_text("meanwhile somebody made a file of the folder")
        finished = job.finish(in_scope=lambda _: True)
    assert [len(benchmark.valid) for benchmark in finished.run.benchmarks] == [5]
    assert (finished.stored, finished.unfit, finished.exit_code) == (None, (), 2)
    (sentence,) = finished.unwritten
    assert sentence.startswith(f"Cannot write {tmp_path}/baselines/{finished.run.machine.fingerprint}/")
    assert sentence.endswith(
        f": Not a directory. {UNWRITABLE} Nothing was recorded, and nothing is lost: `energygate baseline record "
        f"{replayed.save}` records what was saved."
        if is_saved
        else f": Not a directory. {UNWRITABLE} Nothing was recorded, and of this session only what is printed is left: "
        "measure again. --energy-save=FILE would keep it, and `energygate baseline record FILE` record it."
    )


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ConfigError("this cannot be measured.")], ids=repr)
def test_whatever_stops_a_job_costs_what_is_still_to_do_and_not_the_run(replayed, stop):
    def stopped():
        with open_job(replayed, Surroundings()) as job:
            measure_one(job)
            raise stop

    with pytest.raises(type(stop)):
        stopped()
    assert [len(benchmark.valid) for benchmark in read_run(replayed.save).benchmarks] == [5]
