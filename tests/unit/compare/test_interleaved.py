import math

import numpy as np
import pytest
from fakes import a_benchmark, a_machine, a_run, a_trial, some_blocks, some_trials
from msgspec import structs

from energygate.compare import CompareRules, Obstacle, are_paired, compare_interleaved, paired_logs
from energygate.model import Metric, Outcome, TrialCounts
from energygate.stats.location import location
from energygate.stats.paired import paired

BASE_J = (101.2, 100.4, 99.8, 100.9, 100.1, 103.9, 100.6, 99.5, 100.8, 100.3)
HEAD_J = (104.9, 104.1, 103.2, 104.4, 103.6, 104.8, 109.9, 103.3, 104.7, 103.9)


def side(energies_j, **more):
    return a_benchmark(trials=some_blocks(energies_j, **more))


def compared(base, head, *, limits=None, **window):
    (found,) = compare_interleaved(
        a_run(*base), a_run(head, day=2), rules=CompareRules(**window), limits={head.name: limits or {}}
    )
    return found


def obstacle(base, head, **window):
    return compared(base, head, **window).obstacle


def test_trials_of_one_block_are_a_pair():
    found = compared([side(BASE_J)], side(HEAD_J))
    expected = paired(np.log(BASE_J), np.log(HEAD_J))
    assert (found.how, found.blocks, found.sessions, found.obstacle) == ("interleaved", 10, 0, None)
    assert found.trials == TrialCounts(base=10, head=10, invalid=0)
    assert (found.primary.estimate.log_ratio, found.primary.estimate.se) == pytest.approx(
        (expected.log_ratio, expected.se), rel=1e-12
    )
    assert found.primary.ratio == pytest.approx(1.0362374181664467, rel=1e-12)
    typical = [math.exp(location(np.log(side_j)).value) for side_j in (BASE_J, HEAD_J)]
    assert [found.primary.base, found.primary.head] == pytest.approx(typical, rel=1e-12)


def test_the_order_of_trials_in_the_file_is_irrelevant_because_the_block_pairs_them():
    base = a_benchmark(trials=some_blocks(BASE_J)[::-1])
    found, expected = compared([base], side(HEAD_J)), compared([side(BASE_J)], side(HEAD_J))
    assert found.primary.estimate == expected.primary.estimate


def with_trial(energies_j, position, **changes):
    trials = list(some_blocks(energies_j))
    usual = {"index": position, "energy_j": energies_j[position], "block": position + 1}
    trials[position] = a_trial(**(usual | changes))
    return a_benchmark(trials=trials)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"invalid": "read_error: the counter vanished."}, id="invalid"),
        pytest.param({"energy_j": 0.0}, id="zero"),
        pytest.param({"energy_j": -1.0}, id="negative"),
        pytest.param({"energy_j": math.nan}, id="NaN"),
        pytest.param({"energy_j": math.inf}, id="infinite"),
        pytest.param({"block": 4}, id="a block twice"),
    ],
)
@pytest.mark.parametrize("which", ["base", "head"])
def test_a_block_with_a_side_that_does_not_count_does_not_count(which, broken):
    sides = {"base": side(BASE_J), "head": side(HEAD_J)}
    sides[which] = with_trial({"base": BASE_J, "head": HEAD_J}[which], 6, **broken)
    found = compared([sides["base"]], sides["head"])
    kept = [i for i in range(10) if i != 6 and not ("block" in broken and i == 3)]
    expected = paired(np.log(BASE_J)[kept], np.log(HEAD_J)[kept])
    assert (found.obstacle, found.blocks, found.trials.invalid) == (None, len(kept), 10 - len(kept))
    assert found.primary.estimate.log_ratio == pytest.approx(expected.log_ratio, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_fewer_than_five_blocks_are_too_few_and_still_show_the_ratio(n):
    found = compared([side(BASE_J[:n])], side(HEAD_J[:n]))
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCONCLUSIVE,
        reason=f"{n} of 5 valid blocks: too few for an interval. Allow more time.",
    )
    assert (found.primary.estimate, found.blocks) == (None, n)
    assert found.primary.ratio > 1
    assert compared([side(BASE_J[:5])], side(HEAD_J[:5])).obstacle is None


def test_too_many_void_blocks_are_invalid_with_the_commonest_reason():
    trials = [*some_blocks(HEAD_J[:6]), *(a_trial(block=b, invalid=f"timeout: after {b} s.") for b in (7, 8, 9, 10))]
    head = a_benchmark(trials=trials)
    assert obstacle([side(BASE_J)], head) == Obstacle(
        outcome=Outcome.INVALID, reason="4 of 10 blocks are void. timeout: after 7 s."
    )
    assert obstacle([side(BASE_J)], head, max_invalid=0.4) is None


