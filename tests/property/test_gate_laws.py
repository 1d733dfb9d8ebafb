"""Laws of the whole gate: from the trials of both sides to the outcome."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import NAME, a_baseline, a_benchmark, a_run, a_trial, some_blocks, some_trials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from energygate.compare import CompareRules, compare, compare_interleaved
from energygate.gate import Stage, decide, merge, queue
from energygate.model import Metric, Outcome
from energygate.policy import FAILABLE, Confirm, Policy, Rules
from energygate.samples import samples

# Energies of one benchmark in the field; any positive energy whose trial still has a log.
FIELD_J = st.floats(90, 115)
ANY_J = st.floats(1e-300, 1e300)
# A higher rank is worse. `improved` and `pass` are the proven passes.
RANK = {
    Outcome.IMPROVED: 0,
    Outcome.PASS: 1,
    Outcome.INCONCLUSIVE: 2,
    Outcome.SUSPECT: 3,
    Outcome.REGRESSED: 4,
}
LIMITED = Policy(rules={NAME: Rules(limits={Metric.ENERGY_J: 100.0})})


def law(*strategies):
    """Like `given`, but however slow the machine: the first example also pays for importing scipy."""
    return lambda test: settings(deadline=None, max_examples=60)(given(*strategies)(test))


def trials(energy_j):
    return st.lists(energy_j, min_size=5, max_size=12)


def windows(energy_j):
    return st.lists(trials(energy_j), min_size=1, max_size=6)


def measured(energies_j, *, name=NAME, **counts):
    return a_benchmark(name=name, trials=some_trials(energies_j, **counts))


def decided(heads, sessions, policy):
    compared = compare(a_run(*heads, day=99), a_baseline(*sessions), rules=CompareRules(), limits=policy.limits)
    return decide(compared, policy)


def row_of(head, sessions, policy=None):
    (row,) = decided([head], sessions, policy or Policy())
    return row


def scaled(energies_j, factor):
    return [energy_j * factor for energy_j in energies_j]


def numbers(row):
    names = ("ratio", "ratio_low", "ratio_high", "p_value", "p_adjusted", "detectable")
    return {name: value for name in names if (value := getattr(row, name)) is not None}


def assert_same(one, other):
    assert (one.benchmark, one.metric, one.outcome) == (other.benchmark, other.metric, other.outcome)
    assert numbers(one) == pytest.approx(numbers(other), rel=1e-6)


@law(trials(FIELD_J), windows(FIELD_J), st.floats(1e-6, 1e6))
def test_scaling_every_energy_changes_nothing(head, window, factor):
    plain = row_of(measured(head), [measured(session) for session in window])
    bigger = row_of(measured(scaled(head, factor)), [measured(scaled(session, factor)) for session in window])
    assert_same(bigger, plain)


@law(st.data(), trials(FIELD_J), windows(FIELD_J))
def test_the_order_of_trials_and_sessions_is_irrelevant(data, head, window):
    shuffled = [data.draw(st.permutations(session)) for session in data.draw(st.permutations(window))]
    plain = row_of(measured(head), [measured(session) for session in window])
    other = row_of(measured(data.draw(st.permutations(head))), [measured(session) for session in shuffled])
    assert_same(other, plain)


@law(st.data(), st.lists(st.tuples(trials(FIELD_J), trials(FIELD_J)), min_size=1, max_size=6), st.integers(1, 4))
def test_the_order_of_benchmarks_is_irrelevant(data, benchmarks, k):
    heads = [measured(head, name=f"b{i}") for i, (head, _) in enumerate(benchmarks)]
    session = [measured(base, name=f"b{i}") for i, (_, base) in enumerate(benchmarks)]
    plain = decided(heads, [session] * k, Policy())
    other = decided(data.draw(st.permutations(heads)), [data.draw(st.permutations(session))] * k, Policy())
    for one, same in zip(plain, other, strict=True):
        assert_same(one, same)


@law(trials(FIELD_J), windows(FIELD_J), st.lists(st.floats(0.5, 2.0), min_size=2, max_size=6))
def test_a_larger_head_moves_the_outcome_only_towards_regressed(head, window, factors):
    sessions = [measured(session) for session in window]
    ranks = [RANK[row_of(measured(scaled(head, factor)), sessions).outcome] for factor in sorted(factors)]
    assert ranks == sorted(ranks)


@law(trials(FIELD_J), windows(FIELD_J), st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_a_larger_budget_never_turns_a_pass_into_something_else(head, window, one, other):
    sessions = [measured(session) for session in window]
    narrow = row_of(measured(head), sessions, Policy(budget=min(one, other)))
    wide = row_of(measured(head), sessions, Policy(budget=max(one, other)))
    passed = {Outcome.PASS, Outcome.IMPROVED}
    assert narrow.outcome not in passed or wide.outcome is narrow.outcome


@law(trials(FIELD_J), windows(FIELD_J), st.floats(0.001, 0.05), st.floats(0.001, 0.05))
def test_a_larger_min_effect_never_adds_a_regression(head, window, one, other):
    sessions = [measured(session) for session in window]
    small = row_of(measured(head), sessions, Policy(min_effect=min(one, other)))
    large = row_of(measured(head), sessions, Policy(min_effect=max(one, other)))
    assert large.outcome is not Outcome.REGRESSED or small.outcome is Outcome.REGRESSED


@law(trials(FIELD_J), windows(FIELD_J), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_fewer_false_alarms_never_add_a_regression(head, window, one, other):
    sessions = [measured(session) for session in window]
    strict = row_of(measured(head), sessions, Policy(false_alarms=min(one, other)))
    lax = row_of(measured(head), sessions, Policy(false_alarms=max(one, other)))
    assert strict.outcome is not Outcome.REGRESSED or lax.outcome is Outcome.REGRESSED


@law(st.lists(st.tuples(trials(FIELD_J), windows(FIELD_J)), min_size=1, max_size=4))
def test_holm_never_finds_a_regression_that_bh_does_not(benchmarks):
    heads = [measured(head, name=f"b{i}") for i, (head, _) in enumerate(benchmarks)]
    fewest = min(len(window) for _, window in benchmarks)
    columns = [[measured(each, name=f"b{i}") for each in window] for i, (_, window) in enumerate(benchmarks)]
    sessions = [[column[position] for column in columns] for position in range(fewest)]
    found = {
        adjust: {row.benchmark for row in decided(heads, sessions, Policy(adjust=adjust)) if row.outcome == "regressed"}
        for adjust in ("bh", "holm")
    }
    assert found["holm"] <= found["bh"]


@law(trials(FIELD_J), st.lists(trials(FIELD_J), min_size=1, max_size=2))
def test_fewer_than_three_sessions_never_fail_a_build(head, window):
    row = row_of(measured(head), [measured(session) for session in window])
    assert row.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.SUSPECT}
    assert row.p_adjusted is None


@law(trials(ANY_J), st.integers(1, 10))
def test_a_head_equal_to_every_session_is_never_an_alarm(energies_j, k):
    row = row_of(measured(energies_j), [measured(energies_j)] * k)
    assert row.outcome in {Outcome.PASS, Outcome.INCONCLUSIVE}
    assert row.p_value == pytest.approx(0.5, abs=1e-9)


@law(trials(ANY_J), windows(ANY_J), st.integers(1, 1000), st.integers(0, 100_000), st.integers(0, 100_000))
def test_finite_positive_energies_always_give_an_outcome_and_ordered_bounds(head, window, requests, before, after):
    sessions = [measured(session, requests=requests, output_tokens=before) for session in window]
    limits = {Metric.J_PER_REQUEST: 1.0, Metric.DURATION_S: 1e300}
    policy = Policy(rules={NAME: Rules(limits=limits)})
    rows = decided([measured(head, requests=requests, output_tokens=after)], sessions, policy)
    assert {(row.metric, row.how) for row in rows} >= {
        (Metric.J_PER_REQUEST, "stored"),
        (Metric.J_PER_REQUEST, "limit"),
        (Metric.DURATION_S, "limit"),
    }
    for row in rows:
        assert row.reason
        assert not any(math.isnan(value) for value in (row.head, row.ratio or 1.0))
        assert row.ratio_low is None or 0 <= row.ratio_low <= row.ratio_high <= math.inf
        assert row.p_value is None or 0 <= row.p_value <= (row.p_adjusted or 1) <= 1


@law(trials(FIELD_J), windows(FIELD_J), st.floats(50, 200), st.floats(50, 200))
def test_a_higher_limit_is_never_broken_where_a_lower_one_is_kept(head, window, one, other):
    def outcome(bound):
        policy = Policy(rules={NAME: Rules(limits={Metric.ENERGY_J: bound})})
        rows = decided([measured(head)], [measured(session) for session in window], policy)
        return next(row.outcome for row in rows if row.how == "limit")

    order = [Outcome.OVER_LIMIT, Outcome.INCONCLUSIVE, Outcome.PASS]
    assert order.index(outcome(min(one, other))) <= order.index(outcome(max(one, other)))


@law(trials(FIELD_J), windows(FIELD_J), st.lists(st.floats(0.5, 2.0), min_size=2, max_size=6))
def test_a_larger_head_moves_the_outcome_of_a_limit_only_towards_over_limit(head, window, factors):
    order = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.OVER_LIMIT]
    sessions = [measured(session) for session in window]
    rows = [decided([measured(scaled(head, factor))], sessions, LIMITED) for factor in sorted(factors)]
    ranks = [order.index(next(row.outcome for row in each if row.how == "limit")) for each in rows]
    assert ranks == sorted(ranks)


COUNT = st.integers(1, 10**6)


@law(st.lists(st.tuples(ANY_J, COUNT, COUNT), min_size=1, max_size=12))
def test_in_each_trial_joules_per_request_are_joules_per_token_times_tokens_per_request(done):
    made = [a_trial(energy_j=joules, requests=n, output_tokens=tokens) for joules, n, tokens in done]
    found = samples([a_benchmark(trials=made)], [Metric.ENERGY_J]).logs(
        [Metric.J_PER_REQUEST, Metric.J_PER_OUTPUT_TOKEN, "work:output_tokens"]
    )
    per_request, per_token, tokens = found.T
    np.testing.assert_allclose(per_request - per_token, tokens, rtol=1e-12, atol=1e-12 * np.max(np.abs(found)))


@law(trials(FIELD_J), windows(FIELD_J), st.integers(1, 200), st.integers(1, 200))
def test_changed_work_passes_only_where_each_token_stays_within_the_budget(head, window, before, after):
    sessions = [measured(session, requests=1, output_tokens=before) for session in window]
    rows = decided([measured(head, requests=1, output_tokens=after)], sessions, Policy())
    decides, beside = sorted(rows, key=lambda row: row.metric is Metric.J_PER_OUTPUT_TOKEN)
    assume(abs(math.log(after / before)) > math.log1p(0.01) + 1e-9)
    assert decides.reason.startswith("work changed: ")
    if decides.outcome in {Outcome.PASS, Outcome.IMPROVED}:
        assert beside.ratio_high < 1.05
    alone = row_of(measured(head), [measured(session) for session in window])
    assert decides.outcome is alone.outcome or (RANK[alone.outcome] < 2 and decides.outcome is Outcome.INCONCLUSIVE)


@law(trials(FIELD_J), windows(FIELD_J), st.sampled_from([Policy(), LIMITED]))
def test_an_estimate_that_may_not_decide_is_always_invalid(head, window, policy):
    compared = compare(
        a_run(measured(head), day=99), a_baseline(*map(measured, window)), rules=CompareRules(), limits=policy.limits
    )
    doubtful = decide(compared, policy, estimated="a guess.")
    assert {(row.outcome, row.reason, row.estimated) for row in doubtful} == {(Outcome.INVALID, "a guess.", True)}
    allowed = decide(compared, replace(policy, allow_estimates=True), estimated="a guess.")
    assert [row.outcome for row in allowed] == [row.outcome for row in decide(compared, policy)]


@law(trials(FIELD_J), windows(FIELD_J), st.sampled_from([Policy(), LIMITED]))
def test_noise_is_never_a_verdict(head, window, policy):
    sessions = [measured(session) for session in window]
    noisy = a_benchmark(trials=some_trials(head), noisy="others were busy.")
    for row, quiet in zip(
        sorted(decided([noisy], sessions, policy), key=lambda row: row.how),
        sorted(decided([measured(head)], sessions, policy), key=lambda row: row.how),
        strict=True,
    ):
        assert row.outcome in {Outcome.INCONCLUSIVE, Outcome.SUSPECT}
        assert "others were busy." in (row.reason, *row.notes)
        assert numbers(row) == numbers(quiet)


def blocks(energy_j, *, min_size=5):
    return st.lists(st.tuples(energy_j, energy_j), min_size=min_size, max_size=20)


def paired_row(pairs, policy=None, *, factor=1.0, scale=1.0):
    base, head = zip(*pairs, strict=True)
    (row,) = paired_rows({NAME: (scaled(base, scale), scaled(head, factor * scale))}, policy or Policy())
    return row


def paired_rows(sides, policy):
    made = [
        a_run(*(a_benchmark(name=name, trials=some_blocks(pair[side])) for name, pair in sides.items()), day=side + 1)
        for side in (0, 1)
    ]
    return decide(compare_interleaved(*made, rules=CompareRules(), limits={}), policy)


@law(blocks(FIELD_J), st.floats(1e-6, 1e6))
def test_scaling_every_energy_of_blocks_changes_nothing(pairs, factor):
    assert_same(paired_row(pairs, scale=factor), paired_row(pairs))


@law(st.data(), blocks(FIELD_J))
def test_the_order_of_blocks_is_irrelevant(data, pairs):
    assert_same(paired_row(data.draw(st.permutations(pairs))), paired_row(pairs))


@law(st.data(), st.lists(blocks(FIELD_J), min_size=1, max_size=6), st.sampled_from(["bh", "holm"]))
def test_the_order_of_benchmarks_in_blocks_is_irrelevant(data, benchmarks, adjust):
    sides = {f"b{i}": tuple(zip(*pairs, strict=True)) for i, pairs in enumerate(benchmarks)}
    shuffled = dict(data.draw(st.permutations(list(sides.items()))))
    plain, other = (paired_rows(each, Policy(adjust=adjust)) for each in (sides, shuffled))
    for one, same in zip(plain, other, strict=True):
        assert_same(one, same)


@law(blocks(FIELD_J), st.floats(1.0, 3.0))
def test_swapping_the_sides_of_blocks_turns_regressed_into_improved(pairs, factor):
    base, head = zip(*pairs, strict=True)
    plain = paired_row(pairs, factor=factor)
    swapped = paired_row(list(zip(scaled(head, factor), base, strict=True)))
    assert swapped.ratio == pytest.approx(1 / plain.ratio, rel=1e-9)
    if plain.outcome is Outcome.REGRESSED:
        assert swapped.outcome is Outcome.IMPROVED
    if plain.outcome is Outcome.IMPROVED:
        assert swapped.outcome in {Outcome.REGRESSED, Outcome.PASS}


@law(st.lists(ANY_J, min_size=5, max_size=20))
def test_identical_sides_are_never_an_alarm(energies_j):
    row = paired_row([(each, each) for each in energies_j])
    assert (row.outcome, row.ratio, row.p_value) == (Outcome.PASS, 1.0, 0.5)


@law(blocks(FIELD_J), st.lists(st.floats(0.5, 2.0), min_size=2, max_size=6))
def test_a_larger_head_moves_the_outcome_of_blocks_only_towards_regressed(pairs, factors):
    ranks = [RANK[paired_row(pairs, factor=factor).outcome] for factor in sorted(factors)]
    assert ranks == sorted(ranks)


@law(blocks(FIELD_J), st.floats(0.02, 0.5), st.floats(0.02, 0.5))
def test_a_larger_budget_never_turns_a_pass_of_blocks_into_something_else(pairs, one, other):
    narrow, wide = (paired_row(pairs, Policy(budget=budget)) for budget in sorted((one, other)))
    assert narrow.outcome not in {Outcome.PASS, Outcome.IMPROVED} or wide.outcome is narrow.outcome


@law(blocks(FIELD_J), st.floats(0.001, 0.05), st.floats(0.001, 0.05), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_neither_a_larger_min_effect_nor_fewer_false_alarms_adds_a_regression_of_blocks(pairs, e1, e2, q1, q2):
    lax = paired_row(pairs, Policy(min_effect=min(e1, e2), false_alarms=max(q1, q2)))
    for strict in (
        Policy(min_effect=max(e1, e2), false_alarms=max(q1, q2)),
        Policy(min_effect=min(e1, e2), false_alarms=min(q1, q2)),
    ):
        assert paired_row(pairs, strict).outcome is not Outcome.REGRESSED or lax.outcome is Outcome.REGRESSED


@law(blocks(ANY_J, min_size=1))
def test_finite_positive_blocks_always_give_an_outcome_and_ordered_bounds(pairs):
    row = paired_row(pairs)
    assert row.reason
    assert row.blocks == len(pairs)
    assert (row.ratio_low is None) == (len(pairs) < 5)
    assert row.ratio_low is None or 0 <= row.ratio_low <= row.ratio <= row.ratio_high <= math.inf
    assert row.p_value is None or 0 <= row.p_value <= row.p_adjusted <= 1


@law(st.lists(blocks(FIELD_J), min_size=1, max_size=4))
def test_benchmarks_beside_it_never_make_a_regression_of_blocks_easier_under_holm(benchmarks):
    sides = {f"b{i}": tuple(zip(*pairs, strict=True)) for i, pairs in enumerate(benchmarks)}
    beside = {row.benchmark: row.outcome for row in paired_rows(sides, Policy(adjust="holm"))}
    for i, pairs in enumerate(benchmarks):
        alone = paired_row(pairs, Policy(adjust="holm")).outcome
        assert beside[f"b{i}"] is not Outcome.REGRESSED or alone is Outcome.REGRESSED


@law(
    st.lists(st.tuples(trials(FIELD_J), windows(FIELD_J)), min_size=1, max_size=5),
    st.sampled_from(["suspects", "unresolved", "all"]),
)
def test_the_first_stage_withholds_regressed_alone_and_queues_at_least_what_it_withheld(benchmarks, which):
    fewest = min(len(window) for _, window in benchmarks)
    heads = [measured(head, name=f"b{i}") for i, (head, _) in enumerate(benchmarks)]
    columns = [[measured(each, name=f"b{i}") for each in window] for i, (_, window) in enumerate(benchmarks)]
    sessions = [[column[position] for column in columns] for position in range(fewest)]
    policy = Policy(confirm=Confirm(which=which))
    found = compare(a_run(*heads, day=99), a_baseline(*sessions), rules=CompareRules(), limits={})
    alone, screened = ({row.benchmark: row for row in decide(found, policy, stage=stage)} for stage in Stage)
    suspects = {name for name, row in screened.items() if row.outcome is Outcome.SUSPECT}
    for name, row in screened.items():
        assert row.outcome is not Outcome.REGRESSED
        assert numbers(row) == numbers(alone[name])
        if row.outcome is not Outcome.SUSPECT:
            assert row == alone[name]
    queued = queue(found, policy)
    assert suspects <= set(queued)
    assert [screened[name].p_value for name in queued] == sorted(screened[name].p_value for name in queued)
    assert {row.benchmark for row in merge(tuple(screened.values()), ())} == set(screened)


def test_every_outcome_that_a_comparison_can_have_has_a_rank_or_may_fail():
    assert set(RANK) | set(FAILABLE) == set(Outcome)
