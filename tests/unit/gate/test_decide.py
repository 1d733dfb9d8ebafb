from itertools import combinations

import pytest
from fakes import NAME, a_baseline, a_benchmark, a_run, some_trials

from energygate.compare import Change, CompareRules, Comparison, compare
from energygate.gate import decide, exit_code, overall
from energygate.model import Location, Metric, Outcome, TrialCounts
from energygate.policy import FAILABLE, Policy, Rules
from energygate.units import parse_percent

SESSIONS_J = (
    (100.1, 99.8, 100.6, 100.2, 99.9),
    (101.3, 100.9, 101.6, 101.1, 101.8),
    (99.2, 98.9, 99.4, 99.6, 99.1),
    (100.7, 100.3, 100.9, 101.2, 100.5),
)
HEAD_J = (105.2, 104.6, 105.4, 105.9, 104.8)
STEADY = [100.0] * 5


def measured(energies_j, *, name=NAME, **counts):
    return a_benchmark(name=name, trials=some_trials(energies_j, **counts))


def steady(energy_j, *, name=NAME):
    return measured([energy_j] * 5, name=name)


def sessions_of(*names, k=4):
    """The stored sessions, each with every benchmark named."""
    return [[measured(energies_j, name=name) for name in names] for energies_j in SESSIONS_J[:k]]


def decided(*heads, sessions, policy=None, missing=(), estimated=None):
    policy = policy or Policy()
    compared = compare(a_run(*heads, day=99), a_baseline(*sessions), rules=CompareRules(), limits=policy.limits)
    return decide(compared, policy, missing=missing, estimated=estimated)


def one_row(head, *, sessions, policy=None):
    (row,) = decided(head, sessions=sessions, policy=policy)
    return row


def verdicts(rows):
    return [(row.benchmark, row.outcome, row.reason) for row in rows]


# Computed independently with R 4 and limma: ratio, ratio_low, ratio_high, p.
@pytest.mark.parametrize(
    ("k", "outcome", "reason", "bounds", "p_value"),
    [
        (
            4,
            Outcome.REGRESSED,
            "+4.8 % against 4 stored sessions: an increase is proven; not shown to be within the budget of 5 %.",
            (1.0205475677652873, 1.0764067300022124),
            0.008165528474360433,
        ),
        (
            3,
            Outcome.REGRESSED,
            "+4.9 % against 3 stored sessions: an increase is proven; not shown to be within the budget of 5 %.",
            (1.0162578974348946, 1.0835908368061526),
            0.016392890815826868,
        ),
        (
            2,
            Outcome.SUSPECT,
            "+4.4 %: 2 stored sessions cannot prove an increase, 3 may. Record more sessions.",
            (1.005007924753622, 1.0849027559304982),
            0.03814550414089662,
        ),
        (
            1,
            Outcome.SUSPECT,
            "+5.1 %: 1 stored session cannot prove an increase, 3 may. Record more sessions.",
            (0.9872455520871561, 1.1178784954530878),
            0.07323023587968501,
        ),
    ],
)
def test_an_increase_can_only_be_proven_by_three_stored_sessions(k, outcome, reason, bounds, p_value):
    row = one_row(measured(HEAD_J), sessions=sessions_of(NAME, k=k))
    assert (row.outcome, row.reason, row.sessions, row.how) == (outcome, reason, k, "stored")
    assert (row.ratio_low, row.ratio_high) == pytest.approx(bounds, rel=1e-12)
    assert row.p_value == pytest.approx(p_value, rel=1e-10)
    assert row.p_adjusted == (row.p_value if k >= 3 else None)
    assert (row.detectable is None) == (k < 3)
    assert row.trials == TrialCounts(base=5 * k, head=5, invalid=0)


def test_an_energy_established_to_be_lower_is_improved():
    row = one_row(steady(90), sessions=sessions_of(NAME))
    assert (row.outcome, row.reason) == (Outcome.IMPROVED, "\N{MINUS SIGN}10.3 % against 4 stored sessions.")


def test_two_sessions_cannot_prove_an_improvement_so_it_passes():
    row = one_row(steady(90), sessions=sessions_of(NAME, k=2))
    assert (row.outcome, row.reason) == (Outcome.PASS, "\N{MINUS SIGN}10.7 %, within the budget of 5 %.")


def test_a_saving_below_min_effect_is_a_pass_however_certain():
    row = one_row(steady(98.2), sessions=[steady(100)] * 10)
    assert row.ratio_high < 1
    assert (row.outcome, row.reason) == (Outcome.PASS, "\N{MINUS SIGN}1.8 %, within the budget of 5 %.")


def test_an_increase_proven_smaller_than_the_budget_passes_and_is_noted():
    row = one_row(measured(HEAD_J), sessions=sessions_of(NAME), policy=Policy(budget=0.1))
    assert (row.outcome, row.reason) == (Outcome.PASS, "+4.8 %, within the budget of 10 %.")
    assert row.notes == ("an increase of +4.8 % is established, inside the budget",)


