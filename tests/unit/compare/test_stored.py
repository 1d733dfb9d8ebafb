import math

import pytest
from fakes import (
    NAME,
    STEADY_J,
    a_baseline,
    a_benchmark,
    a_machine,
    a_run,
    a_trial,
    an_acceptance,
    some_trials,
)
from msgspec import structs

from energygate.compare import CompareRules, Obstacle, compare, hard_key_differences, soft_key_differences, too_few
from energygate.model import Baseline, Metric, Outcome, TrialCounts


def compared(head, baseline, *, rules=None, limits=None, **run):
    """Compare one benchmark; `run` goes to the head's run."""
    (comparison,) = compare(a_run(head, day=99, **run), baseline, rules=rules or CompareRules(), limits=limits or {})
    return comparison


def steady(energy_j, **more):
    return a_benchmark(trials=some_trials([energy_j] * 5), **more)


def stored(*runs):
    return Baseline(runs=runs)


def base_of(comparison):
    return round(comparison.primary.base, 6)


def test_a_benchmark_is_compared_with_the_geometric_mean_of_its_sessions():
    found = compared(steady(110), a_baseline(steady(80), steady(125)))
    assert found.obstacle is None
    assert (found.primary.metric, found.sessions) == (Metric.ENERGY_J, 2)
    assert (found.primary.head, found.primary.base) == pytest.approx((110, 100), rel=1e-12)
    assert found.primary.estimate.log_ratio == pytest.approx(math.log(1.1), rel=1e-12)
    assert found.between == pytest.approx(2 * math.log(1.25) ** 2, rel=1e-12)
    assert found.trials == TrialCounts(base=10, head=5, invalid=0)


def test_one_session_has_no_spread():
    assert compared(steady(100), a_baseline(steady(90))).between == 0


def test_the_window_holds_the_newest_sessions_only():
    energies_j = (1, 2, 3, 4, 5)
    found = compared(steady(100), a_baseline(*map(steady, energies_j)), rules=CompareRules(sessions=2))
    assert (found.sessions, base_of(found)) == (2, round(math.sqrt(2), 6))


def test_ten_sessions_are_the_widest_window_unless_told_otherwise():
    assert compared(steady(100), a_baseline(*[steady(90)] * 12)).sessions == 10


def test_a_dirty_tree_is_no_session_and_takes_no_place_in_the_window():
    runs = (a_run(steady(1), day=3, dirty=True), a_run(steady(2), day=2), a_run(steady(2), day=1))
    found = compared(steady(100), stored(*runs), rules=CompareRules(sessions=2))
    assert (found.sessions, base_of(found)) == (2, 2)


def test_a_stored_run_with_four_valid_trials_is_no_session():
    four = a_benchmark(trials=[*some_trials([1] * 4), a_trial(index=4, energy_j=0), *some_trials([1], invalid="x: y")])
    found = compared(steady(100), a_baseline(four, steady(90)))
    assert (found.sessions, base_of(found)) == (1, 90)


def test_an_accepted_increase_cuts_the_window_at_the_run_that_accepts_it():
    runs = (
        a_run(steady(100), day=4),
        a_run(steady(100), day=3, accepts=(an_acceptance(),)),
        a_run(steady(50), day=2),
        a_run(steady(50), day=1, accepts=(an_acceptance(),)),
    )
    found = compared(steady(100), stored(*runs))
    assert (found.sessions, base_of(found)) == (2, 100)


def test_the_acceptance_of_another_benchmark_cuts_nothing_and_its_run_is_of_a_branch():
    accepts = (an_acceptance(benchmark="other"),)
    runs = (a_run(steady(90), day=3), a_run(steady(95), day=2, accepts=accepts), a_run(steady(90), day=1))
    found = compared(steady(100), stored(*runs))
    assert (found.sessions, base_of(found)) == (2, 90)


DIRTY = "every stored run of it has uncommitted changes, and so describes no commit. Record clean ones."


@pytest.mark.parametrize(
    ("accepting", "reason"),
    [
        pytest.param(a_run(steady(100), day=2, dirty=True, accepts=(an_acceptance(),)), DIRTY, id="dirty"),
        pytest.param(
            a_run(a_benchmark(trials=()), day=2, accepts=(an_acceptance(),)),
            "none of the 1 stored runs has 5 valid trials of it, at a clean commit. Record new ones.",
            id="without a valid trial",
        ),
    ],
)
def test_an_accepting_run_that_is_no_session_still_cuts_the_window(accepting, reason):
    found = compared(steady(100), stored(accepting, a_run(steady(50), day=1)))
    assert found.obstacle == Obstacle(outcome=Outcome.NO_BASELINE, reason=reason)


