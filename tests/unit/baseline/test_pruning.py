import datetime as dt
from pathlib import Path

import pytest
from fakes import FIRST_DAY, NAME, a_benchmark, a_machine, a_run, an_acceptance
from msgspec import structs

from energygate.baseline.base import StoredRun
from energygate.baseline.pruning import Keep, unneeded
from energygate.baseline.store import FolderStore
from energygate.errors import BaselineError

ANCHOR = "a" * 40


def stored(*runs):
    return [StoredRun(path=Path(run.run_id), run=run) for run in runs]


def session(day, name=NAME, **more):
    return a_run(a_benchmark(name=name), day=day, **more)


def going(*runs, newest=2, **keep):
    return [each.run.started_at.day for each in unneeded(stored(*runs), Keep(newest=newest, **keep))]


def accepts(name=NAME, **more):
    return (structs.replace(an_acceptance(benchmark=name), **more),)


def test_all_but_the_newest_go_oldest_first():
    assert going(*(session(day) for day in (3, 1, 5, 2, 4))) == [1, 2, 3]
    assert going(session(1), session(2)) == []
    assert going() == []


def test_every_machine_keeps_its_own_newest():
    there = a_machine(fingerprint="ffffffffffff")
    assert going(*(session(day) for day in (4, 5, 6)), *(session(day, machine=there) for day in (1, 2, 3))) == [1, 4]


def test_every_benchmark_keeps_its_own_newest():
    assert going(session(1, "rare"), *(session(day) for day in (2, 3, 4, 5))) == [2, 3]


def test_what_is_young_stays_however_many_there_are():
    runs = [session(day) for day in range(1, 7)]
    assert going(*runs, since=FIRST_DAY + dt.timedelta(days=2)) == [1, 2]


def test_the_runs_of_an_anchor_stay():
    assert going(session(1, commit=ANCHOR), session(2), session(3), session(4), commits=(ANCHOR,)) == [2]


def test_an_acceptance_stays_while_it_decides_which_of_the_kept_runs_count():
    runs = [session(1), session(2), session(3, accepts=accepts()), session(4)]
    assert going(*runs) == [1, 2]
    assert going(*runs, session(5), session(6)) == [1, 2, 3, 4]
    words = a_run(day=7, accepts=accepts(since=session(4).run_id))
    assert going(*runs, session(5), words) == [1, 2, 3]
    assert going(*runs, session(5), session(6), session(8), words) == [1, 2, 3, 4, 5, 7]


def test_an_acceptance_with_a_last_day_stays_with_the_sessions_that_will_count_again():
    runs = [session(day) for day in (1, 2, 3, 5, 6, 7, 8)]
    accepting = session(4, accepts=accepts(until=dt.date(2026, 12, 31)))
    assert going(*runs, accepting, before_acceptance=2) == [1, 5, 6]


def test_runs_are_removed_from_the_folder_and_one_that_is_gone_is_no_fault(tmp_path):
    store = FolderStore(tmp_path / "baselines")
    store.add(session(1))
    (found,) = store.everything()
    store.remove(found)
    store.remove(found)
    assert store.everything() == ()


def test_a_run_that_cannot_be_removed_is_named(tmp_path):
    (folder := tmp_path / "run.json").mkdir()
    with pytest.raises(BaselineError) as refused:
        FolderStore(tmp_path).remove(StoredRun(path=folder, run=session(1)))
    assert str(refused.value).startswith(f"Cannot remove {folder}: ")
    assert str(refused.value).endswith(". Give this user write permission in its folder.")