def test_no_change_at_all_passes_because_the_spread_between_sessions_is_never_taken_as_zero():
    row = one_row(steady(3.0), sessions=[steady(3.0)] * 4)
    assert (row.ratio, row.p_value, row.outcome) == (1.0, 0.5, Outcome.PASS)
    assert row.ratio_low < 1 < row.ratio_high
    assert row.reason == "0.0 %, within the budget of 5 %."


def test_one_percent_more_than_four_equal_sessions_passes():
    row = one_row(steady(3.03), sessions=[steady(3.0)] * 4)
    assert row.ratio == pytest.approx(1.01, rel=1e-12)
    assert (row.outcome, row.reason, row.notes) == (Outcome.PASS, "+1.0 %, within the budget of 5 %.", ())


def test_one_session_can_neither_prove_nor_exclude_a_regression():
    row = one_row(steady(100), sessions=[steady(100)])
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            "0.0 %: neither within the budget of 5 % nor above it. "
            "1 stored session cannot prove an increase, 3 may. Record more sessions."
        ),
    )
    assert row.detectable is None


def test_sessions_that_differ_wildly_cannot_prove_a_regression():
    sessions = [steady(90), steady(100), steady(110)]
    row = one_row(steady(160), sessions=sessions)
    assert row.p_adjusted < 0.05
    assert (row.outcome, row.reason) == (
        Outcome.SUSPECT,
        (
            "+60.5 %: stored sessions differ by 10 % among themselves, more than twice gate.session_sd (1.5 %): "
            "they cannot prove an increase. Quieten the machine, or, if that spread is normal here, set "
            "gate.session_sd: 10%."
        ),
    )
    assert row.detectable is None
    as_told = Policy(session_sd=parse_percent(row.reason.split()[-1].removesuffix(".")))
    assert one_row(steady(160), sessions=sessions, policy=as_told).outcome is Outcome.REGRESSED


def test_sessions_that_differ_wildly_are_told_of_where_nothing_is_proven():
    row = one_row(steady(100), sessions=[steady(90), steady(100), steady(110)])
    assert (row.outcome, row.detectable) == (Outcome.INCONCLUSIVE, None)
    assert row.reason == (
        "+0.3 %: neither within the budget of 5 % nor above it. Stored sessions differ by 10 % among themselves, more "
        "than twice gate.session_sd (1.5 %): they cannot prove an increase. Quieten the machine, or, if that spread is "
        "normal here, set gate.session_sd: 10%."
    )


def test_a_spread_of_more_than_a_hundred_percent_is_suggested_as_a_percentage_that_can_be_set():
    row = one_row(steady(900), sessions=[steady(30), steady(100), steady(330)])
    suggested = row.reason.split()[-1].removesuffix(".")
    assert (suggested, parse_percent(suggested)) == ("120%", pytest.approx(1.2))


def test_the_spread_between_sessions_is_pooled_over_all_benchmarks():
    noisy = [[steady(90), steady(100, name="quiet")], [steady(100), steady(100, name="quiet")]]
    noisy.append([steady(110), steady(100, name="quiet")])
    rows = decided(steady(100), steady(120, name="quiet"), sessions=noisy)
    assert verdicts(rows)[0] == (
        "quiet",
        Outcome.SUSPECT,
        (
            "+20.0 %: stored sessions differ by 7.1 % among themselves, more than twice gate.session_sd (1.5 %): "
            "they cannot prove an increase. Quieten the machine, or, if that spread is normal here, set "
            "gate.session_sd: 7.1%."
        ),
    )


def test_benchmarks_with_fewer_than_three_sessions_take_no_part_in_the_spread():
    sessions = [[steady(90, name="young"), steady(100)], [steady(110, name="young"), steady(100)]]
    sessions += [[steady(100)], [steady(100)]]
    rows = {row.benchmark: row for row in decided(steady(100, name="young"), steady(110), sessions=sessions)}
    assert rows[NAME].outcome is Outcome.REGRESSED
    assert (rows["young"].sessions, rows["young"].p_adjusted) == (2, None)


def test_a_proven_increase_below_min_effect_is_suspect_at_most():
    row = one_row(steady(101.65), sessions=[steady(100)] * 10, policy=Policy(budget=0.02))
    assert (row.outcome, row.reason) == (
        Outcome.SUSPECT,
        "+1.6 %: proven, but below gate.min_effect (2 %).",
    )


def test_an_increase_that_is_likely_and_not_proven_is_suspect():
    heads = [steady(103.2), steady(100, name="other")]
    rows = decided(*heads, sessions=sessions_of(NAME, "other"), policy=Policy(adjust="holm"))
    assert verdicts(rows) == [
        (NAME, Outcome.SUSPECT, "+2.8 %: not proven (adjusted p 0.0861, needed 0.05). Measure again."),
        ("other", Outcome.PASS, "\N{MINUS SIGN}0.4 %, within the budget of 5 %."),
    ]
    assert rows[0].p_adjusted == pytest.approx(2 * rows[0].p_value, rel=1e-12)


