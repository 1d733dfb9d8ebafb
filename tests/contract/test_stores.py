"""What every store promises, whatever it keeps its files in."""

from concurrent.futures import ThreadPoolExecutor

import fakes_stores
import pytest
from fakes import FINGERPRINT, a_benchmark, a_machine, a_run, an_acceptance

from energygate.errors import BaselineError
from energygate.model import Baseline

OTHER = "ffffffffffff"
KINDS = ("folder", "branch", "memory", "file", "s3")


@pytest.fixture(params=KINDS)
def opened(request, tmp_path):
    """Opens the same store anew, as another job does."""
    if request.param == "s3":
        uri = request.getfixturevalue("bucket")
        return lambda: fakes_stores.open_objects(uri)
    return getattr(fakes_stores, f"{request.param}_stores")(tmp_path)


def here(day, **more):
    return a_run(a_benchmark(), day=day, **more)


def elsewhere(day):
    return here(day, machine=a_machine(fingerprint=OTHER))


def test_a_store_that_nobody_wrote_to_is_empty(opened):
    found = opened().load(FINGERPRINT)
    assert (opened().everything(), found, opened().remarks()) == ((), Baseline(absent=found.absent), ())
    assert found.absent  # said in words, so that a misspelt store does not look like the first day


def test_what_one_job_stores_another_reads_by_machine_newest_first(opened):
    store = opened()
    store.require_writable(FINGERPRINT)
    pointing = a_run(day=9, machine=a_machine(fingerprint=OTHER), accepts=(an_acceptance(),))
    paths = {run.run_id: store.add(run) for run in (here(2), elsewhere(3), here(10), elsewhere(4), pointing)}
    other = opened()
    assert other.load(FINGERPRINT) == Baseline(runs=(here(10), here(2)), others=(elsewhere(4),))
    assert [each.run for each in other.everything()] == [here(10), here(2), pointing, elsewhere(4), elsewhere(3)]
    assert {each.run.run_id: each.path for each in other.everything()} == paths
    assert other.find("20261110").run == here(10)


def test_a_run_is_found_by_enough_of_its_id_only(opened):
    store = opened()
    store.add(here(1))
    with pytest.raises(BaselineError) as refused:
        store.find("1999")
    assert str(refused.value) == (
        f"{store.where}: no run starts with '1999'. `energygate baseline list` shows the ids; give enough of one to "
        "tell it apart."
    )


def test_a_stored_run_is_never_overwritten(opened):
    path = opened().add(here(1))
    with pytest.raises(BaselineError) as refused:
        opened().add(here(1, notes=("edited",)))
    assert str(refused.value) == (
        f"{path} exists already. A stored run is never changed. This run is stored: there is nothing to do."
    )
    assert [each.run for each in opened().everything()] == [here(1)]


def test_what_is_removed_is_gone_and_may_have_gone_before(opened):
    store = opened()
    for day in (1, 2, 3):
        store.add(here(day))
    newest, *older = store.everything()
    store.remove(*older)
    opened().remove(older[0])
    assert opened().everything() == (newest,)


def test_six_jobs_that_record_at_once_lose_nothing(opened):
    runs = [here(day) for day in range(1, 7)]
    stores = [opened() for _ in runs]
    with ThreadPoolExecutor(len(runs)) as jobs:
        paths = list(jobs.map(lambda store, run: store.add(run), stores, runs))
    assert [each.run for each in opened().everything()] == runs[::-1]
    assert [each.path for each in opened().everything()] == paths[::-1]
