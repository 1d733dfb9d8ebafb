import pytest
from fakes import NAME, a_benchmark, a_run, a_trial
from msgspec import structs

from energygate.interleaving.blocks import is_precise, progress_line, undecided, with_blocks
from energygate.interleaving.by_command import repeats_for
from energygate.measure.interleave import Account, Progressed, Side, Stop
from energygate.measure.requirement import Requirement
from energygate.policy import Confirm, Policy, Rules

# statistics.md 14, vector 6: base / head
BASE = (49.83, 52.38, 51.47, 50.34, 47.92, 47.21, 51.81, 51.25, 47.1, 50.95, 46.54, 51.52, 51.07, 51.47, 49.34, 51.05)
HEAD = (55.23, 55.44, 53.86, 53.86, 52.35, 53.45, 52.15, 54.52, 52.19, 50.5, 50.94, 51.65, 54.9, 50.22, 54.5, 52.8)


def pairs(count, *, base=BASE, head=HEAD):
    def trial(energy_j, block):
        return structs.replace(a_trial(energy_j=energy_j), block=block)

    return [(trial(base[n], n + 1), trial(head[n], n + 1)) for n in range(count)]


@pytest.mark.parametrize(("queued", "stops_at"), [(1, 16), (5, 16), (20, None)])
def test_it_is_precise_when_an_increase_of_the_budget_would_be_found(queued, stops_at):
    found = [n for n in (10, 12, 14, 16) if is_precise(NAME, pairs(n), Policy(), queued=queued)]
    assert found == ([] if stops_at is None else [stops_at])


def test_a_benchmarks_own_budget_says_how_precise_is_enough():
    wide = Policy(rules={NAME: Rules(budget=0.10)})
    assert is_precise(NAME, pairs(10), wide, queued=1)
    assert not is_precise(NAME, pairs(10), Policy(), queued=1)


def test_what_was_found_has_no_say_in_it():
    shifted = [joules * 1.5 for joules in HEAD]
    for n in (10, 12, 14, 16):
        assert is_precise(NAME, pairs(n), Policy(), queued=1) == is_precise(
            NAME, pairs(n, head=shifted), Policy(), queued=1
        )


def an_account(count, stopped):
    account = Account(name=NAME, confirm=Confirm(), max_invalid=0.2, stopped=stopped)
    account.pairs.extend(pairs(count))
    return account


def test_a_run_of_blocks_holds_the_trials_of_its_side_and_the_heads_the_account():
    account = an_account(12, Stop.PRECISE)
    base, head = (with_blocks(a_run(a_benchmark()), [account], side, notes=("seed 7",)) for side in Side)
    assert [trial.total_j for trial in base.benchmarks[0].trials] == list(BASE[:12])
    assert [(trial.block, trial.index) for trial in head.benchmarks[0].trials] == [(n + 1, n) for n in range(12)]
    assert head.benchmarks[0].notes == ("12 blocks measured; stopped because that is precise enough for its budget",)
    assert (base.notes, head.benchmarks[0].noisy) == (("seed 7",), None)


def test_time_that_is_used_up_before_the_fewest_blocks_decides_nothing():
    account = Account(name=NAME, confirm=Confirm(max_minutes=2.0), max_invalid=0.2, stopped=Stop.TIME)
    account.pairs.extend(pairs(8))
    reason = "confirm.max_minutes were used up after 8 of at least 10 blocks. Allow more time."
    assert undecided(account) == reason
    assert with_blocks(a_run(a_benchmark()), [account], Side.HEAD, notes=()).benchmarks[0].noisy == reason
    account.pairs.extend(pairs(2))
    assert undecided(account) is None


@pytest.mark.parametrize(
    ("progressed", "line"),
    [
        ((3, 1, 10, 30, (14.0, 54.0)), "block 3 of 10 to 30, about 14 to 54 s left"),
        ((3, 7, 10, 30, (70.0, 540.0)), "block 3 of 10 to 30, 7 benchmarks, about 1 to 9 min left"),
        ((29, 1, 30, 30, (2.0, 2.0)), "block 29 of 30, about 2 s left"),
        ((12, 0, 12, 12, (0.0, 0.0)), "block 12, the last"),
    ],
)
def test_progress_is_one_line(progressed, line):
    block, active, least, most, left_s = progressed
    assert progress_line(Progressed(block=block, active=active, least=least, most=most, left_s=left_s)) == line


@pytest.mark.parametrize(("duration_s", "repeats"), [(1.0, 1), (0.9, 2), (0.1, 13), (0.0, 1300)])
def test_a_command_is_repeated_only_where_the_meters_need_it(duration_s, repeats):
    assert repeats_for(Requirement(duration_s=1.0), duration_s) == repeats
    assert repeats_for(Requirement(), duration_s) == 1
