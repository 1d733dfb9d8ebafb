from itertools import islice
from random import Random

import pytest
from fakes import a_trial
from fakes_meters import HandClock
from msgspec import structs

from energygate.measure.deadline import Deadline
from energygate.measure.interleave import Account, Interleaving, Progressed, Side, Stop, balanced_orders
from energygate.policy import Confirm

SIX_TO_TWELVE = Confirm(min_blocks=6, max_blocks=12)


class Bench:
    """Measures benchmarks that each take ten seconds a side, and notes what it was asked."""

    def __init__(self, clock, faults=None):
        self.clock = clock
        self.asked = []
        self._faults = faults or {}

    def measure(self, side, block, names):
        self.asked.append((side, block, tuple(names)))
        self.clock.sleep(10.0)
        fault = self._faults.get((side, block))
        marked = {"cpu": {"noisy": fault[1]}} if isinstance(fault, tuple) else {}
        invalid = fault if isinstance(fault, str) else None
        trial = structs.replace(a_trial(invalid=invalid), block=block, conditions=marked)
        return dict.fromkeys(names, trial)


def interleaving(clock, *, confirm=SIX_TO_TWELVE, precise=lambda name, pairs: False, max_invalid=0.2, told=None):
    return Interleaving(
        confirm=confirm,
        max_invalid=max_invalid,
        random=Random(7),
        deadline=Deadline.begin(clock, confirm.max_minutes),
        precise=precise,
        tell=[].append if told is None else told.append,
    )


def an_account(blocks, name="one"):
    return Account(name=name, confirm=blocks.confirm, max_invalid=blocks.max_invalid)


def measured(*names, faults=None, **options):
    clock = HandClock()
    bench, blocks = Bench(clock, faults), interleaving(clock, **options)
    accounts = {name: an_account(blocks, name) for name in names or ("one",)}
    blocks.run(accounts, bench.measure)
    return bench, accounts


def test_of_every_ten_blocks_five_begin_with_either_side_and_the_seed_decides_which():
    def first_sides(seed):
        return [first for first, _ in islice(balanced_orders(Random(seed)), 200)]

    tens = [first_sides(3)[at : at + 10] for at in range(0, 200, 10)]
    assert all(ten.count(Side.BASE) == 5 for ten in tens)
    assert len({tuple(ten) for ten in tens}) > 15
    assert first_sides(3) == first_sides(3) != first_sides(4)


def test_a_block_is_one_trial_of_each_side_in_the_order_that_was_drawn():
    bench, _ = measured()
    sides = [side for side, _, _ in bench.asked]
    drawn = [side for order in islice(balanced_orders(Random(7)), 12) for side in order]
    assert sides == drawn
    assert [block for _, block, _ in bench.asked] == [block for n in range(1, 13) for block in (n, n)]


def test_it_looks_first_after_the_fewest_blocks_and_then_after_every_second():
    looked = []
    _, accounts = measured(precise=lambda name, pairs: looked.append(len(pairs)) or len(pairs) == 10)
    assert looked == [6, 8, 10]
    assert accounts["one"].stopped is Stop.PRECISE
    assert accounts["one"].sentence == "10 blocks measured; stopped because that is precise enough for its budget"


def test_what_is_never_precise_ends_at_the_most_blocks():
    _, accounts = measured()
    assert (
        accounts["one"].sentence == "12 blocks measured; stopped at the most that is measured, 12 (confirm.max_blocks)"
    )


def test_a_benchmark_that_is_precise_enough_is_not_measured_while_others_go_on():
    bench, accounts = measured("quick", "slow", precise=lambda name, pairs: name == "quick" or len(pairs) >= 8)
    assert [names for _, block, names in bench.asked if block in {6, 7}] == [("quick", "slow")] * 2 + [("slow",)] * 2
    assert [len(account.counted) for account in accounts.values()] == [6, 8]


def test_an_invalid_side_voids_its_block_which_is_measured_again():
    faults = {(Side.HEAD, 2): "suspended: the machine slept.", (Side.BASE, 4): "work_failed: no."}
    bench, accounts = measured(faults=faults, precise=lambda name, pairs: True)
    account = accounts["one"]
    assert len(bench.asked) == 2 * 8
    assert account.sentence == (
        "6 blocks measured, 2 more void (head: suspended: the machine slept); "
        "stopped because that is precise enough for its budget"
    )
    heads, bases = account.trials(Side.HEAD), account.trials(Side.BASE)
    assert [trial.block for trial in heads] == [trial.block for trial in bases] == list(range(1, 9))
    assert [trial.invalid for trial in heads if trial.invalid] == ["suspended: the machine slept."]
    assert account.invalid(Side.BASE) is account.invalid(Side.HEAD) is None


def test_more_void_blocks_than_are_repeated_end_it_and_the_commonest_reason_is_given():
    faults = {(Side.BASE, block): "work_failed: no such file." for block in (1, 2, 3)}
    bench, accounts = measured(faults=faults)
    assert len(bench.asked) == 2 * 3
    assert accounts["one"].invalid(Side.BASE) == "3 of 3 blocks are void. work_failed: no such file."
    assert accounts["one"].invalid(Side.HEAD) is None
    assert accounts["one"].sentence == (
        "0 blocks measured, 3 more void (base: work_failed: no such file); stopped because too many blocks are void"
    )


