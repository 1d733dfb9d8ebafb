import datetime as dt

import msgspec
import pytest
from fakes import COMMIT, FINGERPRINT, a_benchmark, a_machine, a_run, an_acceptance

from energygate.baseline.base import StoredRun
from energygate.baseline.branch import BranchStore
from energygate.baseline.objects import ObjectStore
from energygate.baseline.schema import encode_run
from energygate.baseline.store import FolderStore, open_store, read_run
from energygate.errors import BaselineError, EnergyGateError
from energygate.model import Baseline

OTHER = "ffffffffffff"


@pytest.fixture
def store(tmp_path):
    """An empty store in a folder that does not exist yet."""
    return FolderStore(tmp_path / "baselines")


def here(day, **more):
    return a_run(a_benchmark(), day=day, **more)


def elsewhere(day, fingerprint=OTHER):
    return here(day, machine=a_machine(fingerprint=fingerprint))


def test_a_run_is_stored_below_its_machine_under_time_commit_and_id(store):
    run = here(2)
    path = store.add(run)
    assert path == store.root / FINGERPRINT / f"20261102T031500Z-{COMMIT[:12]}-20261102T031500Z-0000000002.json"
    assert path.read_bytes() == encode_run(run)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_run_without_a_commit_says_so_in_its_name(store):
    assert store.add(here(1, commit=None)).name == "20261101T031500Z-nocommit-20261101T031500Z-0000000001.json"


def test_names_carry_the_time_in_utc_whatever_the_run_says(store):
    east = dt.timezone(dt.timedelta(hours=2))
    run = msgspec.structs.replace(here(1), started_at=dt.datetime(2026, 11, 1, 1, 0, tzinfo=east))
    assert store.add(run).name.startswith("20261031T230000Z-")


def test_a_stored_run_is_never_overwritten(store):
    path = store.add(here(1))
    before = path.read_bytes()
    with pytest.raises(BaselineError) as refusal:
        store.add(here(1, notes=("edited",)))
    assert str(refusal.value) == (
        f"{path} exists already. A stored run is never changed. This run is stored: there is nothing to do."
    )
    assert path.read_bytes() == before


def test_a_store_that_cannot_be_written_is_an_error_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "baselines").write_text("not a folder")
    with pytest.raises(EnergyGateError) as failure:
        FolderStore(tmp_path / "baselines").add(here(1))
    assert str(failure.value).startswith(f"Cannot write {tmp_path}/baselines/{FINGERPRINT}/")
    assert [path.name for path in tmp_path.iterdir()] == ["baselines"]


def test_runs_of_one_machine_come_newest_first_with_the_newest_of_every_other(store):
    runs = [here(2), here(10), here(1), elsewhere(3), elsewhere(4), elsewhere(1, fingerprint="000000000000")]
    for run in runs:
        store.add(run)
    assert store.load(FINGERPRINT) == Baseline(
        runs=(here(10), here(2), here(1)), others=(elsewhere(1, fingerprint="000000000000"), elsewhere(4))
    )


def test_of_another_machine_the_newest_run_that_measured_something_counts(store):
    pointing = a_run(day=4, machine=a_machine(fingerprint=OTHER), accepts=(an_acceptance(),))
    only_words = a_run(day=5, machine=a_machine(fingerprint="eeeeeeeeeeee"), accepts=(an_acceptance(),))
    for run in (elsewhere(2), elsewhere(3), pointing, only_words):
        store.add(run)
    assert store.load(FINGERPRINT) == Baseline(others=(elsewhere(3),))


def test_an_empty_or_absent_store_is_an_empty_baseline(store):
    assert store.load(FINGERPRINT) == Baseline(absent="there is no such folder")
    (store.root / FINGERPRINT).mkdir(parents=True)
    (store.root / OTHER).mkdir()
    assert (store.load(FINGERPRINT), store.everything()) == (Baseline(), ())


