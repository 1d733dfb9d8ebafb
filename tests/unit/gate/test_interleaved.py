import pytest
from fakes import NAME, a_benchmark, a_run, some_blocks

from energygate.compare import CompareRules, compare_interleaved
from energygate.gate import Stage, decide
from energygate.model import Metric, Outcome, TrialCounts
from energygate.policy import Policy, Rules

BASE_J = (101.2, 100.4, 99.8, 100.9, 100.1, 103.9, 100.6, 99.5, 100.8, 100.3)
HEAD_J = (104.9, 104.1, 103.2, 104.4, 103.6, 104.8, 109.9, 103.3, 104.7, 103.9)
PAIRS = (
    *((49.83, 55.23), (52.38, 55.44), (51.47, 53.86), (50.34, 53.86), (47.92, 52.35), (47.21, 53.45)),
    *((51.81, 52.15), (51.25, 54.52), (47.1, 52.19), (50.95, 50.5), (46.54, 50.94), (51.52, 51.65)),
    *((51.07, 54.9), (51.47, 50.22), (49.34, 54.5), (51.05, 52.8)),
)


def side(energies_j, *, name=NAME, **more):
    return a_benchmark(name=name, trials=some_blocks(energies_j, **more))


def decided(bases, heads, *, policy=None, stage=Stage.ALONE):
    policy = policy or Policy()
    found = compare_interleaved(a_run(*bases), a_run(*heads, day=2), rules=CompareRules(), limits=policy.limits)
    return decide(found, policy, stage=stage)


def one_row(base, head, *, policy=None, stage=Stage.ALONE):
    (row,) = decided([base], [head], policy=policy, stage=stage)
    return row


# Computed independently with R 4.
def test_an_increase_proven_smaller_than_the_budget_passes_and_is_noted():
    row = one_row(side(BASE_J), side(HEAD_J))
    assert (row.outcome, row.reason) == (Outcome.PASS, "+3.6 %, within the budget of 5 %.")
    assert row.notes[-1] == "an increase of +3.6 % is established, inside the budget"
    assert (row.how, row.blocks, row.sessions) == ("interleaved", 10, 0)
    assert row.trials == TrialCounts(base=10, head=10, invalid=0)
    assert (row.ratio, row.ratio_low, row.ratio_high) == pytest.approx(
        (1.0362374181664467, 1.034854723496539, 1.0376219602884715), rel=1e-12
    )
    assert row.p_value == row.p_adjusted == pytest.approx(1.5614210309566486e-10, rel=1e-9)
    assert row.detectable == pytest.approx(1.0496451139900858, rel=1e-12)


def test_the_same_increase_regressed_where_the_budget_is_smaller():
    row = one_row(side(BASE_J), side(HEAD_J), policy=Policy(budget=0.03))
    assert (row.outcome, row.reason) == (
        Outcome.REGRESSED,
        "+3.6 % against the base in 10 blocks: above the budget of 3 %.",
    )


def test_what_blocks_prove_they_prove_in_the_first_stage_too():
    policy = Policy(budget=0.03)
    assert one_row(side(BASE_J), side(HEAD_J), policy=policy, stage=Stage.SCREEN).outcome is Outcome.REGRESSED


# Computed independently with R 4.
def test_sixteen_noisy_blocks_prove_an_increase_that_might_lie_above_the_budget():
    base, head = zip(*PAIRS, strict=True)
    row = one_row(side(base), side(head))
    assert (row.outcome, row.reason) == (
        Outcome.REGRESSED,
        "+6.0 % against the base in 16 blocks: an increase is proven; not shown to be within the budget of 5 %.",
    )
    assert row.p_value == pytest.approx(1.2945686196e-04, rel=1e-9)
    assert row.ratio_high == pytest.approx(1.082871869391736, rel=1e-12)


def test_swapped_sides_improve():
    row = one_row(side(HEAD_J), side(BASE_J))
    assert (row.outcome, row.reason) == (
        Outcome.IMPROVED,
        "\N{MINUS SIGN}3.5 % against the base in 10 blocks.",
    )