def test_only_where_every_stored_run_is_dirty_the_dirt_alone_is_the_reason():
    runs = [a_run(steady(100), day=2, dirty=True), a_run(steady(100), day=1, dirty=True)]
    assert compared(steady(100), stored(*runs)).obstacle == Obstacle(outcome=Outcome.NO_BASELINE, reason=DIRTY)
    short = a_run(a_benchmark(trials=some_trials([100.0])), day=1)
    assert compared(steady(100), stored(runs[0], short)).obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason="none of the 2 stored runs has 5 valid trials of it, at a clean commit. Record new ones.",
    )


def test_an_accepting_run_with_other_work_still_cuts_the_window():
    accepting = a_run(steady(100, workload="b" * 64), day=2, accepts=(an_acceptance(),))
    found = compared(steady(100), stored(accepting, a_run(steady(50), day=1)))
    assert found.obstacle.outcome is Outcome.INCOMPARABLE


def test_sessions_with_other_work_do_not_count():
    found = compared(steady(100), a_baseline(steady(50, workload="b" * 64), steady(90)))
    assert (found.sessions, base_of(found)) == (1, 90)


def test_a_changed_workload_is_incomparable():
    found = compared(steady(100), a_baseline(steady(100, workload="b" * 64)))
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason=(
            "its definition (prompts, max_tokens, sampling, concurrency; or its command or arguments) was changed "
            "since the stored runs, so they did other work. Record new ones."
        ),
    )
    assert (found.primary.base, found.primary.estimate, found.sessions) == (None, None, 0)


def in_domains(*domains, energy_j=100, **more):
    return a_benchmark(trials=[a_trial(index=i, energy_j=dict.fromkeys(domains, energy_j)) for i in range(5)], **more)


def test_stored_runs_that_count_other_domains_are_incomparable_and_both_are_named():
    found = compared(in_domains("package-0"), stored(a_run(in_domains("package-0", "dram-0"))))
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason="the stored runs and this one count different energy domains (dram-0, package-0 \N{RIGHTWARDS ARROW} "
        "package-0), and their joules cannot be compared. Record new ones.",
    )
    assert (found.sessions, found.primary.base) == (0, None)


def test_a_session_of_other_domains_is_none_beside_sessions_of_the_same():
    runs = (a_run(in_domains("package-0", "dram-0"), day=2), a_run(in_domains("package-0", energy_j=90), day=1))
    found = compared(in_domains("package-0"), stored(*runs))
    assert (found.obstacle, found.sessions, base_of(found)) == (None, 1, 90)
    assert "(other energy domains)" in found.left_out


def test_trials_that_do_not_agree_on_what_they_count_are_comparable_with_nothing():
    mixed = a_benchmark(trials=[*in_domains("package-0", "dram-0").trials, *in_domains("package-0").trials])
    found = compared(mixed, stored(a_run(in_domains("package-0"))))
    assert found.obstacle.outcome is Outcome.INCOMPARABLE
    assert "(package-0 \N{RIGHTWARDS ARROW} dram-0, package-0 or package-0)" in found.obstacle.reason


def test_another_machine_is_incomparable_and_every_key_that_differs_is_named():
    machine = a_machine(hard={"governor": "powersave", "rapl": {"domains": ["package-0"]}, "smt": True})
    elsewhere = a_machine(
        fingerprint="ffffffffffff", hard={"governor": "performance", "rapl": {"domains": ["dram-0"]}, "tdp_w": 225}
    )
    unrelated = a_run(a_benchmark(name="other"), machine=a_machine(fingerprint="eeeeeeeeeeee"))
    baseline = Baseline(others=(unrelated, a_run(steady(100), machine=elsewhere)))
    found = compared(steady(100), baseline, machine=machine)
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason="it was recorded on a different machine or set-up (governor: performance → powersave; "
        "rapl.domains: dram-0 → package-0; smt: absent → on; tdp_w: 225 → absent). Record it on this one.",
    )


H100, A100 = ({"model": f"NVIDIA {name}", "memory_gib": 80, "limit_w": 700} for name in ("H100", "A100"))