@pytest.mark.parametrize("code", ["gpu_lost", "replay_exhausted"])
def test_what_can_only_fail_again_is_not_repeated(code):
    bench, accounts = measured(faults={(Side.HEAD, 1): f"{code}: gone."})
    assert len(bench.asked) == 2
    assert accounts["one"].invalid(Side.HEAD) == f"1 of 1 blocks are void. {code}: gone."


def test_a_noisy_trial_voids_its_block():
    _, accounts = measured(faults={(Side.HEAD, 2): ("noisy", "others used 30 %.")}, precise=lambda name, pairs: True)
    account = accounts["one"]
    assert account.trials(Side.HEAD)[1].invalid == "noisy: others used 30 %."
    assert (len(account.pairs), account.noisy, account.stopped) == (7, None, Stop.PRECISE)


def test_where_the_machine_is_never_quiet_noisy_blocks_count_and_decide_nothing():
    faults = {(Side.HEAD, block): ("noisy", "others used 30 %.") for block in range(1, 9)}
    bench, accounts = measured(faults=faults, precise=lambda name, pairs: True)
    account = accounts["one"]
    assert len(bench.asked) == 2 * 6
    assert all(trial.invalid is None for trial in account.trials(Side.HEAD))
    assert account.noisy == "6 of 12 trials are noisy: others used 30 %."


def test_time_that_is_used_up_ends_it_between_blocks():
    confirm = Confirm(min_blocks=6, max_blocks=12, max_minutes=1.5)
    bench, accounts = measured(confirm=confirm)
    assert len(bench.asked) == 2 * 5
    assert accounts["one"].sentence == "5 blocks measured; stopped after 1.5 minutes (confirm.max_minutes)"


def test_a_trial_that_time_cut_off_is_no_void_block():
    confirm = Confirm(min_blocks=6, max_blocks=12, max_minutes=0.5)
    _, accounts = measured(confirm=confirm, faults={(Side.HEAD, 2): "work_failed: it was killed."})
    assert (accounts["one"].void, len(accounts["one"].pairs)) == (0, 1)


def test_progress_says_how_many_blocks_there_will_be_and_how_long_they_take():
    told, clock = [], HandClock()
    blocks = interleaving(clock, told=told, precise=lambda name, pairs: len(pairs) >= 8)
    blocks.run({"one": an_account(blocks)}, Bench(clock).measure)
    assert told[0] == Progressed(block=1, active=1, least=6, most=12, left_s=(100.0, 220.0))
    assert told[5] == Progressed(block=6, active=1, least=8, most=12, left_s=(40.0, 120.0))
    assert told[-1] == Progressed(block=8, active=0, least=8, most=8, left_s=(0.0, 0.0))


def test_an_interrupt_leaves_every_block_that_was_complete():
    clock = HandClock()
    blocks = interleaving(clock)
    account = an_account(blocks)
    bench = Bench(clock)

    def measure(side, block, names):
        if len(bench.asked) == 5:
            raise KeyboardInterrupt
        return bench.measure(side, block, names)

    with pytest.raises(KeyboardInterrupt):
        blocks.run({"one": account}, measure)
    assert len(account.trials(Side.BASE)) == len(account.trials(Side.HEAD)) == 2
    assert account.sentence == "2 blocks measured; stopped before it was decided"


def answering(outputs, *, least=6):
    """Give the account of blocks whose heads have answers of these lengths; those of the base are all equal."""
    account = Account(name="one", confirm=Confirm(min_blocks=least, max_blocks=12), max_invalid=0.2)
    asked = {"inference": {"equal_work": {"output_tolerance": 0.02, "prefix_cache": "any"}}}
    for block, output in enumerate(outputs, 1):
        base, head = (a_trial(output_tokens=n, block=block, conditions=asked) for n in (100, output))
        account.add(base, head, lambda pairs: len(pairs) >= least)
        if account.stopped:
            break
    return account


def test_a_block_whose_trial_did_other_work_than_its_side_is_void_and_repeated():
    account = answering([90, 100, 100, 100, 100, 100, 100])
    assert account.sentence.startswith("6 blocks measured, 1 more void (head: work_differs: 90 output tokens, 100 in ")
    assert [trial.invalid for trial in account.trials(Side.BASE)] == [None] * 7
    first, *others = (trial.invalid for trial in account.trials(Side.HEAD))
    assert first.startswith("work_differs: 90 output tokens, 100 in the median trial: ")
    assert others == [None] * 6


def test_sides_may_do_other_work_than_each_other():
    assert answering([150] * 6).void == 0


def test_a_side_whose_answers_never_agree_is_to_blame():
    account = answering([100, 130] * 5)
    assert account.stopped is Stop.INVALID
    assert account.invalid(Side.BASE) is None
    assert account.invalid(Side.HEAD).startswith("6 of 6 blocks are void. work_differs: 100 output tokens, 115 in ")


def test_trials_that_were_measured_before_an_end_came_are_judged_too():
    account = answering([90, 100, 100], least=10)
    assert [trial.invalid is None for trial in account.trials(Side.HEAD)] == [False, True, True]


def test_the_side_with_the_commonest_fault_is_to_blame_however_its_sentences_differ():
    account = Account(name="one", confirm=SIX_TO_TWELVE, max_invalid=0.2)
    faults = [("read_error: once.", None), (None, "work_failed: request 1."), (None, "work_failed: request 2.")]
    for base, head in faults:
        account.add(a_trial(invalid=base), a_trial(invalid=head), lambda pairs: False)
    assert account.invalid(Side.HEAD) == "3 of 3 blocks are void. work_failed: request 1."
    assert account.invalid(Side.BASE) is None