def test_an_increase_too_small_to_be_worth_a_second_look_is_inconclusive():
    row = one_row(steady(100.9), sessions=[steady(100)] * 4, policy=Policy(budget=0.02))
    assert row.p_value < 0.25
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            "+0.9 %: neither within the budget of 2 % nor above it. 4 stored sessions could detect +3.6 %. "
            "Record more sessions, or make trials longer."
        ),
    )


@pytest.mark.parametrize(("adjust", "outcome"), [("bh", Outcome.REGRESSED), ("holm", Outcome.SUSPECT)])
def test_bh_lets_two_increases_support_each_other_and_holm_does_not(adjust, outcome):
    heads = [steady(103.2), steady(103.3, name="other")]
    rows = decided(*heads, sessions=sessions_of(NAME, "other"), policy=Policy(adjust=adjust))
    assert [row.outcome for row in rows] == [outcome, outcome]
    least, most = sorted(row.p_value for row in rows)
    expected = most if adjust == "bh" else 2 * least
    assert [row.p_adjusted for row in rows] == pytest.approx([expected, expected], rel=1e-12)


def test_only_benchmarks_with_three_sessions_are_adjusted_for():
    sessions = [[measured(j), steady(100, name="young")] for j in SESSIONS_J[:1]]
    sessions += [[measured(j)] for j in SESSIONS_J[1:]]
    rows = decided(measured(HEAD_J), steady(105, name="young"), sessions=sessions, policy=Policy(adjust="holm"))
    assert verdicts(rows) == [
        (
            NAME,
            Outcome.REGRESSED,
            "+4.8 % against 4 stored sessions: an increase is proven; not shown to be within the budget of 5 %.",
        ),
        (
            "young",
            Outcome.SUSPECT,
            "+5.0 %: 1 stored session cannot prove an increase, 3 may. Record more sessions.",
        ),
    ]
    assert [row.p_adjusted for row in rows] == [rows[0].p_value, None]


def test_a_regression_is_not_masked_by_an_improvement_of_its_neighbour():
    heads = [measured(HEAD_J), steady(90, name="other")]
    rows = decided(*heads, sessions=sessions_of(NAME, "other"))
    assert [(row.benchmark, row.outcome) for row in rows] == [(NAME, Outcome.REGRESSED), ("other", Outcome.IMPROVED)]


SHIFTED = "this session differs by +3.8 % throughout: the machine, or something that all benchmarks share."


def test_a_session_in_which_everything_moved_the_same_way_proves_nothing():
    names = [f"b{i}" for i in range(5)]
    heads = [steady(104 + i / 10, name=name) for i, name in enumerate(names)]
    rows = decided(*heads, sessions=sessions_of(*names))
    assert verdicts(rows) == [
        ("b4", Outcome.INCONCLUSIVE, f"+4.0 %; {SHIFTED} Not judged: measure again, base and head."),
        ("b3", Outcome.INCONCLUSIVE, f"+3.9 %; {SHIFTED} Not judged: measure again, base and head."),
        ("b2", Outcome.INCONCLUSIVE, f"+3.8 %; {SHIFTED} Not judged: measure again, base and head."),
        ("b1", Outcome.INCONCLUSIVE, f"+3.7 %; {SHIFTED} Not judged: measure again, base and head."),
        ("b0", Outcome.INCONCLUSIVE, f"+3.6 %; {SHIFTED} Not judged: measure again, base and head."),
    ]


@pytest.mark.parametrize(
    ("energies_j", "shifted"),
    [
        pytest.param([104.0, 104.1, 104.2, 104.3, 104.4], True, id="all up"),
        pytest.param([96.0, 104.1, 104.2, 104.3, 104.4], True, id="four of five up"),
        pytest.param([96.0, 96.0, 104.2, 104.3, 104.4], False, id="three of five up"),
        pytest.param([103.0, 103.0, 103.0, 103.0, 103.0], False, id="a median below 3 %"),
        pytest.param([96.0, 96.0, 96.0, 96.0, 96.0], True, id="all down"),
        pytest.param([104.0, 104.1, 104.2, 104.3], False, id="four benchmarks"),
    ],
)
def test_five_benchmarks_of_which_four_moved_by_three_percent_are_a_common_shift(energies_j, shifted):
    names = [f"b{i}" for i in range(len(energies_j))]
    heads = [steady(energy_j, name=name) for energy_j, name in zip(energies_j, names, strict=True)]
    rows = decided(*heads, sessions=sessions_of(*names))
    assert ["throughout" in row.reason for row in rows] == [shifted] * len(names)
    assert all(row.outcome is Outcome.INCONCLUSIVE for row in rows) == shifted


