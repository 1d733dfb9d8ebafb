from dataclasses import replace

import pytest
from fakes import NAME, STEADY_J, a_baseline, a_benchmark, a_row, a_run, an_acceptance, some_blocks, some_trials

from energygate.compare import CompareRules, compare, compare_interleaved
from energygate.gate import Stage, decide, decided_alone, merge, queue
from energygate.model import Baseline, Metric, Outcome, StoreName
from energygate.policy import Confirm, Policy, Rules

SESSIONS = (100.2, 101.3, 99.3, 100.7)
LEVELS = {"steady": 0, "slow": 12, "slower": 20, "unsure": 2.3, "faster": -20}


def at(percent, *, name=NAME, level=100.0, **more):
    trials = some_trials([energy * level / 100 * (1 + percent / 100) for energy in STEADY_J])
    return a_benchmark(name=name, trials=trials, **more)


def stored(*names, k=4):
    return a_baseline(*([at(0, name=name, level=level) for name in names] for level in SESSIONS[:k]))


def heads(levels):
    return [at(percent, name=name) for name, percent in levels.items()]


def compared(levels, *, k=4, baseline=None, canary=None):
    baseline = stored(*levels, k=k) if baseline is None else baseline
    rules = CompareRules(canary=canary)
    return compare(a_run(*heads(levels), day=29), baseline, rules=rules, limits={})


def which(name, **more):
    return Policy(confirm=Confirm(which=name), **more)


def outcomes(rows):
    return {row.benchmark: row.outcome for row in rows}


def test_with_a_base_to_measure_in_turns_stored_sessions_only_suspect():
    alone = outcomes(decide(compared(LEVELS), Policy()))
    screened = decide(compared(LEVELS), Policy(), stage=Stage.SCREEN)
    assert alone["slower"] is alone["slow"] is Outcome.REGRESSED
    assert outcomes(screened) == alone | {"slower": Outcome.SUSPECT, "slow": Outcome.SUSPECT}
    (row,) = [row for row in screened if row.benchmark == "slower"]
    assert row.reason == (
        "+19.6 %: likely against 4 stored sessions, and to be proven by measuring in turns with the base."
    )


@pytest.mark.parametrize(
    ("name", "queued"),
    [
        ("suspects", ("slower", "slow", "unsure")),
        ("unresolved", ("slower", "slow", "unsure")),
        ("all", ("slower", "slow", "unsure", "steady", "faster")),
    ],
)
def test_what_stored_sessions_suspect_is_measured_again_the_likeliest_first(name, queued):
    assert queue(compared(LEVELS), which(name, budget=0.03)) == queued


def test_a_single_stored_session_screens():
    assert queue(compared({"slow": 12, "steady": -2}, k=1), Policy()) == ("slow",)


@pytest.mark.parametrize(
    ("name", "queued"),
    [
        ("suspects", ("slow",)),
        ("unresolved", ("slow", "steady", "new", "other")),
        ("all", ("slow", "steady", "failed", "new", "other")),
    ],
)
def test_what_could_not_be_judged_is_measured_again_where_it_is_asked_for(name, queued):
    extra = [
        at(0, name="new"),
        at(0, name="other", workload="b" * 64),
        a_benchmark(name="failed", trials=(), invalid="the server did not start."),
    ]
    run = a_run(*heads({"slow": 12, "steady": 0}), *extra, day=29)
    found = compare(run, stored("slow", "steady", "other", "failed", k=1), rules=CompareRules(), limits={})
    assert queue(found, which(name)) == queued


def test_a_session_that_differs_throughout_says_nothing_so_everything_is_measured_again():
    levels = {f"b{i}": 4 + i for i in range(5)}
    found = compared(levels)
    assert {row.outcome for row in decide(found, Policy(), stage=Stage.SCREEN)} == {Outcome.INCONCLUSIVE}
    assert set(queue(found, Policy())) == set(levels)


def test_a_canary_that_moved_says_that_the_machine_changed():
    found = compared({"canary": 12, "slow": 12, "steady": 0}, canary="canary")
    policy = Policy(canary="canary")
    rows = {row.benchmark: row for row in decide(found, policy)}
    assert {row.outcome for row in rows.values()} == {Outcome.INCONCLUSIVE}
    assert rows["steady"].reason == (
        "\N{MINUS SIGN}0.4 %; the canary canary, which no change of the code touches, differs by +11.6 %: the machine "
        "changed. Not judged: measure again, base and head."
    )
    assert set(queue(found, policy)) == set(rows)
    assert outcomes(decide(found, Policy()))["slow"] is Outcome.REGRESSED


def test_a_canary_that_was_not_measured_says_nothing():
    assert outcomes(decide(compared({"slow": 12}), Policy(canary="canary"))) == {"slow": Outcome.REGRESSED}


def test_a_canary_with_two_sessions_says_nothing():
    found = compared({"canary": 12, "steady": -3}, k=2)
    assert outcomes(decide(found, Policy(canary="canary")))["steady"] is Outcome.PASS


def accepted_here(percent):
    accepting = a_run(at(12), day=9, accepts=(an_acceptance(),))
    others = stored(NAME).runs
    return Baseline(runs=(accepting, *others), at_base=frozenset(run.run_id for run in others)), {NAME: percent}