def test_nothing_changed_passes_however_steady():
    row = one_row(side([3.0] * 10), side([3.0] * 10))
    assert (row.outcome, row.ratio, row.p_value) == (Outcome.PASS, 1.0, 0.5)
    row = one_row(side([3.0] * 10), side([3.03] * 10))
    assert (row.outcome, row.ratio_high) == (Outcome.PASS, pytest.approx(1.0112109444410189, rel=1e-12))


NOISY = [100.0, 112.0, 91.0, 108.0, 94.0, 103.0, 110.0, 90.0, 99.0, 106.0]


@pytest.mark.parametrize(
    ("scale", "needed"),
    [
        pytest.param(
            1.0,
            "about 52 blocks would be needed to find +5.0 %. Raise confirm.max_blocks.",
            id="more blocks would do",
        ),
        pytest.param(
            5.0,
            ("no number of blocks that is worth it would find +5.0 %. Quieten the machine, or raise the budget."),
            id="hopeless",
        ),
    ],
)
def test_what_blocks_cannot_tell_says_what_they_could_detect_and_how_many_would_be_needed(scale, needed):
    head = [100 * (each / 100) ** scale for each in NOISY]
    row = one_row(side([100.0] * 10), side(head))
    change, _, rest = row.reason.partition(": ")
    assert (row.outcome, change[0]) == (Outcome.INCONCLUSIVE, "+")
    opening, _, advice = rest.partition(" 10 blocks could detect about ")
    assert opening == "neither within the budget of 5 % nor above it."
    detectable, _, advice = advice.partition("; ")
    assert detectable == f"+{(row.detectable - 1) * 100:.1f} %"
    assert advice == needed


def test_an_increase_that_more_blocks_of_this_precision_would_not_settle_says_so():
    deltas = (-3.9, -2.6, 3.9, 3.25, 0.0, 1.3, -1.95, 2.6, -3.25, 0.65)
    names = ["changed", "b", "c", "d", "e"]
    heads = [side([103.1 + delta for delta in deltas], name="changed")]
    heads += [side([100 + delta / 10 for delta in deltas], name=name) for name in names[1:]]
    row = decided([side([100.0] * 10, name=name) for name in names], heads)[0]
    assert (row.benchmark, row.outcome) == ("changed", Outcome.INCONCLUSIVE)
    assert row.reason == (
        "+3.1 %: neither within the budget of 5 % nor above it. 10 blocks could detect about +4.7 %; it lies too close "
        "to the budget to tell. Raise confirm.min_blocks, or choose another budget."
    )


@pytest.mark.parametrize(("adjust", "outcome"), [("bh", Outcome.REGRESSED), ("holm", Outcome.INCONCLUSIVE)])
def test_the_family_is_every_benchmark_with_five_blocks(adjust, outcome):
    names = ["a", "b", "c"]
    heads = [side([104.0, 115.2, 97.0, 113.8, 102.6, 111.0], name=name) for name in names]
    bases = [side([100.0] * 6, name=name) for name in names]
    alone = one_row(side([100.0] * 6), side([104.0, 115.2, 97.0, 113.8, 102.6, 111.0]))
    few = [side([100.0] * 4, name="few")], [side([150.0] * 4, name="few")]
    rows = decided([*bases, *few[0]], [*heads, *few[1]], policy=Policy(adjust=adjust))
    found = {row.benchmark: row for row in rows}
    assert alone.outcome is Outcome.REGRESSED
    assert [found[name].outcome for name in names] == [outcome] * 3
    assert found["a"].p_adjusted == pytest.approx(alone.p_value * (1 if adjust == "bh" else 3), rel=1e-12)
    assert (found["few"].outcome, found["few"].p_adjusted) == (Outcome.INCONCLUSIVE, None)