# Work: joules of ten requests of 64 tokens, and of 76.8 after a change that makes the model talk more.
SHORT = measured([34.0, 34.2, 33.8, 34.1, 33.9], requests=10, input_tokens=500, output_tokens=640)
LONG_J = (40.2, 40.5, 39.9, 40.4, 40.0)
LONG = measured(LONG_J, requests=10, input_tokens=500, output_tokens=768)
WORDS = "output tokens per request"


def test_a_model_that_talks_more_has_regressed_whatever_each_token_costs():
    decides, beside = decided(LONG, sessions=[SHORT] * 4)
    assert (decides.metric, decides.outcome, decides.reason) == (
        Metric.J_PER_REQUEST,
        Outcome.REGRESSED,
        (
            f"work changed: +20.0 % {WORDS}; J/request +18.2 %, J/token \N{MINUS SIGN}1.5 %. "
            "+18.2 % against 4 stored sessions: above the budget of 5 %."
        ),
    )
    assert decides.work == pytest.approx({"input_tokens": 1.0, "output_tokens": 1.2}, rel=1e-12)
    assert (beside.metric, beside.outcome, beside.reason) == (
        Metric.J_PER_OUTPUT_TOKEN,
        Outcome.REGRESSED,
        "shown beside J/request, which decides.",
    )
    assert beside.ratio == pytest.approx(decides.ratio / 1.2, rel=1e-12)


def test_a_model_that_talks_less_has_improved_where_each_token_stays_within_the_budget():
    decides, beside = decided(SHORT, sessions=[LONG] * 4)
    assert decides.outcome is beside.outcome is Outcome.IMPROVED
    assert decides.reason == (
        f"work changed: \N{MINUS SIGN}16.7 % {WORDS}; J/request \N{MINUS SIGN}15.4 %, J/token +1.5 %. "
        "\N{MINUS SIGN}15.4 % against 4 stored sessions."
    )
    assert beside.ratio_high < 1.05


@pytest.mark.parametrize(
    ("energies_j", "tokens", "change", "costs"),
    [
        pytest.param(
            [34.0, 34.2, 33.8, 34.1, 33.9],
            540,
            "\N{MINUS SIGN}29.7 %",
            "J/request \N{MINUS SIGN}15.4 %, J/token +20.3 %",
            id="improved by J/request",
        ),
        pytest.param(LONG_J, 708, "\N{MINUS SIGN}7.8 %", "J/request 0.0 %, J/token +8.5 %", id="pass by J/request"),
    ],
)
def test_less_work_for_the_same_energy_is_no_proven_pass(energies_j, tokens, change, costs):
    head = measured(energies_j, requests=10, input_tokens=500, output_tokens=tokens)
    rows = decided(head, sessions=[LONG] * 4)
    assert [row.outcome for row in rows] == [Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE]
    assert rows[0].reason == f"work changed: {change} {WORDS}; {costs}. J/token is not proven within the budget."


def test_a_model_that_no_longer_answers_has_not_improved():
    silent = measured([3.0] * 5, requests=10, input_tokens=500, output_tokens=0)
    row = one_row(silent, sessions=[LONG] * 4)
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        (
            f"work changed: \N{MINUS SIGN}100.0 % {WORDS}; J/request \N{MINUS SIGN}92.5 %. "
            "J/token is not proven within the budget."
        ),
    )
    assert row.work == pytest.approx({"input_tokens": 1.0, "output_tokens": 0.0}, rel=1e-12)


def test_a_model_that_answers_for_the_first_time_does_other_work_than_before():
    silent = measured([34.0, 34.2, 33.8, 34.1, 33.9], requests=10, input_tokens=500, output_tokens=0)
    row, *_ = decided(SHORT, sessions=[silent] * 4)
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        "work changed: output tokens where there were none; J/request 0.0 %. J/token is not proven within the budget.",
    )
    assert row.work == {"input_tokens": 1.0}


def test_a_longer_prompt_is_named_as_changed_work():
    longer = measured(LONG_J, requests=10, input_tokens=600, output_tokens=768)
    decides, _ = decided(longer, sessions=[LONG] * 4)
    assert (decides.outcome, decides.reason) == (
        Outcome.PASS,
        (
            "work changed: +20.0 % input tokens per request; J/request 0.0 %, J/token 0.0 %. "
            "0.0 %, within the budget of 5 %."
        ),
    )


def test_one_percent_of_other_work_is_not_a_change():
    slightly = measured(LONG_J, requests=10, input_tokens=500, output_tokens=768 + 7)
    decides, beside = decided(slightly, sessions=[LONG] * 4)
    assert (decides.outcome, decides.reason) == (Outcome.PASS, "0.0 %, within the budget of 5 %.")
    assert (beside.outcome, beside.reason) == (Outcome.PASS, "shown beside J/request, which decides.")