@pytest.mark.parametrize(
    ("old", "new", "differences"),
    [
        ({"turbo": True}, {"turbo": False}, ("turbo: on → off",)),
        ({"epp": None}, {"epp": ["balance_power", "power"]}, ("epp: absent → balance_power, power",)),
        (
            {"power_limits_w": {"package-0": [205, 246]}},
            {"power_limits_w": {"package-0": [165, None]}},
            ("power_limits_w.package-0: 205, 246 → 165, absent",),
        ),
        ({"gpus": [A100, H100]}, {"gpus": [H100, H100]}, ("gpus.0.model: NVIDIA A100 → NVIDIA H100",)),
        (
            {"gpus": [H100]},
            {"gpus": [H100, H100]},
            ("gpus.1: absent → model NVIDIA H100, memory_gib 80, limit_w 700",),
        ),
        ({"gpus": []}, {"gpus": [A100]}, ("gpus.0: absent → model NVIDIA A100, memory_gib 80, limit_w 700",)),
        (
            {"meters": {"rapl": {"kind": "counter", "domains": ["package-0", "dram-0"], "constants": {}}}},
            {"meters": {"estimate": {"kind": "estimate", "constants": {"base_w": 0.0, "calibrated": None}}}},
            (
                "meters.estimate: absent → kind estimate, constants base_w 0.0",
                "meters.rapl: kind counter, domains package-0, dram-0 → absent",
            ),
        ),
        (
            {"meters": {"rapl": {"constants": {"virtual": "allow"}}}},
            {"meters": {"rapl": {"constants": {}}}},
            ("meters.rapl.constants.virtual: allow → absent",),
        ),
        ({"gpu_driver": None}, {"gpu_driver": None, "new_key": None}, ()),
    ],
)
def test_differing_keys_are_named_so_that_a_person_can_read_them(old, new, differences):
    elsewhere = a_machine(fingerprint="ffffffffffff", hard=old)
    assert hard_key_differences(a_machine(hard=new), elsewhere) == differences


@pytest.mark.parametrize(
    "baseline",
    [
        pytest.param(Baseline(), id="no run at all"),
        pytest.param(a_baseline(a_benchmark(name="other")), id="other benchmarks"),
        pytest.param(Baseline(others=(a_run(a_benchmark(name="other")),)), id="other benchmarks elsewhere"),
    ],
)
def test_a_benchmark_without_a_baseline_is_told_so(baseline):
    assert compared(steady(100), baseline).obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE, reason="no stored run has it yet. Record one on the main branch."
    )


def test_what_this_change_brings_is_no_baseline_and_named_where_others_are_few():
    merged, brought = a_run(steady(100), day=1), a_run(steady(130), day=2)
    alone = compared(steady(130), Baseline(runs=(brought,), at_base=frozenset()))
    assert alone.obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason="the change under test brings every stored run of it, and no change is its own standard. Record one on "
        "the main branch.",
    )
    both = compared(steady(130), Baseline(runs=(brought, merged), at_base=frozenset({merged.run_id})))
    assert (both.sessions, both.primary.ratio) == (1, pytest.approx(1.3))
    assert both.left_out == f"{brought.run_id} (this change brings it)"
    (warning,) = both.warnings
    assert warning == (
        f"stored run {brought.run_id}: the base revision does not have it, so this change brings it, and it does not "
        "count: no change is its own standard. Record sessions on the main branch."
    )


def test_stored_runs_that_are_unfit_are_no_baseline():
    few = a_benchmark(trials=some_trials([100] * 4))
    found = compared(steady(100), stored(a_run(steady(100), day=2, dirty=True), a_run(few, day=1)))
    assert found.obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason="none of the 2 stored runs has 5 valid trials of it, at a clean commit. Record new ones.",
    )


def test_joules_per_request_need_sessions_that_counted_requests():
    counted = a_benchmark(trials=some_trials(requests=10))
    uncounted = a_baseline(a_benchmark())
    assert compared(counted, uncounted).obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason=(
            "none of the 1 stored runs has 5 valid trials of it that count requests, at a clean commit. "
            "Record new ones."
        ),
    )
    assert compared(counted, a_baseline(a_benchmark(), counted)).sessions == 1
    assert compared(a_benchmark(), a_baseline(counted)).sessions == 1


def test_four_valid_trials_are_too_few_and_still_show_the_ratio():
    found = compared(a_benchmark(trials=some_trials([110] * 4)), a_baseline(steady(100)))
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCONCLUSIVE,
        reason="4 of 5 valid trials: too few for an interval. Raise trials.count.",
    )
    assert (found.primary.head, found.primary.base) == pytest.approx((110, 100), rel=1e-12)
    assert found.primary.estimate is None
    assert too_few(5) is None