def test_blocks_that_only_one_side_has_are_void():
    assert obstacle([side(BASE_J)], side(HEAD_J[:6])) == Obstacle(
        outcome=Outcome.INVALID, reason="4 of 10 blocks are void. A block needs one trial of either side."
    )


def test_sides_that_count_other_domains_are_incomparable_and_both_are_named():
    trials = [a_trial(energy_j={"package-0": 100.0, "dram-0": 5.0}, block=block) for block in range(1, 11)]
    assert obstacle([a_benchmark(trials=trials)], side(HEAD_J)) == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason="base and head count different energy domains (dram-0, package-0 \N{RIGHTWARDS ARROW} package-0), and "
        "their joules cannot be compared. Measure both with the same meters.",
    )


def test_a_side_that_counted_no_energy_at_all_is_named():
    assert obstacle([side([0.0] * 10)], side(HEAD_J)).reason == (
        "10 of 10 blocks are void. 0 J is not the energy of any work."
    )


def test_nothing_measured_is_invalid():
    assert obstacle([a_benchmark(trials=())], a_benchmark(trials=())) == Obstacle(
        outcome=Outcome.INVALID, reason="it measured no block."
    )


def test_a_side_that_failed_is_named():
    failed = a_benchmark(trials=(), invalid="the server did not start.")
    assert obstacle([failed], side(HEAD_J)).reason == "base: the server did not start."
    assert obstacle([side(BASE_J)], failed).reason == "head: the server did not start."


def test_a_benchmark_that_the_base_lacks_is_new():
    assert obstacle([a_benchmark(name="other")], side(HEAD_J)) == Obstacle(
        outcome=Outcome.NO_BASELINE, reason="the base does not have it: it is new, and has nothing to be compared with."
    )


def test_other_work_cannot_be_compared():
    other = a_benchmark(trials=some_blocks(BASE_J), workload="b" * 64)
    assert obstacle([other], side(HEAD_J)) == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason=(
            "its definition (prompts, max_tokens, sampling, concurrency; or its command or arguments) differs between "
            "base and head, so they did other work and cannot be compared."
        ),
    )


def test_two_machines_cannot_be_interleaved():
    elsewhere = a_machine(fingerprint="ffffffffffff", hard={"governor": "powersave"})
    base, head = a_run(side(BASE_J)), a_run(side(HEAD_J), machine=elsewhere)
    (found,) = compare_interleaved(base, head, rules=CompareRules(), limits={})
    assert found.obstacle == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason=(
            "base and head were measured on different machines or set-ups (governor: performance → powersave). "
            "Measure both on one."
        ),
    )


def test_requests_that_only_the_head_counts_are_no_common_metric():
    assert obstacle([side(BASE_J)], side(HEAD_J, requests=10)) == Obstacle(
        outcome=Outcome.INCOMPARABLE,
        reason="only the head counts requests. Count them on both sides: joules per request need them.",
    )


def test_requests_that_only_the_base_counts_leave_joules():
    found = compared([side(BASE_J, requests=10)], side(HEAD_J))
    assert (found.obstacle, found.primary.metric) == (None, Metric.ENERGY_J)


def test_tokens_that_only_one_side_counts_give_no_joules_per_token():
    counted = side(HEAD_J, requests=10, output_tokens=640)
    found = compared([side(BASE_J, requests=10)], counted)
    assert (found.obstacle, found.per_token.base, found.per_token.estimate, found.work) == (None, None, None, {})


# Computed independently with R 4.
def test_work_energy_and_energy_per_token_are_compared_pair_by_pair():
    base = side([3.40, 3.42, 3.38, 3.41, 3.39, 3.43, 3.40, 3.41], requests=5, output_tokens=320)
    head = side([4.02, 4.05, 3.99, 4.04, 4.00, 4.06, 4.03, 4.01], requests=5, output_tokens=384)
    found = compared([base], head)
    primary, per_token = found.primary.estimate, found.per_token.estimate
    assert (primary.log_ratio, primary.se, primary.df) == pytest.approx(
        (0.1676863125500917, 0.000868886381017, 5), rel=1e-10
    )
    assert primary.p_value == pytest.approx(3.543853974333429e-11, rel=1e-9)
    assert (per_token.log_ratio, per_token.se) == pytest.approx((-0.014635244243862866, primary.se), rel=1e-9)
    assert math.log(found.work["output_tokens"]) == pytest.approx(0.1823215567939546, rel=1e-12)


def test_work_that_only_one_side_does_is_known_from_totals():
    base, head = (side(BASE_J, requests=10, output_tokens=n) for n in (64, 0))
    assert compared([base], head).work == {"output_tokens": 0.0}
    assert compared([head], base).work == {"output_tokens": math.inf}