def test_an_unclear_change_of_other_work_says_both():
    head = measured(LONG_J, requests=10, input_tokens=500, output_tokens=640)
    decides, _ = decided(head, sessions=[LONG])
    assert (decides.outcome, decides.reason) == (
        Outcome.INCONCLUSIVE,
        (
            f"work changed: \N{MINUS SIGN}16.7 % {WORDS}; J/request 0.0 %, J/token +20.0 %. "
            "0.0 %: neither within the budget of 5 % nor above it. "
            "1 stored session cannot prove an increase, 3 may. Record more sessions."
        ),
    )


def test_a_benchmark_without_a_baseline_still_shows_its_joules_per_token():
    decides, beside = decided(LONG, sessions=[])
    assert [(row.metric, row.outcome, row.base, row.ratio) for row in (decides, beside)] == [
        (Metric.J_PER_REQUEST, Outcome.NO_BASELINE, None, None),
        (Metric.J_PER_OUTPUT_TOKEN, Outcome.NO_BASELINE, None, None),
    ]
    assert (decides.head, beside.head) == pytest.approx((4.0199, 0.052343), rel=1e-3)


def limited(bound, metric=Metric.ENERGY_J, **more):
    return Policy(rules={NAME: Rules(limits={metric: bound})}, **more)


def limit_row(head, *, sessions=(), policy):
    (row,) = [row for row in decided(head, sessions=sessions, policy=policy) if row.how == "limit"]
    return row


@pytest.mark.parametrize(
    ("bound", "outcome", "reason", "low", "high"),
    [
        (100, Outcome.OVER_LIMIT, "105 J is above the limit of 100 J.", 1.006716185913686, 1.098882000993616),
        (
            105,
            Outcome.INCONCLUSIVE,
            "105 J is above the limit of 105 J, not established. Measure more trials, or record more sessions.",
            0.9587773199177968,
            1.0465542866605875,
        ),
        (
            106,
            Outcome.INCONCLUSIVE,
            "105 J is below the limit of 106 J, not established. Measure more trials, or record more sessions.",
            0.9587773199177968 * 105 / 106,
            1.0465542866605875 * 105 / 106,
        ),
        (
            112,
            Outcome.PASS,
            "105 J is within the limit of 112 J.",
            1.006716185913686 / 1.12,
            0.9811446437443009,
        ),
    ],
)
def test_a_limit_is_judged_without_any_baseline(bound, outcome, reason, low, high):
    row = limit_row(measured(HEAD_J), policy=limited(bound))
    assert (row.outcome, row.reason, row.base) == (outcome, reason, bound)
    assert (row.ratio_low, row.ratio_high) == pytest.approx((low, high), rel=1e-12)
    assert row.ratio == pytest.approx(row.head / bound, rel=1e-12)
    assert (row.p_value, row.sessions, row.trials.head) == (None, 0, 5)


def test_stored_sessions_tell_a_limit_how_much_sessions_vary():
    row = limit_row(measured(HEAD_J), sessions=sessions_of(NAME), policy=limited(100))
    assert (row.ratio_low, row.ratio_high) == pytest.approx((1.0269745633765834, 1.077205158005296), rel=1e-12)
    assert (row.outcome, row.sessions) == (Outcome.OVER_LIMIT, 4)


def test_a_limit_that_only_the_mean_breaks_is_not_passed():
    head = measured([100.0] * 9 + [200.0])
    row = limit_row(head, policy=limited(107))
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        "tail: the typical trial is within the limit of 107 J, the mean of 110 J is not. Look for rare, costly trials.",
    )


def test_every_limit_is_a_row_of_its_own_beside_the_comparison():
    limits = {Metric.J_PER_REQUEST: 3.0, Metric.J_PER_OUTPUT_TOKEN: 0.1}
    rows = decided(LONG, sessions=[LONG] * 4, policy=Policy(rules={NAME: Rules(limits=limits)}))
    assert [(row.metric, row.how, row.outcome, row.reason) for row in rows] == [
        (
            Metric.J_PER_REQUEST,
            "limit",
            Outcome.OVER_LIMIT,
            "4.02 J/request is above the limit of 3.00 J/request.",
        ),
        (
            Metric.J_PER_OUTPUT_TOKEN,
            "limit",
            Outcome.PASS,
            "0.0523 J/token is within the limit of 0.100 J/token.",
        ),
        (Metric.J_PER_REQUEST, "stored", Outcome.PASS, "0.0 %, within the budget of 5 %."),
        (Metric.J_PER_OUTPUT_TOKEN, "stored", Outcome.PASS, "shown beside J/request, which decides."),
    ]


def test_a_limit_on_something_uncounted_is_invalid():
    row = limit_row(steady(100), sessions=[steady(100)], policy=limited(0.35, Metric.J_PER_OUTPUT_TOKEN))
    assert (row.outcome, row.reason, row.head, row.ratio) == (
        Outcome.INVALID,
        (
            "the limit could not be checked: not every trial gives j_per_output_token. "
            "Count what it needs, or remove the limit."
        ),
        None,
        None,
    )