def test_a_single_trial_has_a_ratio_and_no_interval():
    found = compared(a_benchmark(trials=some_trials([110])), a_baseline(steady(100)))
    assert found.obstacle.reason == "1 of 5 valid trials: too few for an interval. Raise trials.count."
    assert (found.primary.head, found.primary.estimate) == (pytest.approx(110), None)


def test_a_benchmark_that_failed_is_invalid_with_its_own_reason():
    found = compared(steady(100, invalid="the server did not start."), Baseline())
    assert found.obstacle == Obstacle(outcome=Outcome.INVALID, reason="the server did not start.")


def test_a_benchmark_without_a_trial_is_invalid():
    found = compared(a_benchmark(trials=()), a_baseline(steady(100)))
    assert found.obstacle == Obstacle(outcome=Outcome.INVALID, reason="it measured no trial.")
    assert found.primary is None


def mixed(*, valid, invalid, sentence="read_error: the counter vanished."):
    return a_benchmark(trials=[*some_trials([100] * valid), *some_trials([100] * invalid, invalid=sentence)])


@pytest.mark.parametrize(
    ("valid", "invalid", "max_invalid", "outcome"),
    [
        (8, 2, 0.2, None),
        (7, 3, 0.2, Outcome.INVALID),
        (71, 29, 0.29, None),
        (70, 30, 0.29, Outcome.INVALID),
        (10, 0, 0.0, None),
        (9, 1, 0.0, Outcome.INVALID),
        (6, 2, 0.2, None),  # of six trials two may be replaced, and both were
        (6, 3, 0.2, Outcome.INVALID),
    ],
)
def test_more_invalid_trials_than_allowed_make_the_benchmark_invalid(valid, invalid, max_invalid, outcome):
    head = mixed(valid=valid, invalid=invalid)
    found = compared(head, a_baseline(steady(100)), rules=CompareRules(max_invalid=max_invalid))
    assert (found.obstacle and found.obstacle.outcome) == outcome
    assert found.trials == TrialCounts(base=5, head=valid, invalid=invalid)


def test_the_commonest_reason_is_given():
    reasons = ["suspended: 3 s asleep.", "read_error: first.", "read_error: second."]
    trials = [*some_trials(), *(a_trial(index=9, invalid=reason) for reason in reasons)]
    assert compared(a_benchmark(trials=trials), Baseline()).obstacle == Obstacle(
        outcome=Outcome.INVALID, reason="3 of 8 trials are invalid. read_error: first."
    )


@pytest.mark.parametrize(
    ("trial", "fault"),
    [
        (a_trial(energy_j=0), "0 J is not the energy of any work."),
        (a_trial(energy_j={}), "0 J is not the energy of any work."),
        (a_trial(energy_j=math.nan), "nan J is not the energy of any work."),
        (a_trial(energy_j=math.inf), "inf J is not the energy of any work."),
        (a_trial(energy_j=-1.5), "-1.5 J is not the energy of any work."),
        (a_trial(energy_j={"package-0": 1e308, "dram-0": 1e308}), "inf J is not the energy of any work."),
    ],
    ids=["zero", "no domain", "NaN", "infinite", "negative", "a sum beyond the largest float"],
)
def test_a_trial_whose_energy_has_no_log_is_counted_as_invalid_with_its_value(trial, fault):
    found = compared(a_benchmark(trials=[*some_trials(), trial]), a_baseline(steady(100)))
    assert (found.obstacle, found.trials) == (None, TrialCounts(base=5, head=5, invalid=1))
    assert found.notes == (f"trial 1 does not count: {fault}",)
    assert compared(a_benchmark(trials=[trial]), Baseline()).obstacle.reason == f"1 of 1 trials are invalid. {fault}"


def test_trials_that_served_no_request_have_no_energy_per_request():
    found = compared(a_benchmark(trials=some_trials(requests=0)), Baseline())
    assert found.obstacle == Obstacle(
        outcome=Outcome.INVALID, reason="5 of 5 trials are invalid. 0 requests were counted."
    )


def test_energy_and_duration_are_compared_per_iteration():
    head = a_benchmark(trials=some_trials([300.0] * 5, iterations=3))
    found = compared(head, a_baseline(steady(100)))
    assert (found.primary.head, found.primary.base) == pytest.approx((100, 100), rel=1e-12)
    assert found.domains == pytest.approx({"package-0": 1.0}, rel=1e-12)