# Computed independently with R 4.
def test_work_that_grew_opens_the_reason_and_the_requests_decide():
    base = side([3.40, 3.42, 3.38, 3.41, 3.39, 3.43, 3.40, 3.41], requests=5, output_tokens=320)
    head = side([4.02, 4.05, 3.99, 4.04, 4.00, 4.06, 4.03, 4.01], requests=5, output_tokens=384)
    decides, beside = decided([base], [head])
    assert (decides.metric, decides.outcome, decides.reason) == (
        Metric.J_PER_REQUEST,
        Outcome.REGRESSED,
        (
            "work changed: +20.0 % output tokens per request; J/request +18.3 %, J/token \N{MINUS SIGN}1.5 %. "
            "+18.3 % against the base in 8 blocks: above the budget of 5 %."
        ),
    )
    assert (beside.metric, beside.outcome, beside.how, beside.blocks) == (
        Metric.J_PER_OUTPUT_TOKEN,
        Outcome.REGRESSED,
        "interleaved",
        8,
    )
    decides, _ = decided([head], [base])
    assert decides.outcome is Outcome.IMPROVED
    assert decides.reason.startswith("work changed: \N{MINUS SIGN}16.7 % output tokens per request; ")


def answering(energies_j, *, finish=None, text="a", **counts):
    told = {"inference": {"finish": finish or {"stop": 5}, "work_digest": "w", "output_digest": text}}
    return side(energies_j, conditions=told, requests=5, input_tokens=500, output_tokens=320, **counts)


def test_a_longer_output_is_a_regression_however_cheap_a_token_got():
    base = side([10.0, 10.1, 9.9, 10.0, 10.1, 9.9, 10.0, 10.1], requests=5, output_tokens=100)
    head = side([12.0, 12.2, 11.9, 12.1, 12.0, 11.8, 12.1, 12.0], requests=5, output_tokens=140)
    decides, beside = decided([base], [head])
    assert (decides.outcome, beside.outcome) == (Outcome.REGRESSED, Outcome.REGRESSED)
    assert beside.ratio < 0.9
    assert decides.reason.startswith("work changed: +40.0 % output tokens per request; J/request +20")


def test_a_lost_prefix_cache_is_named_in_the_reason():
    base = answering([3.40, 3.42, 3.38, 3.41, 3.39, 3.43, 3.40, 3.41], cached_input_tokens=450)
    head = answering([5.20, 5.25, 5.18, 5.22, 5.19, 5.24, 5.21, 5.20], cached_input_tokens=0)
    decides, _ = decided([base], [head])
    assert decides.outcome is Outcome.REGRESSED
    assert decides.reason.endswith(
        "Changed besides: input tokens from the prefix cache per request: 90 \N{RIGHTWARDS ARROW} 0."
    )


def test_what_changed_in_answers_that_cost_the_same_is_a_note():
    energies_j = [3.40, 3.42, 3.38, 3.41, 3.39, 3.43, 3.40, 3.41]
    decides, _ = decided([answering(energies_j)], [answering(energies_j[::-1], finish={"length": 5}, text="b")])
    assert decides.outcome is Outcome.PASS
    assert decides.notes == (
        "answers ended by: stop 100 % \N{RIGHTWARDS ARROW} length 100 %",
        "the answers' texts differ, at equal token counts",
    )


def test_a_limit_is_judged_on_the_heads_trials():
    policy = Policy(rules={NAME: Rules(limits={Metric.ENERGY_J: 80.0})})
    rows = decided([side(BASE_J)], [side(HEAD_J)], policy=policy)
    assert [(row.how, row.outcome) for row in rows] == [("limit", Outcome.OVER_LIMIT), ("interleaved", Outcome.PASS)]


def test_noisy_blocks_prove_nothing():
    noisy = a_benchmark(trials=some_blocks(HEAD_J), noisy="others were busy.")
    row = one_row(side(BASE_J), noisy, policy=Policy(budget=0.03))
    assert (row.outcome, row.reason) == (Outcome.INCONCLUSIVE, "others were busy.")


def test_too_few_blocks_are_inconclusive_with_a_ratio_and_no_interval():
    row = one_row(side(BASE_J[:4]), side(HEAD_J[:4]))
    assert (row.outcome, row.blocks, row.ratio_low, row.p_value) == (Outcome.INCONCLUSIVE, 4, None, None)
    assert row.ratio == pytest.approx(1.035, abs=1e-2)