def test_a_limit_is_judged_though_stored_sessions_did_not_count_what_it_needs():
    uncounted = measured(LONG_J, requests=10)
    row = limit_row(LONG, sessions=[uncounted] * 4, policy=limited(0.1, Metric.J_PER_OUTPUT_TOKEN))
    assert (row.outcome, row.reason) == (Outcome.PASS, "0.0523 J/token is within the limit of 0.100 J/token.")


@pytest.mark.parametrize("sessions", [[], [steady(100)]], ids=["without a baseline", "with one"])
def test_a_limit_needs_five_trials(sessions):
    row = limit_row(measured([100.0, 101.0, 99.0]), sessions=sessions, policy=limited(50))
    assert (row.outcome, row.reason) == (
        Outcome.INCONCLUSIVE,
        "the limit could not be checked: 3 of 5 valid trials: too few for an interval. Raise trials.count.",
    )


def test_an_invalid_measurement_can_neither_break_nor_keep_a_limit():
    head = a_benchmark(trials=[*some_trials(), *some_trials(invalid="read_error: the counter vanished.")])
    rows = decided(head, sessions=[], policy=limited(50))
    assert {(row.how, row.outcome, row.reason) for row in rows} == {
        ("stored", Outcome.INVALID, "5 of 10 trials are invalid. read_error: the counter vanished."),
        (
            "limit",
            Outcome.INVALID,
            "the limit could not be checked: 5 of 10 trials are invalid. read_error: the counter vanished.",
        ),
    }


DOUBT = "the readings are an estimate."


def test_an_estimate_decides_nothing():
    rows = decided(measured(HEAD_J), sessions=sessions_of(NAME), policy=limited(100), estimated=DOUBT)
    assert {(row.how, row.outcome, row.reason, row.estimated) for row in rows} == {
        ("stored", Outcome.INVALID, DOUBT, True),
        ("limit", Outcome.INVALID, DOUBT, True),
    }


def test_an_estimate_that_may_decide_is_labelled():
    policy = limited(100, allow_estimates=True)
    rows = decided(measured(HEAD_J), sessions=sessions_of(NAME), policy=policy, estimated=DOUBT)
    assert [(row.how, row.outcome, row.estimated) for row in rows] == [
        ("limit", Outcome.OVER_LIMIT, True),
        ("stored", Outcome.REGRESSED, True),
    ]


def test_a_fault_is_named_before_the_estimate():
    head = a_benchmark(trials=(), invalid="the server did not start.")
    rows = decided(head, sessions=[], policy=limited(100), estimated=DOUBT)
    assert {(row.how, row.outcome, row.reason) for row in rows} == {
        ("stored", Outcome.INVALID, "the server did not start."),
        ("limit", Outcome.INVALID, "the limit could not be checked: the server did not start."),
    }


def test_a_benchmark_that_vanished_is_missing():
    place = Location(file="bench.py", line=3)
    gone = a_benchmark(name="gone", trials=some_trials(requests=1), location=place)
    rows = decided(steady(100), sessions=[steady(100)] * 4, missing=[gone])
    assert [(row.benchmark, row.outcome) for row in rows] == [("gone", Outcome.MISSING), (NAME, Outcome.PASS)]
    assert (rows[0].metric, rows[0].location, rows[0].head, rows[0].base) == (Metric.J_PER_REQUEST, place, None, None)
    assert rows[0].reason == (
        "stored runs have it and this run did not measure it. If it was removed on purpose, record a new baseline."
    )


def test_rows_are_sorted_by_urgency_then_by_change_then_by_name():
    heads = {"small": 105.5, "big": 110.0, "cheap": 90.0, "b": 100.5, "a": 100.5, "new": 100.0}
    stored = sessions_of("small", "big", "cheap", "a", "b")
    rows = decided(*(steady(j, name=name) for name, j in heads.items()), sessions=stored)
    assert [(row.benchmark, row.outcome) for row in rows] == [
        ("big", Outcome.REGRESSED),
        ("small", Outcome.REGRESSED),
        ("new", Outcome.NO_BASELINE),
        ("cheap", Outcome.IMPROVED),
        ("a", Outcome.PASS),
        ("b", Outcome.PASS),
    ]


def test_a_benchmark_has_its_own_budget():
    policy = Policy(rules={NAME: Rules(budget=0.1)})
    rows = decided(measured(HEAD_J), measured(HEAD_J, name="other"), sessions=sessions_of(NAME, "other"), policy=policy)
    assert [(row.benchmark, row.outcome) for row in rows] == [("other", Outcome.REGRESSED), (NAME, Outcome.PASS)]