def test_other_files_of_the_folder_are_left_alone(store):
    path = store.add(here(1))
    (path.parent / f".{path.name}.half").write_bytes(b"{")
    (path.parent / ".hidden.json").write_bytes(b"{")
    (path.parent / "README.md").write_text("baselines of the build machine")
    (store.root / "README.md").write_text("baselines")
    assert store.load(FINGERPRINT) == Baseline(runs=(here(1),))


def test_everything_is_listed_by_machine_newest_first(store):
    paths = {run.run_id: store.add(run) for run in (here(1), elsewhere(2), here(3))}
    assert store.everything() == tuple(
        StoredRun(path=paths[run.run_id], run=run) for run in (here(3), here(1), elsewhere(2))
    )


def test_a_run_is_found_by_the_beginning_of_its_id(store):
    paths = [store.add(here(1)), store.add(here(2))]
    assert store.find("20261102") == StoredRun(path=paths[1], run=here(2))
    assert store.find(here(1).run_id).path == paths[0]


@pytest.mark.parametrize(
    ("start", "fault"),
    [("2026", "2 runs start with '2026'"), ("1999", "no run starts with '1999'"), ("", "2 runs start with ''")],
)
def test_an_id_that_is_not_the_start_of_exactly_one_is_refused(store, start, fault):
    store.add(here(1))
    store.add(here(2))
    with pytest.raises(BaselineError) as refusal:
        store.find(start)
    assert str(refusal.value) == (
        f"{store.root}: {fault}. `energygate baseline list` shows the ids; give enough of one to tell it apart."
    )


def test_a_spoilt_run_is_named_and_never_skipped(store):
    path = store.add(here(1))
    path.write_bytes(path.read_bytes()[:100])
    for read in (lambda: store.load(FINGERPRINT), lambda: store.load(OTHER), store.everything):
        with pytest.raises(BaselineError) as refusal:
            read()
        assert str(refusal.value) == (
            f"{path}: not a complete JSON document (Input data was truncated). The file was cut off or edited. "
            "Restore it from version control, or delete it and record that session again."
        )


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BaselineError) as refusal:
        read_run(tmp_path / "run.json")
    assert str(refusal.value) == (
        f"Cannot read {tmp_path}/run.json: No such file or directory. "
        "Give a file that --energy-save or `energygate run --save` wrote, readable by this user."
    )


def test_a_store_is_a_folder_below_the_project_or_an_absolute_one(tmp_path):
    assert open_store("baselines", folder=tmp_path) == FolderStore(tmp_path / "baselines")
    assert open_store("/srv/baselines", folder=tmp_path).root.as_posix() == "/srv/baselines"


def test_a_store_is_a_branch_or_a_url_where_it_says_so_and_nothing_is_asked_yet(tmp_path):
    environ = {"GIT_CONFIG_VALUE_0": "secret"}
    assert open_store("git:energy-baselines", folder=tmp_path, environ=environ) == BranchStore(
        branch="energy-baselines", near=tmp_path, environ=environ
    )
    assert open_store("s3://bucket/team/", folder=tmp_path) == ObjectStore("s3://bucket/team")


def test_a_run_in_the_folder_of_another_machine_is_refused(tmp_path):
    store = FolderStore(tmp_path)
    path = store.add(a_run(a_benchmark()))
    strayed = tmp_path / "abcdefabcdef" / path.name
    strayed.parent.mkdir()
    path.rename(strayed)
    own = path.parent.name
    with pytest.raises(BaselineError) as refused:
        store.load("abcdefabcdef")
    assert str(refused.value) == (
        f"{strayed}: $.machine.fingerprint: {own}, but it lies in the folder of abcdefabcdef. "
        f"Runs of different machines don't compare. Move it to {path.parent}."
    )


def test_baselines_that_cannot_be_read_are_not_none(tmp_path):
    (tmp_path / "baselines").touch()
    with pytest.raises(BaselineError) as refused:
        FolderStore(tmp_path / "baselines").load(FINGERPRINT)
    assert str(refused.value) == (
        f"Cannot read the baselines in {tmp_path / 'baselines'}: Not a directory. Unread baselines must not look like "
        "none. Give this user read permission, or another folder with --energy-baselines."
    )
