import datetime as dt

import numpy as np
import pytest
from fakes import a_benchmark, a_run, an_acceptance, some_trials
from msgspec import structs

from energygate.history.window import WindowRules, windows
from energygate.model import Baseline, Metric, Outcome
from energygate.planting import block_p_values, plant_in_blocks, plant_in_sessions
from energygate.policy import Policy, Rules


def sessions(count=6, *, names=("a", "b"), first_accepts=(), step=1.0):
    """The windows of so many sessions; the newer half uses `step` times as much, which does not cut them."""
    rng = np.random.default_rng(7)

    def measured(name, day):
        level = (step if day > count / 2 else 1) * 100 * np.exp(rng.normal(0, 0.002))
        return a_benchmark(name=name, trials=some_trials((level * np.exp(rng.normal(0, 0.002, 5))).tolist()))

    runs = [
        a_run(*(measured(name, day) for name in names), day=day, accepts=first_accepts if day == 1 else ())
        for day in range(1, count + 1)
    ]
    benchmarks = [a_benchmark(name=name) for name in names]
    return windows(benchmarks, Baseline(runs=tuple(runs)), WindowRules(on=dt.date(2026, 11, 25), min_effect=0.5))


def test_unchanged_sessions_pass_and_large_increases_are_found():
    found = {each.factor: each.outcomes for each in plant_in_sessions(sessions(), Policy())}
    assert found[1.0] == {Outcome.PASS: 12}
    assert found[1.1] == {Outcome.REGRESSED: 12}
    assert list(found) == [1.0, 1.03, 1.05, 1.1]


def test_a_wider_budget_lets_more_through():
    found = {each.factor: each.outcomes for each in plant_in_sessions(sessions(), Policy(budget=0.5))}
    assert found[1.1] == {Outcome.PASS: 12}


def test_a_change_of_level_is_one_only_from_the_smallest_effect_that_the_policy_knows():
    stepped = sessions(10, step=1.06)
    cut, uncut = (
        {each.factor: each.outcomes for each in plant_in_sessions(stepped, Policy(budget=0.08, min_effect=effect))}
        for effect in (0.05, 0.07)
    )
    assert cut[1.0] == {Outcome.IMPROVED: 10, Outcome.PASS: 10}
    assert uncut[1.0] == {Outcome.SUSPECT: 10, Outcome.PASS: 10}


def test_limits_and_a_canary_have_no_part_in_it():
    rules = {"a": Rules(limits={Metric.ENERGY_J: 1.0}), "b": Rules()}
    strict = Policy(rules=rules, canary="a")
    assert plant_in_sessions(sessions(), strict) == plant_in_sessions(sessions(), Policy())


def test_benchmarks_with_too_few_sessions_are_left_out():
    assert all(not each.outcomes for each in plant_in_sessions(sessions(3), Policy()))


def test_an_increase_in_one_of_many_benchmarks_is_no_common_shift():
    names = tuple("abcdefgh")
    found = {each.factor: each.outcomes for each in plant_in_sessions(sessions(5, names=names), Policy())}
    assert found[1.1] == {Outcome.REGRESSED: 40}


def test_what_a_session_accepts_does_not_cut_it():
    accepting = sessions(first_accepts=(an_acceptance(benchmark="a"), an_acceptance(benchmark="b")))
    assert {each.factor: each.outcomes for each in plant_in_sessions(accepting, Policy())}[1.0] == {Outcome.PASS: 12}


def interleaved(seed, *, blocks=12):
    rng = np.random.default_rng(seed)
    trials = some_trials((100 * np.exp(rng.normal(0, 0.005, blocks))).tolist())
    numbered = [structs.replace(trial, block=block) for block, trial in enumerate(trials)]
    return a_run(a_benchmark(trials=numbered), day=seed)


def test_blocks_in_which_nothing_changed_pass_and_what_is_planted_in_them_is_found():
    base, head = interleaved(1), interleaved(2)
    found = {each.factor: each.outcomes for each in plant_in_blocks(base, head, Policy())}
    assert (found[1.0], found[1.1]) == ({Outcome.PASS: 1}, {Outcome.REGRESSED: 1})
    (p_value,) = block_p_values(base, head, Policy())
    (mirrored,) = block_p_values(head, base, Policy())
    assert p_value + mirrored == pytest.approx(1, rel=1e-12)


def test_too_few_blocks_have_no_p_value():
    assert block_p_values(interleaved(1, blocks=4), interleaved(2, blocks=4), Policy()) == ()