def test_each_domain_is_compared_where_both_sides_have_it():
    base = side([{"package-0": 50.0, "dram-0": 10.0}] * 5)
    head = side([{"package-0": 60.0, "gpu-0": 9.0}] * 5)
    assert compared([base], head).domains == pytest.approx({"package-0": 1.2}, rel=1e-12)


def test_a_limit_is_checked_on_the_heads_trials():
    found = compared([side(BASE_J)], side(HEAD_J), limits={Metric.ENERGY_J: 100.0})
    (check,) = found.limits
    assert (check.metric, check.limit) == (Metric.ENERGY_J, 100.0)
    assert check.estimate.df == 2
    assert check.head == pytest.approx(found.primary.head, rel=1e-12)


def test_a_side_that_was_noisy_makes_the_comparison_noisy():
    noisy = a_benchmark(trials=some_blocks(BASE_J), noisy="others were busy.")
    assert compared([noisy], side(HEAD_J)).benchmark.noisy == "others were busy."


def test_a_block_that_stands_apart_is_named_and_kept():
    steady = [100.1, 99.8, 100.6, 100.2, 99.9, 100.3, 100.0, 99.7, 100.4, 100.5]
    found = compared([side([100.0] * 10)], side([*steady[:3], 1000 * steady[3], *steady[4:]]))
    assert (found.blocks, found.primary.ratio) == (10, pytest.approx(1.0015, abs=1e-3))
    assert found.notes == (
        "1 of 10 blocks stands apart (block 4); kept",
        "tail: rare blocks lie far off, which the typical value does not follow",
    )


def test_many_blocks_that_stand_apart_are_called_so():
    assert compared([side(BASE_J)], side([*HEAD_J[:3], 1000 * HEAD_J[3], *HEAD_J[4:]])).notes[0] == (
        "many outliers: 3 of 10 blocks stand apart (block 4, 6, 7); kept"
    )


def test_runs_are_paired_only_within_one_interleaving():
    ids = ("20261101T031500Z-0000000001", "20261101T031500Z-0000000002")
    base, head = a_run(side(BASE_J)), a_run(side(HEAD_J), day=2)
    one, two = ([structs.replace(run, interleaving=name) for run in (base, head)] for name in ids)
    (base_of_one, head_of_one), (_, head_of_two) = one, two
    assert are_paired(base_of_one, head_of_one)
    assert not are_paired(base_of_one, head_of_two)
    assert not are_paired(base_of_one, head)
    assert are_paired(base, head)


def test_changed_labels_are_noted():
    base, head = (a_benchmark(trials=some_blocks([100.0] * 5), labels={"model": name}) for name in ("large", "small"))
    assert compared([base], head).notes == ("model: large → small",)


def test_runs_are_paired_only_where_every_trial_of_both_says_its_block():
    blocks, plain = a_run(side(BASE_J)), a_run(a_benchmark())
    mixed = a_run(a_benchmark(trials=[*some_blocks(BASE_J), *some_trials([100.0])]))
    failed = a_run(a_benchmark(trials=(), invalid="the command exited with status 1."))
    assert all(are_paired(*runs) for runs in ((blocks, blocks), (blocks, failed), (failed, blocks), (a_run(), blocks)))
    assert not any(
        are_paired(*runs)
        for runs in ((blocks, plain), (plain, blocks), (blocks, mixed), (failed, failed), (a_run(),) * 2)
    )


def test_the_logs_of_both_sides_are_given_for_the_blocks_that_count():
    base, head = paired_logs(side(BASE_J), with_trial(HEAD_J, 6, energy_j=0.0))
    np.testing.assert_allclose(base, np.log(np.delete(BASE_J, 6)), rtol=1e-12)
    np.testing.assert_allclose(head, np.log(np.delete(HEAD_J, 6)), rtol=1e-12)


def test_benchmarks_are_compared_in_the_order_of_the_head_each_with_its_own_blocks():
    names = ["b", "a", "c"]
    heads = [a_benchmark(name=n, trials=some_blocks(HEAD_J[:k])) for n, k in zip(names, (5, 9, 3), strict=True)]
    bases = [a_benchmark(name=n, trials=some_blocks(BASE_J)) for n in reversed(names)]
    found = compare_interleaved(a_run(*bases), a_run(*heads), rules=CompareRules(max_invalid=0.9), limits={})
    assert [(each.benchmark.name, each.blocks) for each in found] == [("b", 5), ("a", 9), ("c", 3)]
    assert compare_interleaved(a_run(), a_run(), rules=CompareRules(), limits={}) == ()