def test_the_energy_of_each_domain_is_compared():
    head = measured([{"package-0": 60.0, "dram-0": 50.0}] * 5)
    row = one_row(head, sessions=[measured([{"package-0": 50.0, "dram-0": 50.0}] * 5)])
    assert row.domains == pytest.approx({"dram-0": 1.0, "package-0": 1.2}, rel=1e-12)


def test_nothing_to_compare_gives_no_row():
    assert decide((), Policy()) == ()


def test_a_comparison_that_says_neither_why_nor_how_much_is_a_defect_of_the_caller():
    primary = Change(metric=Metric.ENERGY_J, head=1.0)
    for change in (None, primary):
        broken = Comparison(benchmark=steady(100), obstacle=None, trials=TrialCounts(), primary=change)
        with pytest.raises(ValueError, match=r"^bench\.py::test_encode: a comparison has an obstacle or an estimate$"):
            decide([broken], Policy())


CODES = {
    Outcome.REGRESSED: 1,
    Outcome.OVER_LIMIT: 1,
    Outcome.INVALID: 5,
    Outcome.NO_BASELINE: 4,
    Outcome.INCOMPARABLE: 4,
    Outcome.MISSING: 4,
    Outcome.INCONCLUSIVE: 3,
    Outcome.SUSPECT: 3,
}
SEVERITY = (1, 5, 4, 3)


def rows_of(*outcomes):
    """Rows of the outcomes given, as decided."""
    (row,) = decided(steady(100), sessions=[steady(100)] * 4)
    kept = {name: getattr(row, name) for name in row.__struct_fields__}
    return [type(row)(**(kept | {"outcome": outcome})) for outcome in outcomes]


@pytest.mark.parametrize("outcome", FAILABLE)
def test_an_outcome_fails_only_where_policy_fails_on_it(outcome):
    rows = rows_of(outcome, Outcome.PASS)
    others = [other for other in FAILABLE if other is not outcome]
    assert (exit_code(rows, [outcome]), exit_code(rows, others), exit_code(rows, [])) == (CODES[outcome], 0, 0)


@pytest.mark.parametrize(("one", "other"), list(combinations(FAILABLE, 2)))
def test_the_worst_failing_outcome_gives_the_exit_code(one, other):
    expected = min((CODES[one], CODES[other]), key=SEVERITY.index)
    assert exit_code(rows_of(one, other), FAILABLE) == exit_code(rows_of(other, one), FAILABLE) == expected
    assert exit_code(rows_of(one, other), [one]) == CODES[one]


def test_a_run_that_measured_nothing_of_what_it_should_has_measured_nothing_valid():
    assert exit_code(rows_of(Outcome.MISSING, Outcome.MISSING), []) == exit_code([], []) == 5


@pytest.mark.parametrize("others", [(), (Outcome.INVALID,), (Outcome.MISSING,)])
def test_a_run_of_which_nothing_is_valid_ends_with_5_whatever_policy_fails_on(others):
    rows = rows_of(Outcome.INVALID, *others)
    assert (exit_code(rows, [Outcome.REGRESSED]), overall(rows, 5)) == (5, "failed")


def test_passes_and_improvements_end_with_0():
    rows = rows_of(Outcome.PASS, Outcome.IMPROVED)
    assert (exit_code(rows, FAILABLE), overall(rows, 0)) == (0, "passed")


def test_a_run_without_any_benchmark_ends_with_5():
    assert (exit_code([], FAILABLE), overall([], 5)) == (5, "failed")


@pytest.mark.parametrize("outcome", FAILABLE)
def test_what_does_not_fail_and_is_no_proven_pass_leaves_the_whole_inconclusive(outcome):
    rows = rows_of(Outcome.PASS, outcome)
    assert (overall(rows, exit_code(rows, [])), overall(rows, exit_code(rows, [outcome]))) == ("inconclusive", "failed")


NOISE = "4 of 10 trials are noisy: other processes used 31 %. Measure on a runner that does nothing else."


def noisy(energies_j, *, name=NAME, **more):
    return a_benchmark(name=name, trials=some_trials(energies_j), noisy=NOISE, **more)


@pytest.mark.parametrize(
    ("energies_j", "quiet"), [(STEADY, Outcome.PASS), ([90.0] * 5, Outcome.IMPROVED), (HEAD_J, Outcome.REGRESSED)]
)
def test_what_others_used_neither_passes_nor_fails_a_benchmark(energies_j, quiet):
    sessions = sessions_of(NAME)
    assert one_row(measured(energies_j), sessions=sessions).outcome is quiet
    row = one_row(noisy(energies_j), sessions=sessions)
    assert (row.outcome, row.reason, row.notes) == (Outcome.INCONCLUSIVE, NOISE, ())
    assert (row.ratio, row.p_value) == tuple(
        getattr(one_row(measured(energies_j), sessions=sessions), name) for name in ("ratio", "p_value")
    )