def test_domains_are_compared_per_request():
    head = a_benchmark(trials=some_trials([{"package-0": 60.0, "gpu-0": 9.0}] * 5, requests=6))
    found = compared(
        head, a_baseline(a_benchmark(trials=some_trials([{"package-0": 50.0, "gpu-0": 10.0}] * 5, requests=10)))
    )
    assert found.domains == pytest.approx({"package-0": 2.0, "gpu-0": 1.5}, rel=1e-12)


def test_joules_per_token_and_work_are_compared_where_all_trials_count_them():
    tokens = {"requests": 10, "input_tokens": 100, "cached_input_tokens": 50}
    base = a_benchmark(trials=some_trials([100.0] * 5, **tokens, output_tokens=200))
    found = compared(a_benchmark(trials=some_trials([90.0] * 5, **tokens, output_tokens=100)), a_baseline(base))
    assert (found.per_token.head, found.per_token.base) == pytest.approx((0.9, 0.5), rel=1e-12)
    expected = {"input_tokens": 1.0, "output_tokens": 0.5, "cached_input_tokens": 1.0}
    assert found.work == pytest.approx(expected, rel=1e-12)


def test_a_count_that_one_trial_lacks_is_not_imputed():
    trials = [*some_trials(requests=10, output_tokens=20), a_trial(index=5, requests=10)]
    found = compared(a_benchmark(trials=trials), a_baseline(a_benchmark(trials=some_trials(requests=10))))
    assert (found.per_token, found.work) == (None, {})
    assert found.obstacle is None


def test_trials_without_any_answer_lower_the_work_per_request():
    base = a_benchmark(trials=some_trials(requests=10, output_tokens=20))
    trials = [*some_trials(requests=10, output_tokens=20), *some_trials(requests=10, output_tokens=0)]
    found = compared(a_benchmark(trials=trials), a_baseline(base))
    assert (found.per_token, found.work) == (None, {"output_tokens": 0.5})


def test_work_that_the_baseline_never_did_has_an_infinite_ratio():
    base = a_benchmark(trials=some_trials(requests=10, cached_input_tokens=0))
    head = a_benchmark(trials=some_trials(requests=10, cached_input_tokens=5))
    assert compared(head, a_baseline(base)).work == {"cached_input_tokens": math.inf}


def test_a_changed_label_is_noted_after_the_notes_of_the_benchmark():
    head = steady(100, labels={"model": "small", "quant": "q4"}, notes=("2 outliers",))
    found = compared(head, a_baseline(steady(100, labels={"model": "large"}), steady(100)))
    assert found.notes == ("2 outliers", "model: large → small", "quant: absent → q4")


def test_a_trial_that_stands_apart_is_counted_from_one_with_the_invalid_ones_before_it():
    trials = [a_trial(invalid="spike: once."), *some_trials([*STEADY_J, *STEADY_J, 300.0])]
    numbered = [structs.replace(trial, index=index) for index, trial in enumerate(trials)]
    found = compared(a_benchmark(trials=numbered), a_baseline(steady(100)))
    assert found.notes == (
        "1 of 11 trials stands apart (trial 12); kept",
        "tail: rare trials lie far off, which the typical value does not follow",
    )


def test_the_labels_of_a_head_that_measured_nothing_are_not_compared():
    head = a_benchmark(trials=(), invalid="no server answers.", notes=("2 outliers",))
    assert compared(head, a_baseline(steady(100, labels={"model": "large"}))).notes == ("2 outliers",)


def test_a_limit_is_checked_without_a_baseline():
    limits = {NAME: {Metric.ENERGY_J: 50.0, Metric.DURATION_S: 2.0, Metric.J_PER_OUTPUT_TOKEN: 1.0}}
    head = a_benchmark(trials=some_trials([90.0, 100.0, 100.0, 100.0, 115.0], duration_s=4.0))
    energy, duration = compared(head, Baseline(), limits=limits).limits
    assert (energy.metric, energy.limit, energy.mean) == (Metric.ENERGY_J, 50.0, pytest.approx(101, rel=1e-12))
    assert energy.head == pytest.approx((90 * 100**3 * 115) ** 0.2, rel=1e-12)
    assert energy.estimate.log_ratio == pytest.approx(math.log(energy.head / 50), rel=1e-12)
    assert (duration.metric, duration.head) == (Metric.DURATION_S, pytest.approx(4, rel=1e-12))