@pytest.mark.parametrize(
    ("percent", "outcome", "reason"),
    [
        (
            9,
            Outcome.PASS,
            (
                "increase of 11.6 % accepted here by alice; \N{MINUS SIGN}2.7 % against the run that shows it, within "
                "the budget of 5 %."
            ),
        ),
        (
            30,
            Outcome.INCONCLUSIVE,
            (
                "increase of 11.6 % accepted here by alice; +16.1 % against the run that shows it. Compare after the "
                "merge, with the sessions that are recorded then."
            ),
        ),
    ],
)
def test_what_the_change_accepts_itself_is_never_an_alarm_and_never_measured_again(percent, outcome, reason):
    baseline, levels = accepted_here(percent)
    found = compared(levels, baseline=baseline)
    (row,) = decide(found, Policy(), stage=Stage.SCREEN)
    assert (row.outcome, row.reason, row.sessions) == (outcome, reason, 1)
    assert queue(found, which("all")) == ()


@pytest.mark.parametrize("percent", [9, 30])
def test_what_all_branches_share_proves_nothing_before_the_merge_even_where_it_fits(percent):
    baseline, levels = accepted_here(percent)
    shared = replace(baseline, at_base=None, store=StoreName(name="git:b", is_shared=True))
    (row,) = decide(compared(levels, baseline=shared), Policy())
    assert (row.outcome, row.sessions) == (Outcome.INCONCLUSIVE, 1)
    assert row.reason.startswith("increase of 11.6 % accepted by alice before the merge; ")
    assert row.reason.endswith("Compare after the merge, with the sessions that are recorded then.")
    assert (row.accepted.by, round(row.accepted.ratio, 2), row.accepted.is_here) == ("alice", 1.12, False)
    assert queue(compared(levels, baseline=shared), which("all")) == ()


def test_readings_that_may_not_decide_are_not_measured_again():
    found = compared(LEVELS)
    assert queue(found, Policy(), estimated="a guess.") == ()
    assert queue(found, Policy(allow_estimates=True), estimated="a guess.") == queue(found, Policy())


def confirmed(levels, *, policy=None):
    blocks = (100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 100.0, 99.7, 100.4, 100.5)

    def side(factors, day):
        made = [
            a_benchmark(name=name, trials=some_blocks([energy * factor for energy in blocks]))
            for name, factor in factors.items()
        ]
        return a_run(*made, day=day)

    base = side(dict.fromkeys(levels, 1.0), 28)
    head = side({name: 1 + percent / 100 for name, percent in levels.items()}, 29)
    return decide(compare_interleaved(base, head, rules=CompareRules(), limits={}), policy or Policy())


def test_the_second_stage_decides_what_it_measured_and_the_first_the_rest():
    screened = decide(compared(LEVELS), Policy(), stage=Stage.SCREEN)
    rows = merge(screened, confirmed({"slower": 20, "slow": 0}))
    assert [(row.benchmark, row.how, row.outcome) for row in rows] == [
        ("slower", "interleaved", Outcome.REGRESSED),
        ("faster", "stored", Outcome.IMPROVED),
        ("unsure", "stored", Outcome.PASS),
        ("steady", "stored", Outcome.PASS),
        ("slow", "interleaved", Outcome.PASS),
    ]
    assert len(rows) == len(LEVELS)


def test_what_was_queued_and_not_decided_stays_a_suspect_and_says_why():
    screened = decide(compared(LEVELS), Policy(), stage=Stage.SCREEN)
    rows = merge(screened, confirmed({"slower": 20}), unconfirmed={"slow": "confirm.max_minutes were used up."})
    (row,) = [row for row in rows if row.benchmark == "slow"]
    assert (row.outcome, row.how) == (Outcome.SUSPECT, "stored")
    assert row.notes == ("not confirmed: confirm.max_minutes were used up.",)


def test_limits_are_those_of_the_first_stage():
    policy = Policy(rules={"slow": Rules(limits={Metric.ENERGY_J: 90.0})})
    found = compare(a_run(at(12, name="slow"), day=29), stored("slow"), rules=CompareRules(), limits=policy.limits)
    screened = decide(found, policy, stage=Stage.SCREEN)
    rows = merge(screened, confirmed({"slow": 0}, policy=policy))
    assert [(row.how, row.outcome) for row in rows] == [
        ("limit", Outcome.OVER_LIMIT),
        ("interleaved", Outcome.PASS),
    ]
    assert rows[0] == next(row for row in screened if row.how == "limit")


def test_joules_per_token_stay_beside_the_row_that_they_belong_to():
    beside = {"metric": Metric.J_PER_OUTPUT_TOKEN, "how": "interleaved"}
    screened = [a_row(benchmark="a"), a_row(benchmark="b", outcome=Outcome.SUSPECT)]
    again = [
        a_row(benchmark="b", outcome=Outcome.REGRESSED, how="interleaved", metric=Metric.J_PER_REQUEST),
        a_row(benchmark="b", outcome=Outcome.REGRESSED, **beside),
    ]
    assert [(row.benchmark, row.metric) for row in merge(screened, again)] == [
        ("b", Metric.J_PER_REQUEST),
        ("b", Metric.J_PER_OUTPUT_TOKEN),
        ("a", Metric.ENERGY_J),
    ]


def test_without_a_second_stage_the_first_stands():
    screened = decide(compared(LEVELS), Policy(), stage=Stage.SCREEN)
    assert merge(screened, ()) == screened


def test_what_has_nothing_to_be_measured_beside_is_decided_by_stored_sessions_and_the_rest_screened():
    screened = decide(compared(LEVELS), Policy(), stage=Stage.SCREEN)
    rows = decided_alone(screened, decide(compared(LEVELS), Policy()), {"slower": "the base does not have it"})
    assert outcomes(rows) == outcomes(screened) | {"slower": Outcome.REGRESSED}
    assert outcomes(rows)["slow"] is Outcome.SUSPECT
    assert rows[0].notes == ("judged by its stored runs alone: the base does not have it",)
    assert len(rows) == len(screened)