@pytest.mark.parametrize(("k", "outcome"), [(2, Outcome.SUSPECT), (3, Outcome.INCONCLUSIVE)])
def test_what_was_not_proven_anyway_keeps_its_reason_and_is_noted_to_be_noisy(k, outcome):
    energies_j = HEAD_J if k == 2 else [100.0, 92.0, 109.0, 95.0, 105.0]
    quiet = one_row(measured(energies_j), sessions=sessions_of(NAME, k=k))
    row = one_row(noisy(energies_j), sessions=sessions_of(NAME, k=k))
    assert (row.outcome, row.reason, row.notes) == (outcome, quiet.reason, (NOISE,))
    assert quiet.outcome is outcome


@pytest.mark.parametrize(
    ("head", "sessions", "outcome"),
    [
        (noisy(STEADY, invalid="the server did not start."), [steady(100)], Outcome.INVALID),
        (noisy(STEADY), [], Outcome.NO_BASELINE),
        (noisy(STEADY, workload="b" * 64), [steady(100)], Outcome.INCOMPARABLE),
    ],
)
def test_where_there_is_nothing_to_judge_the_numbers_are_noted_to_be_noisy_all_the_same(head, sessions, outcome):
    row = one_row(head, sessions=sessions)
    assert (row.outcome, row.notes) == (outcome, (NOISE,))
    assert row.reason != NOISE


def test_sessions_before_a_level_that_rose_are_left_out_with_that_reason():
    sessions = [*[steady(factor) for factor in (120.2, 119.9)], *[steady(100 + i / 10) for i in range(8)]]
    reason = one_row(steady(160), sessions=sessions).reason
    assert "left out: 20261108T031500Z-0000000008 (before the level rose), " in reason


def test_too_few_sessions_are_explained_by_what_was_left_out_of_them():
    sessions = [noisy(SESSIONS_J[0]), *sessions_of(NAME, k=2)]
    assert one_row(measured(HEAD_J), sessions=sessions).reason == (
        "+4.4 %: 2 stored sessions cannot prove an increase, 3 may; left out: 20261103T031500Z-0000000003 (noisy). "
        "Record more sessions."
    )


def test_noise_can_neither_break_nor_keep_a_limit():
    for bound in (50, 500):
        row = limit_row(noisy(STEADY), policy=limited(bound))
        assert (row.outcome, row.reason) == (Outcome.INCONCLUSIVE, NOISE)


def test_a_limit_that_was_not_established_anyway_is_noted_to_be_noisy():
    quiet = limit_row(measured(HEAD_J), policy=limited(105))
    row = limit_row(noisy(HEAD_J), policy=limited(105))
    assert (row.outcome, row.reason, row.notes) == (Outcome.INCONCLUSIVE, quiet.reason, (NOISE,))


def test_an_estimate_that_may_not_decide_is_named_before_the_noise():
    rows = decided(noisy(STEADY), sessions=sessions_of(NAME), policy=limited(100), estimated=DOUBT)
    assert {(row.outcome, row.reason, row.notes) for row in rows} == {(Outcome.INVALID, DOUBT, (NOISE,))}


def test_noisy_benchmarks_do_not_help_to_convict_a_quiet_one():
    names = ["quiet", "steady", "n1", "n2", "n3"]
    heads = [measured(HEAD_J, name="quiet"), steady(100, name="steady")]
    alone = decided(*heads, sessions=sessions_of(*names))
    beside = decided(*heads, *(noisy([150.0] * 5, name=name) for name in names[2:]), sessions=sessions_of(*names))
    p_adjusted = [{row.benchmark: row.p_adjusted for row in rows}["quiet"] for rows in (alone, beside)]
    assert p_adjusted[0] == p_adjusted[1]


def test_noisy_benchmarks_do_not_break_a_shift_that_all_quiet_ones_have():
    names = [f"b{i}" for i in range(8)]
    heads = [
        *(steady(108, name=name) for name in names[:6]),
        *(noisy([90.0] * 5, name=name) for name in names[6:]),
    ]
    rows = decided(*heads, sessions=sessions_of(*names))
    assert {row.outcome for row in rows} == {Outcome.INCONCLUSIVE}
    shifted = "this session differs by +7.6 % throughout: the machine, or something that all benchmarks share."
    assert {row.reason for row in rows if row.benchmark in names[:6]} == {
        f"+7.6 %; {shifted} Not judged: measure again, base and head."
    }


def test_noisy_benchmarks_that_moved_alike_do_not_excuse_a_quiet_regression():
    names = ["quiet", "still", *(f"n{i}" for i in range(6))]
    heads = [
        steady(115, name="quiet"),
        steady(100, name="still"),
        *(noisy([108.0] * 5, name=name) for name in names[2:]),
    ]
    rows = decided(*heads, sessions=sessions_of(*names))
    assert [(row.benchmark, row.outcome) for row in rows if row.benchmark in {"quiet", "still"}] == [
        ("quiet", Outcome.REGRESSED),
        ("still", Outcome.PASS),
    ]