def test_a_limit_of_too_few_trials_or_of_another_benchmark_is_not_checked():
    few = a_benchmark(trials=some_trials([100] * 4))
    assert compared(few, Baseline(), limits={NAME: {Metric.ENERGY_J: 50.0}}).limits == ()
    assert compared(steady(100), Baseline(), limits={"other": {Metric.ENERGY_J: 50.0}}).limits == ()


def test_benchmarks_are_compared_in_the_order_of_the_head():
    names = ["b", "a", "c"]
    heads = [a_benchmark(name=name, trials=some_trials([100.0] * n)) for name, n in zip(names, (5, 9, 5), strict=True)]
    found = compare(a_run(*heads), a_baseline(heads), rules=CompareRules(), limits={})
    assert [each.benchmark.name for each in found] == names
    assert [each.trials.head for each in found] == [5, 9, 5]


def test_machine_keys_that_differ_are_named_before_and_after():
    old, new = a_machine(soft={"kernel": "6.8", "host": "a"}), a_machine(soft={"kernel": "6.9", "host": "a"})
    assert soft_key_differences(new, old) == ("kernel: 6.8 → 6.9",)
    assert hard_key_differences(new, old) == ()


def test_a_stored_benchmark_that_was_invalid_is_no_session():
    invalid = a_benchmark(trials=some_trials(), invalid="the test failed.")
    (found,) = compare(a_run(a_benchmark()), a_baseline(invalid, a_benchmark()), rules=CompareRules(), limits={})
    assert found.sessions == 1


NOISE = "4 of 10 trials are noisy: other processes used 31 %."


def test_a_stored_benchmark_that_was_noisy_is_no_session():
    found = compared(steady(100), a_baseline(steady(150, noisy=NOISE), steady(100), steady(110, noisy=NOISE)))
    assert (found.sessions, base_of(found)) == (1, 100)


def test_where_every_stored_benchmark_was_noisy_the_reason_is_the_newest_noise():
    found = compared(steady(100), a_baseline(steady(150, noisy=NOISE), steady(110, noisy="another.")))
    assert found.obstacle == Obstacle(
        outcome=Outcome.NO_BASELINE,
        reason=f"it was noisy in every stored run. In the newest, {NOISE} Record quiet ones.",
    )


def test_where_some_stored_benchmarks_were_noisy_quiet_is_among_what_is_missing():
    short = a_benchmark(trials=some_trials([100.0] * 4))
    found = compared(steady(100), a_baseline(short, steady(110, noisy=NOISE)))
    assert found.obstacle.reason == (
        "none of the 2 stored runs has 5 valid trials of it, at a clean commit and on a quiet machine. Record new ones."
    )


def test_stored_runs_that_are_not_among_the_sessions_are_named_with_the_reason():
    runs = (
        a_run(steady(100), day=7),
        a_run(steady(100, noisy="others were busy."), day=6),
        a_run(a_benchmark(name="other"), day=5),
        a_run(steady(100), day=4, dirty=True),
        a_run(steady(100, workload="b" * 64), day=3),
        a_run(steady(100, invalid="no server."), day=2),
        a_run(a_benchmark(trials=some_trials([100.0] * 4)), day=1),
    )
    named = [
        "20261106T031500Z-0000000006 (noisy)",
        "20261104T031500Z-0000000004 (uncommitted changes)",
        "20261103T031500Z-0000000003 (other work)",
        "20261102T031500Z-0000000002 (invalid)",
        "20261101T031500Z-0000000001 (fewer than 5 valid trials)",
    ]
    assert compared(steady(100), stored(*runs[:5])).left_out == ", ".join(named[:3])
    assert compared(steady(100), stored(*runs)).left_out == f"{', '.join(named[:3])} and 2 more"
    assert compared(steady(100), stored(runs[0], *runs[5:])).left_out == ", ".join(named[3:])


def test_no_stored_run_is_left_out_where_as_many_count_as_may():
    runs = (a_run(steady(100), day=2, dirty=True), a_run(steady(100)))
    assert compared(steady(100), stored(*runs), rules=CompareRules(sessions=1)).left_out == ""


def test_a_noisy_head_is_compared_all_the_same():
    found = compared(steady(100, noisy=NOISE), a_baseline(steady(100)))
    assert (found.obstacle, found.benchmark.noisy, found.trials.head) == (None, NOISE, 5)
