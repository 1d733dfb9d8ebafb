import pytest
from fakes import STEADY_J, a_benchmark, a_run, an_acceptance, some_trials

from energygate.history.sessions import accepted_since, sessions_of
from energygate.history.shifts import Shifts, find_shifts
from energygate.stats.stored import Prior

NAMES = tuple(f"b{i}" for i in range(5))
CANARY = "canary"


def recorded(day, percent=0.0, *, canary=None, accepts=(), names=NAMES):
    """One stored run in which every benchmark uses so many percent more."""
    levels = dict.fromkeys(names, percent) | ({} if canary is None else {CANARY: canary})
    benchmarks = [
        a_benchmark(name=name, trials=some_trials([energy * (1 + level / 100) for energy in STEADY_J]))
        for name, level in levels.items()
    ]
    return a_run(*benchmarks, day=day, accepts=accepts)


def shifts(*runs, canary=None):
    newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
    wanted = {benchmark.name: benchmark for run in newest_first for benchmark in run.benchmarks}
    found = sessions_of(list(wanted.values()), newest_first)
    starts = accepted_since(newest_first)
    return find_shifts(found, prior=Prior(), most=10, canary=canary, starts=starts)


def left_out(*runs, **more):
    return {run.started_at.day for run in runs if run.run_id in shifts(*runs, **more).left_out}


def test_runs_alike_all_count():
    assert shifts(*(recorded(day, 0.5 * (day % 2)) for day in range(1, 9))) == Shifts()


def test_one_run_in_which_everything_used_more_does_not_count():
    runs = [recorded(1), recorded(2), recorded(3, 75), recorded(4)]
    assert (left_out(*runs), shifts(*runs).warnings) == ({3}, ())


def test_two_single_shifts_are_no_new_level():
    runs = [recorded(1), recorded(2, 75), recorded(3), recorded(4, 75), recorded(5)]
    assert left_out(*runs) == {2, 4}


def test_two_shifts_in_different_directions_are_no_new_level():
    assert left_out(recorded(1), recorded(2, 75), recorded(3, -40), recorded(4)) == {2, 3}


def test_a_second_run_shifted_the_same_way_starts_a_new_window_at_the_first_with_a_warning():
    runs = [recorded(1), recorded(2), recorded(3, 75), recorded(4, 75), recorded(5, 75)]
    assert left_out(*runs) == {1, 2}
    assert shifts(*runs).warnings == (
        (
            "stored runs differ by +75.0 % throughout since 2026-11-03 (0123456789ab): the machine, or something that "
            "all benchmarks share, changed. Older runs don't count any more."
        ),
    )


def test_after_a_new_window_the_next_shift_is_found_against_the_new_level():
    runs = [recorded(1), recorded(2, 75), recorded(3, 75), recorded(4, 75), recorded(5, 0), recorded(6, 75)]
    assert left_out(*runs) == {1, 5}


@pytest.mark.parametrize("percent", [2.9, -2.9])
def test_a_small_common_change_is_no_shift(percent):
    assert left_out(recorded(1), recorded(2, percent), recorded(3)) == set()


def test_four_benchmarks_are_too_few_to_tell():
    assert left_out(recorded(1, names=NAMES[:4]), recorded(2, 75, names=NAMES[:4])) == set()


def test_an_increase_that_somebody_accepted_everywhere_is_no_shift():
    accepts = tuple(an_acceptance(benchmark=name) for name in NAMES)
    runs = [recorded(1), recorded(2), recorded(3, 75, accepts=accepts), recorded(4, 75)]
    assert shifts(*runs) == Shifts()


def test_a_canary_that_moved_alone_shifts_the_run():
    runs = [*(recorded(day, canary=0) for day in range(1, 6)), recorded(6, canary=20), recorded(7, canary=0)]
    assert left_out(*runs, canary=CANARY) == {6}
    assert left_out(*runs) == set()


def test_a_canary_needs_three_sessions_before_it():
    runs = [recorded(1, canary=0), recorded(2, canary=0), recorded(3, canary=20)]
    assert left_out(*runs, canary=CANARY) == set()
